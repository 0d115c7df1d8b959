"""Nobody but the page that was opened with the printed address gets anything, however they ask."""

from __future__ import annotations

import http.client
import json

import pytest
from serving import served

from iiszoo.annotate import requests
from iiszoo.annotate.security import Gate
from iiszoo.errors import BadOption

websockets = pytest.importorskip("websockets.sync.client")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    import cv2
    import numpy as np

    directory = tmp_path_factory.mktemp("photographs")
    cv2.imwrite(str(directory / "a.png"), np.zeros((30, 40, 3), np.uint8))
    (directory / "secret.txt").write_text("secret")
    with served(directory, "--model", "painting_models:discs") as running:
        yield running


@pytest.fixture
def ask(server):
    """`ask(path, **headers)`: the status, headers and content of a GET, with the page's own headers unless given."""

    def ask(path, method="GET", body=None, **headers):
        sent = {"Host": server.host, "Cookie": f"iiszoo-{server.host.rpartition(':')[2]}={server.token}", **headers}
        connection = http.client.HTTPConnection(server.host, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    return ask


@pytest.fixture
def talk(server):
    """`talk(**headers)`: a WebSocket to the server, with the page's headers unless others are given."""

    def talk(**headers):
        port = server.host.rpartition(":")[2]
        sent = {"Origin": f"http://{server.host}", "Cookie": f"iiszoo-{port}={server.token}", **headers}
        origin = sent.pop("Origin")
        return websockets.connect(
            f"ws://{server.host}/talk", origin=origin, additional_headers={k: v for k, v in sent.items() if v}
        )

    return talk


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(server, ask):
    status, headers, content = ask(f"/?token={server.token}", Cookie=None)
    assert status == 200
    assert b"<canvas" in content
    port = server.host.rpartition(":")[2]
    assert headers["set-cookie"] == f"iiszoo-{port}={server.token}; Path=/; HttpOnly; SameSite=Strict"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/static/app.js", "/tile/x/0/0/0/0", "/thumbnail/x/0"])
@pytest.mark.parametrize("cookie", [None, "iiszoo=1", "iiszoo-1=x", "broken;;=", "\xff=\xfe"])
def test_without_the_cookie_there_is_nothing(ask, path, cookie):
    status, headers, content = ask(path, Cookie=cookie)
    assert status == 403
    assert b"open the address with the token" in content
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil:PORT"]
)
def test_another_host_is_refused(server, ask, host):
    port = server.host.rpartition(":")[2]
    status, _, content = ask(f"/?token={server.token}", Host=host.replace("PORT", port))
    assert status in (400, 403)
    assert b"canvas" not in content


def test_localhost_is_this_server(server, ask):
    assert ask("/", Host=f"localhost:{server.host.rpartition(':')[2]}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_the_server_only_shows(ask, method):
    assert ask("/", method)[0] == 403


def test_nothing_can_be_sent_with_a_request(ask):
    assert ask("/", "GET", b"x" * 10, Content_Length="10")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fpage.py", "/static/../page.py", "/static/%2e%2e/server.py", "/static/x.html", "/secret.txt",
        "/static/", "/tile/x/1/0/0/0", "/tile/x/0/9/0/0", "/tile/x/0/0/9/0", "/tile/x/-1/0/0/0", "/tile/x/a.png/0/0/0",
        "/thumbnail/x/1", "/thumbnail/x/..%2f..%2fsecret.txt", "/tile/x/99999999999999999999/0/0/0",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere(ask, path):
    status, _, content = ask(path)
    assert status == 404
    assert b"secret" not in content
    assert b"import" not in content


def test_tiles_and_thumbnails_are_pictures(ask):
    for path in ("/tile/x/0/0/0/0", "/thumbnail/x/0"):
        status, headers, content = ask(path)
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        assert content[:3] == b"\xff\xd8\xff"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "headers", [{"Origin": None}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Cookie": None}]
)
def test_another_sites_websocket_is_refused(talk, headers):
    with pytest.raises(InvalidStatus, match="403"):
        talk(**headers)


def test_a_second_page_is_refused_and_the_first_goes_on(talk):
    with talk() as first:
        assert json.loads(first.recv(20))["kind"] == "welcome"
        with talk() as second, pytest.raises(ConnectionClosed) as closed:
            second.recv(20)
        assert closed.value.rcvd.code == 4000
        assert "Another page" in closed.value.rcvd.reason
        first.send(json.dumps({"n": 1, "do": "undo"}))
        kinds = list(iter(lambda: json.loads(first.recv(20))["kind"], "refused"))
        assert "opened" in kinds
    with talk() as third:
        assert json.loads(third.recv(20))["kind"] == "welcome"


@pytest.mark.parametrize(
    "message",
    [
        "", "x", "null", "[]", "{}", '{"n": 1}', '{"n": 1, "do": "close"}', '{"n": 1, "do": "__init__"}', b"\xff\xfe",
        '{"n": -1, "do": "undo"}', '{"n": 1, "do": "click", "row": 1.5, "col": 0, "positive": true, "label": "object"}',
        '{"n": 1, "do": "click", "row": true, "col": 0, "positive": true, "label": "object"}',
        '{"n": 1, "do": "stroke", "points": [], "size": 3, "erase": false, "label": "object"}',
        '{"n": 1, "do": "stroke", "points": [[1]], "size": 3, "erase": false, "label": "object"}',
        '{"n": 1, "do": "stroke", "points": [[1, 1]], "size": 0, "erase": false, "label": "object"}',
        '{"n": 1, "do": "accept"' + "[" * 5000, '{"n": NaN, "do": "undo"}', '{"n": 1e999, "do": "undo"}',
    ],
)  # fmt: skip
def test_requests_that_cannot_be_understood_are_one_sentence(message):
    with pytest.raises(BadOption, match="a request that cannot be understood"):
        requests.checked(message)


def test_only_what_a_request_needs_is_passed_on():
    found = requests.checked('{"n": 1, "do": "accept", "mask": "00", "at": 7, "self": 1}')
    assert found == {"n": 1, "do": "accept"}


def test_a_request_that_is_too_large_ends_the_connection(talk):
    with talk() as socket:
        socket.send(json.dumps({"n": 1, "do": "click", "label": "x" * (1 << 20)}))
        with pytest.raises(ConnectionClosed) as closed:
            list(iter(lambda: socket.recv(20), None))
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("bound", "host", "here"),
    [
        ("127.0.0.1", "127.0.0.1:80", True),
        ("127.0.0.1", "[::1]:80", True),
        ("127.0.0.1", "192.168.0.9:80", False),
        ("0.0.0.0", "192.168.0.9:80", True),
        ("0.0.0.0", "evil.example:80", False),
        ("::", "[fe80::1]:80", True),
        ("mybox", "MyBox:80", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "[::1]", True),
        ("127.0.0.1", "evil@127.0.0.1:80", False),
        ("127.0.0.1", "127.0.0.1:81", False),
        ("127.0.0.1", None, False),
    ],
)
def test_which_hosts_are_this_server(bound, host, here):
    assert Gate(bound, 80).is_here(host) is here
