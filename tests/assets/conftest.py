"""A real HTTP server on loopback whose faults are set by each test, a cache of its own, and cards of one model."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from iiszoo.assets import _http
from iiszoo.assets._format import _TORCH_LEGACY
from iiszoo.cards import ModelCard, Weights

FILENAME = "tiny.pth"


def weights_bytes(seed: int, length: int = 1_000_000) -> bytes:
    """What looks like a file that torch.save wrote before zip archives, as far as its first bytes tell."""
    return _TORCH_LEGACY + random.Random(seed).randbytes(length - len(_TORCH_LEGACY))


SCRIPT = """
from iiszoo import assets
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError
{before}
card = ModelCard(id={id!r}, loader="toy:load", summary="", licence="", weights={weights!r})
try:
    print(assets.fetch(card, progress=lambda done, total: None))
except WeightsError as error:
    raise SystemExit(f"WeightsError: {{error}}")
"""


@dataclass
class Served:
    """One file of the server and the way in which it is served; faults may be changed between requests."""

    content: bytes
    status: int = 200  # anything else is answered with an error
    ranges: bool = True  # whether Range is understood
    if_range: bool = True  # whether If-Range is understood
    etag: str | None = None
    last_modified: str | None = None
    content_type: str = "application/octet-stream"
    send_length: bool = True
    chunked: bool = False  # with send_length=False: sent as chunks, which tell where the end is
    cuts: list[int] = field(default_factory=list)  # bytes after which each next response is cut
    cut_always: int | None = None
    redirect: str | None = None  # url of the answer 302
    stall: bool = False  # after a cut's bytes: silence instead of an end
    seconds_per_64k: float = 0.0


@dataclass
class Asked:
    """One request as the server saw it, and the bytes of body that it sent."""

    path: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0


class WeightsServer:
    """Serves `files` by path; `asked` is the log of requests."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []
        self.silence = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.silence.set()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._httpd.server_port}{path}"

    def serve(self, path: str, content: bytes, **how: Any) -> str:
        """Serve `content` at `path`; returns its url."""
        self.files[path] = Served(content, **how)
        return self.url(path)

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self.asked)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        asked = Asked(request.path, request.headers["Range"], request.headers["If-Range"])
        self.asked.append(asked)
        file = self.files.get(request.path, Served(b"", status=404))
        asked.status = file.status
        if file.redirect:
            asked.status = 302
            request.send_response(302)
            request.send_header("Location", file.redirect)
            request.send_header("Content-Length", "0")
            return request.end_headers()
        if file.status != 200:
            return request.send_error(file.status)
        content, start = file.content, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.range or "")
        stale = file.if_range and asked.if_range is not None and asked.if_range not in (file.etag, file.last_modified)
        if wanted and file.ranges and not stale:
            start = int(wanted[1])
            asked.status = 206 if start < len(content) else 416
        request.send_response(asked.status)
        if asked.status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if asked.status == 416:
            request.send_header("Content-Range", f"bytes */{len(content)}")
            start = len(content)
        request.send_header("Content-Type", file.content_type)
        if file.etag:
            request.send_header("ETag", file.etag)
        if file.last_modified:
            request.send_header("Last-Modified", file.last_modified)
        if file.send_length:
            request.send_header("Content-Length", str(len(content) - start))
        elif file.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        self._send(request, file, content[start:], asked)
        return None

    def _send(self, request: BaseHTTPRequestHandler, file: Served, body: bytes, asked: Asked) -> None:
        cut = file.cuts.pop(0) if file.cuts else file.cut_always
        for begin in range(0, len(body[:cut]), 65536):
            piece = body[:cut][begin : begin + 65536]
            try:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if file.chunked else piece)
            except OSError:  # the client has gone
                return
            asked.sent += len(piece)
            time.sleep(file.seconds_per_64k)
        if cut is None and file.chunked:
            request.wfile.write(b"0\r\n\r\n")
        if cut is not None and file.stall:
            self.silence.wait(10)
        if cut is not None:
            request.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    server = WeightsServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no proxy, no waiting between tries."""
    for name in ("IISZOO_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_http, "PAUSE_SECONDS", 0.0)
    cache = tmp_path / "cache"
    monkeypatch.setenv("IISZOO_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def content() -> bytes:
    """The bytes of the weights file, 1 MB, which begins as a PyTorch file does."""
    return weights_bytes(0)


@pytest.fixture(scope="session")
def other_content() -> bytes:
    """Another such file of the same length."""
    return weights_bytes(1)


@pytest.fixture
def place(cache: Path) -> Path:
    """Where the weights file of `make_card` belongs."""
    return cache / "weights" / "toy" / FILENAME


@pytest.fixture
def make_card(content: bytes) -> Callable[..., ModelCard]:
    """`make_card(*urls, sha256=..., size=...)`: a card of `toy/net` with one weights file, by default of right hash."""

    def make_card(
        *urls: str, sha256: str | None = hashlib.sha256(content).hexdigest(), size: int | None = None
    ) -> ModelCard:
        files = (Weights(FILENAME, urls, sha256, size),)
        return ModelCard(id="toy/net", loader="toy:load", summary="a toy", licence="MIT", weights=files)

    return make_card


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`spawn(card, before="")`: another process that runs `before`, fetches the weights of `card`, prints the path."""
    running = []

    def spawn(card: ModelCard, before: str = "") -> subprocess.Popen[str]:
        script = SCRIPT.format(before=before, id=card.id, weights=card.weights)
        process = subprocess.Popen(
            [sys.executable, "-c", script], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        running.append(process)
        return process

    yield spawn
    for process in running:
        process.kill()
        process.wait()
