"""The web server of the page: a few files, the images in tiles, and one WebSocket."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope
from starlette.types import Send as AsgiSend
from starlette.websockets import WebSocket, WebSocketDisconnect

from iiszoo.annotate import requests
from iiszoo.annotate.images import Pictures
from iiszoo.annotate.models import Models
from iiszoo.annotate.page import Page
from iiszoo.annotate.security import HEADERS, Gate
from iiszoo.annotate.workplace import Workplace
from iiszoo.errors import BadOption, IISZooError

STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PATIENCE = 2.0
"""Seconds that a page which is loaded again waits for the old one to be gone."""
_REFUSED = 4000
"""The code that a WebSocket is closed with if there is a page already."""


def app(work: Workplace, models: Models, gate: Gate, notices: list[str]) -> Starlette:
    """The application. Its page begins when the server starts."""
    pictures = Pictures(work.images)
    run = secrets.token_hex(4)  # part of the images' addresses, so that no browser shows those of another run

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        app.state.page = Page(work, pictures, models, notices)
        yield
        await app.state.page.close()

    async def index(request: Request) -> Response:
        text = (STATIC / "index.html").read_text("utf-8").replace("__RUN__", run)
        policy = {"Content-Security-Policy": gate.policy(request.headers["host"]), "Cache-Control": "no-store"}
        response = Response(text, media_type="text/html", headers=policy)
        if gate.is_token(request.query_params.get("token")):
            response.headers["Set-Cookie"] = gate.set_cookie
        return response

    async def static(request: Request) -> Response:
        path = STATIC / request.path_params["name"]
        if path.parent != STATIC or path.suffix not in _KINDS or not path.is_file():
            return PlainTextResponse("there is no such file", 404)
        return Response(path.read_bytes(), media_type=_KINDS[path.suffix], headers={"Cache-Control": "no-cache"})

    def picture(make: Callable[[dict[str, int]], bytes | None]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            numbers = {name: value for name, value in request.path_params.items() if name != "run"}
            if numbers["image"] >= len(work.images):
                return PlainTextResponse("there is no such image", 404)
            try:
                content = await asyncio.to_thread(make, numbers)
            except IISZooError as error:
                return PlainTextResponse(str(error), 404)
            if content is None:
                return PlainTextResponse("there is no such part of the image", 404)
            return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

        return answer

    routes = [
        Route("/", index),
        Route("/static/{name}", static),
        Route(
            "/tile/{run}/{image:int}/{level:int}/{row:int}/{col:int}",
            picture(lambda at: pictures.get(at["image"]).tile(at["level"], at["row"], at["col"])),
        ),
        Route("/thumbnail/{run}/{image:int}", picture(lambda at: pictures.thumbnail(at["image"]))),
        WebSocketRoute("/talk", _talk),
    ]
    application = Starlette(routes=routes, lifespan=life)
    application.add_middleware(_Guarded, gate=gate)
    return application


class _Guarded:
    """Lets nothing pass that does not come from the page."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        fault = self._fault(scope, headers)
        if fault and scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": fault})
        if fault:
            return await PlainTextResponse(fault, 403, dict(HEADERS))(scope, receive, send)

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        return await self.app(scope, receive, send_guarded)

    def _fault(self, scope: Scope, headers: Headers) -> str:
        if not self.gate.is_here(headers.get("host")):
            return "this server does not go by that name; open the address that `iiszoo annotate` printed"
        if scope["type"] == "http":
            if scope["method"] not in ("GET", "HEAD"):
                return "this server only shows"
            if int(headers.get("content-length") or 0) or "transfer-encoding" in headers:
                return "this server takes no content"
            if scope["path"] == "/" and self.gate.is_token(Request(scope).query_params.get("token")):
                return ""
        elif not self.gate.is_own_page(headers):
            return "this is not the page of this server"
        if not self.gate.knows(headers.get("cookie")):
            return "open the address with the token that `iiszoo annotate` printed; another run has another token"
        return ""


async def _talk(socket: WebSocket) -> None:
    """One page. A second one is refused as long as the first is there."""
    page: Page = socket.app.state.page
    await socket.accept()
    for _ in range(int(_PATIENCE / 0.05)):
        if not page.connected:
            break
        await asyncio.sleep(0.05)
    else:
        await socket.close(_REFUSED, "Another page has this folder open; go on there, or close it and reload this one.")
        return

    async def send(kind: str, what: Any) -> None:
        try:
            if kind == "frame":
                await socket.send_bytes(what)
            else:
                await socket.send_text(json.dumps({"kind": kind, **what}, ensure_ascii=False))
        except (RuntimeError, WebSocketDisconnect):
            pass  # it has gone, which `receive` tells too

    try:
        await page.connect(send)
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            try:
                request = requests.checked(message.get("text") or message.get("bytes") or "")
            except BadOption as error:
                await send("refused", {"n": 0, "text": str(error)})
                continue
            await page.handle(request)
    finally:
        await page.disconnect()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; `port` 0: any free one. Raises `BadOption` that says why it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadOption(f"{host}, port {port}: cannot be listened on ({why}); give another --port or --host") from error
    return listening


def serve(application: Starlette, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C, which raises `KeyboardInterrupt` when all is closed. `ready` is called when it serves."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        application,
        log_level="error",
        access_log=False,
        ws_max_size=requests.MOST_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=10,
        ws_ping_timeout=10,
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,
    )
    Server(config).run([listening])
