"""Downloads from a server that misbehaves."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

import pytest

from iiszoo import assets
from iiszoo.assets import _http
from iiszoo.errors import WeightsError


def test_fetches_verifies_and_reports_progress(server, content, make_card, place):
    seen = []
    card = make_card(server.serve("/w", content))
    assert assets.fetch(card, progress=lambda done, total: seen.append((done, total))) == place
    assert place.read_bytes() == content
    assert seen[-1] == (len(content), len(content))
    assert seen == sorted(seen)
    assert sorted(file.name for file in place.parent.iterdir() if file.suffix != ".lock") == [place.name]


def test_a_verified_file_is_neither_fetched_nor_hashed_again(server, content, make_card, monkeypatch):
    card = make_card(server.serve("/w", content))
    assets.fetch(card)
    monkeypatch.setattr(assets._ledger, "examine", lambda file: pytest.fail("it was hashed again"))
    assets.fetch(card)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "tag", [{"etag": '"v1"'}, {"last_modified": "Mon, 05 Jan 2026 10:00:00 GMT"}, {"etag": 'W/"v1"'}, {}]
)
def test_a_cut_connection_is_resumed_where_it_broke(server, content, make_card, place, tag):
    card = make_card(server.serve("/w", content, cuts=[300_000, 400_000], **tag))
    assert assets.fetch(card).read_bytes() == content
    assert [asked.range for asked in server.asked] == [None, "bytes=300000-", "bytes=700000-"]
    assert server.sent == len(content)  # no byte came twice


def test_an_interrupted_download_is_resumed_by_the_next_fetch(server, content, make_card, place):
    card = make_card(server.serve("/w", content, etag='"v1"'))

    def interrupt(done: int, total: int | None) -> None:
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch(card, progress=interrupt)
    assert assets.status(card).state == "partial"
    kept = assets.status(card).present_bytes
    assert kept > 200_000
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[1].range == f"bytes={kept}-"
    assert server.asked[1].if_range == '"v1"'
    assert server.asked[1].sent == len(content) - kept


def test_a_connection_that_is_always_cut_ends_in_an_error_and_keeps_the_part(server, content, make_card, place):
    card = make_card(server.serve("/w", content, cut_always=10_000))
    with pytest.raises(WeightsError, match=r"cut after \d+ of 1000000 bytes \(5 tries\)"):
        assets.fetch(card)
    assert len(server.asked) == _http.TRIES
    assert not place.exists()
    assert place.with_name("tiny.pth.part").read_bytes() == content[:50_000]
    server.files["/w"].cut_always = None
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[-1].sent == len(content) - 50_000


def test_tries_that_bring_much_are_not_counted(server, content, make_card, monkeypatch):
    monkeypatch.setattr(_http, "WORTHWHILE", 50_000)
    card = make_card(server.serve("/w", content, cut_always=100_000))
    assert assets.fetch(card).read_bytes() == content
    assert server.sent == len(content)


def test_a_server_without_range_starts_from_zero(server, content, make_card):
    card = make_card(server.serve("/w", content, ranges=False, cuts=[600_000]))
    assert assets.fetch(card).read_bytes() == content
    assert [(asked.range, asked.status) for asked in server.asked] == [(None, 200), ("bytes=600000-", 200)]


def test_a_server_without_range_that_always_cuts_ends_in_an_error(server, content, make_card, monkeypatch):
    monkeypatch.setattr(_http, "WORTHWHILE", 50_000)
    card = make_card(server.serve("/w", content, ranges=False, cut_always=600_000))
    with pytest.raises(WeightsError, match="cut after"):
        assets.fetch(card)
    assert len(server.asked) <= _http.TRIES


@pytest.mark.parametrize("if_range", [True, False], ids=["If-Range", "no If-Range"])
@pytest.mark.parametrize("known", [True, False], ids=["hash known", "hash unknown"])
def test_a_file_that_changed_between_tries_is_fetched_from_zero(
    server, content, other_content, make_card, if_range, known
):
    new = other_content
    sha256 = hashlib.sha256(new).hexdigest() if known else None
    card = make_card(server.serve("/w", content, etag='"v1"', cuts=[300_000] * 5, if_range=if_range), sha256=sha256)

    def interrupt(done: int, total: int | None) -> None:
        if done >= 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch(card, progress=interrupt)
    server.serve("/w", new, etag='"v2"', if_range=if_range)
    assert assets.fetch(card).read_bytes() == new


def test_a_file_of_another_size_is_fetched_from_zero(server, content, make_card):
    longer = content + b"more"
    url = server.serve("/w", content, cuts=[300_000] * 5)
    card = make_card(url, sha256=hashlib.sha256(longer).hexdigest())

    def interrupt(done: int, total: int | None) -> None:
        if done >= 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch(card, progress=interrupt)
    server.serve("/w", longer)
    assert assets.fetch(card).read_bytes() == longer
    assert [asked.range for asked in server.asked[1:]] == ["bytes=300000-", None]


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changes_at_each_request_ends_in_an_error(server, content, make_card, monkeypatch, if_range):
    monkeypatch.setattr(_http, "WORTHWHILE", 50_000)
    card = make_card(server.serve("/w", content, etag='"0"', cut_always=300_000, if_range=if_range))
    turn = iter(range(100))

    def change(done: int, total: int | None) -> None:
        server.files["/w"].etag = f'"{next(turn)}"'

    with pytest.raises(WeightsError, match=r"cut after|has changed"):
        assets.fetch(card, progress=change)
    assert len(server.asked) < 15


def test_without_hash_and_validator_nothing_is_resumed(server, content, make_card):
    """Two halves of two files would be pinned as one."""
    card = make_card(server.serve("/w", content, cuts=[300_000]), sha256=None)
    assert assets.fetch(card).read_bytes() == content
    assert [asked.range for asked in server.asked] == [None, None]


def test_a_complete_part_is_only_verified(server, content, make_card, place):
    """A process that was killed between the last byte and the rename."""
    card = make_card(server.serve("/w", content))
    place.parent.mkdir(parents=True)
    place.with_name("tiny.pth.part").write_bytes(content)
    assert assets.fetch(card).read_bytes() == content
    assert [asked.status for asked in server.asked] == [416]
    assert server.sent == 0


@pytest.mark.parametrize("part", [b"x" * 500_000, b"x" * 1_000_000, b"x" * 2_000_000], ids=["short", "full", "long"])
def test_a_rotten_part_is_found_out_and_fetched_anew(server, content, make_card, place, part):
    card = make_card(server.serve("/w", content))
    place.parent.mkdir(parents=True)
    place.with_name("tiny.pth.part").write_bytes(part)
    assert assets.fetch(card).read_bytes() == content
    assert server.sent <= 1_500_000


def test_a_wrong_hash_says_both_and_leaves_a_clean_slate(server, content, make_card, place):
    wrong = b"y" * 1000
    url = server.serve("/w", wrong)
    card = make_card(url)
    with pytest.raises(WeightsError) as error:
        assets.fetch(card)
    assert hashlib.sha256(wrong).hexdigest() in str(error.value)
    assert card.weights[0].sha256 in str(error.value)
    assert url in str(error.value)
    assert not place.exists()
    assert assets.status(card).state == "missing"
    server.serve("/w", content)
    assert assets.fetch(card).read_bytes() == content


def test_a_good_file_survives_a_bad_replacement(server, content, make_card, place):
    assets.fetch(make_card(server.serve("/w", content)))
    other = make_card(server.serve("/v2", b"not that either"), sha256="0" * 64)
    with pytest.raises(WeightsError, match=f"{'0' * 64}"):
        assets.fetch(other)
    assert place.read_bytes() == content


def test_a_damaged_file_is_replaced_and_set_aside(server, content, make_card, place):
    card = make_card(server.serve("/w", content))
    assets.fetch(card)
    place.write_bytes(b"damaged")
    assert assets.fetch(card).read_bytes() == content
    assert place.with_name("tiny.pth.set-aside").read_bytes() == b"damaged"


@pytest.mark.parametrize("send_length", [True, False])
def test_a_size_mismatch_is_refused(server, content, make_card, place, send_length):
    url = server.serve("/w", content + b"more", send_length=send_length, seconds_per_64k=0.01)
    card = make_card(url, size=len(content))
    with pytest.raises(WeightsError, match=r"1000004 bytes, but 1000000|more than the 1000000 bytes"):
        assets.fetch(card)
    assert server.sent < 1_000_000 or not send_length  # refused by its headers, before the body
    assert assets.status(card).state == "missing"


def test_a_short_body_of_unknown_length_is_resumed_when_the_card_states_the_size(server, content, make_card):
    card = make_card(server.serve("/w", content, send_length=False, cuts=[300_000]), size=len(content))
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[1].range == "bytes=300000-"


def test_a_mirror_takes_over_after_404(server, content, make_card):
    card = make_card(server.url("/gone"), server.serve("/w", content))
    assert assets.fetch(card).read_bytes() == content
    assert [asked.path for asked in server.asked] == ["/gone", "/w"]


def test_a_mirror_goes_on_with_the_part_of_the_first(server, content, make_card):
    first = server.serve("/a", content, etag='"a"', cut_always=10_000)
    card = make_card(first, server.serve("/b", content, etag='"b"'))
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[-1].range == "bytes=50000-"
    assert server.sent == len(content)


def test_a_mirror_does_not_go_on_with_another_file_whose_hash_nobody_knows(server, content, other_content, make_card):
    first = server.serve("/a", content, etag='"a"', cut_always=10_000)
    card = make_card(first, server.serve("/b", other_content, etag='"b"'), sha256=None)
    assert assets.fetch(card).read_bytes() == other_content


def test_a_mixture_of_two_mirrors_is_fetched_from_zero(server, content, make_card):
    first = server.serve("/a", b"z" * len(content), cut_always=10_000)
    card = make_card(first, server.serve("/b", content))
    assert assets.fetch(card).read_bytes() == content
    assert [asked.range for asked in server.asked[-2:]] == ["bytes=50000-", None]


def test_all_mirrors_dead_names_each_with_its_cause_and_the_way_out(server, make_card, place):
    card = make_card(server.url("/gone"), server.serve("/busy", b"", status=503), "http://127.0.0.1:9/w")
    with pytest.raises(WeightsError) as error:
        assets.fetch(card)
    text = str(error.value)
    assert f"{server.url('/gone')}: HTTP 404" in text
    assert f"{server.url('/busy')}: HTTP 503" in text
    assert "http://127.0.0.1:9/w: Connection refused" in text
    assert "`iiszoo weights add toy/net FILE`" in text
    assert str(place) in text
    assert "\n" not in text


def test_a_busy_server_is_asked_again(server, content, make_card, monkeypatch):
    card = make_card(server.serve("/w", content, status=503))
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: setattr(server.files["/w"], "status", 200))
    assert assets.fetch(card).read_bytes() == content


def test_a_stalled_server_is_given_up(server, content, make_card, monkeypatch):
    monkeypatch.setattr(_http, "STALL_SECONDS", 0.2)
    card = make_card(server.serve("/w", content, cuts=[300_000], stall=True))
    assert assets.fetch(card).read_bytes() == content
    assert server.asked[1].range == "bytes=300000-"


def test_a_redirect_is_followed_in_resuming_too(server, content, make_card):
    end = server.serve("/cdn", content, etag='"v1"', cuts=[300_000])
    card = make_card(server.serve("/w", b"", redirect=end))
    assert assets.fetch(card).read_bytes() == content
    assert [(asked.path, asked.range) for asked in server.asked[2:]] == [
        ("/w", "bytes=300000-"),
        ("/cdn", "bytes=300000-"),
    ]


def test_whatever_goes_wrong_the_file_is_right_or_absent(server, content, make_card, place):
    """Two mirrors with random faults, over several runs that share a cache."""
    draw = random.Random(1)
    content = content[:50_000]
    card = make_card(server.url("/a"), server.url("/b"), sha256=hashlib.sha256(content).hexdigest())
    for _ in range(60):
        for path in ("/a", "/b"):
            server.serve(
                path,
                draw.choice([content, content, content[::-1], content[:-1], content + b"x"]),
                status=draw.choice([200, 200, 200, 404, 503]),
                ranges=draw.random() < 0.7,
                if_range=draw.random() < 0.7,
                etag=draw.choice([None, '"v1"', 'W/"v1"', f'"{draw.random()}"']),
                send_length=draw.random() < 0.8,
                cuts=[draw.randrange(50_001) for _ in range(draw.randrange(8))],
            )
        try:
            assert assets.fetch(card).read_bytes() == content
            place.unlink()
        except WeightsError:
            assert not place.exists()
    server.serve("/a", content)
    assert assets.fetch(card).read_bytes() == content


def test_a_web_page_is_no_weights_file(server, make_card):
    """A dead link that leads to a landing page must not be pinned."""
    card = make_card(server.serve("/w", b"<html>moved", content_type="text/html; charset=utf-8"), sha256=None)
    with pytest.raises(WeightsError, match="a web page instead of the file"):
        assets.fetch(card)
    assert assets.status(card).sha256 is None


def test_proxies_are_honoured(server, content, make_card, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setattr("urllib.request._opener", None)  # urllib reads the proxies once a process
    server.serve("http://weights.invalid/w", content)
    assert assets.fetch(make_card("http://weights.invalid/w")).read_bytes() == content


def test_an_unknown_scheme_is_named(make_card):
    with pytest.raises(WeightsError, match=re.escape("gopher://x/y: urls of this kind are not supported")):
        assets.fetch(make_card("gopher://x/y"))


def test_a_card_without_url_says_so(make_card):
    with pytest.raises(WeightsError, match=r"its card names no url; .*iiszoo weights add toy/net FILE"):
        assets.fetch(make_card())


def test_an_empty_file_is_a_file(server, make_card):
    card = make_card(server.serve("/w", b""), sha256=hashlib.sha256(b"").hexdigest(), size=0)
    assert Path(assets.fetch(card)).read_bytes() == b""
