"""Messages over a socket: JSON objects in the frames of `multiprocessing.connection`, sent and read within time limits.

The peer may be any program that a user names by mistake: it may send something that is not a message, a part of one, or
too much. Nothing here waits longer than its time limit, or takes more memory than `LIMIT`.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from iiszoo.errors import one_line

LIMIT = 64 * 2**20
"""Bytes of a message; arrays are not part of it."""
REST_SECONDS = 60.0
"""For the rest of a message that has begun, if nothing else limits it."""
_GLANCE_SECONDS = 1.0
"""How often a wait checks that the peer is still there."""


class Garbled(Exception):
    """The received bytes are not a message; the text says why."""


def send(sock: socket.socket, message: dict[str, Any], seconds: float) -> None:
    """Raises `TimeoutError` if the peer does not take it within `seconds`, `OSError` if the peer is gone."""
    data = json.dumps(message).encode()
    head = struct.pack("!i", len(data)) if len(data) <= 0x7FFFFFFF else struct.pack("!iQ", -1, len(data))
    sock.settimeout(seconds)
    sock.sendall(head + data)


def receive(sock: socket.socket, seconds: float | None, alive: Callable[[], bool]) -> dict[str, Any]:
    """The next message. `seconds`: for the whole of it; None: no limit until it begins.

    Raises `TimeoutError`, `Garbled`, or `EOFError` if the peer is gone, even if it is not `alive` while a process that
    it started keeps the socket open.
    """
    end = math.inf if seconds is None else time.monotonic() + seconds
    first = _exactly(sock, 1, end, alive)
    end = min(end, time.monotonic() + REST_SECONDS)
    (size,) = struct.unpack("!i", first + _exactly(sock, 3, end, alive))
    if size == -1:
        (size,) = struct.unpack("!Q", _exactly(sock, 8, end, alive))
    if not 0 <= size <= LIMIT:
        raise Garbled(f"a message of {size:,} bytes")
    try:
        message = json.loads(_exactly(sock, size, end, alive))
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not JSON: {one_line(error)}") from error
    if not isinstance(message, dict):
        raise Garbled(f"a {type(message).__name__} instead of an object")
    return message


def _exactly(sock: socket.socket, size: int, end: float, alive: Callable[[], bool]) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(min(_GLANCE_SECONDS, left))
        was_alive = alive()  # checked before the read: what was sent before a death is still read
        try:
            chunk = sock.recv(min(size - len(data), 1 << 20))
        except TimeoutError:
            if not was_alive:
                raise EOFError from None
            continue
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)
