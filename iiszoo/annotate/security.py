"""Who may talk to the server: the page that was opened with the printed address, and no other.

The token in that address becomes a cookie, which no script can read and no other site can send (`SameSite=Strict`).
`Host` must be this server, so that a name that is made to lead here (DNS rebinding) is refused; `Origin` must be the
page's own for a WebSocket, to which browsers let every site connect.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Gate:
    """The rules of a server that listens on `host` and `port`."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.token = secrets.token_urlsafe(24)
        self.cookie = f"iiszoo-{port}"
        """Cookies know no ports: two servers of one machine need two names."""

    @property
    def address(self) -> str:
        """What to open in a browser."""
        name = "127.0.0.1" if self.host in ("0.0.0.0", "") else "[::1]" if self.host == "::" else _bracketed(self.host)
        return f"http://{name}:{self.port}/?token={self.token}"

    def is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def knows(self, cookies: str | None) -> bool:
        """Whether a `Cookie` header has the token."""
        try:
            found = SimpleCookie(cookies or "").get(self.cookie)
        except CookieError:
            return False
        return found is not None and self.is_token(found.value)

    @property
    def set_cookie(self) -> str:
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def is_here(self, host: str | None) -> bool:
        """Whether a `Host` header names this server."""
        found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:/@]+)(?::(\d+))?", host or "", re.IGNORECASE)
        if found is None or int(found[2] or 80) != self.port:
            return False
        name = found[1].strip("[]").lower()
        if name in ("127.0.0.1", "localhost", "::1", self.host.lower()):
            return True
        if self.host not in ("0.0.0.0", "::", ""):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in {socket.gethostname().lower(), socket.getfqdn().lower()}
        return True  # an address, unlike a name, cannot be made to lead elsewhere

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether the `Origin` of a request is the page that this server sent."""
        return headers.get("origin") == f"http://{headers.get('host')}"

    @staticmethod
    def policy(host: str) -> str:
        """The Content-Security-Policy of the page: scripts, styles and pictures from here, nothing from elsewhere."""
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
