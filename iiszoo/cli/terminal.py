"""Output to a terminal: arbitrary names, on a terminal that may support only ASCII.

Every character that steers a terminal, or changes the direction of writing, is escaped: a name cannot recolour, hide or
forge a line. A character that the terminal's encoding lacks is replaced by a similar one, or escaped.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

_STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f"  # C0 but the line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # changes of the direction of writing
    "\u2028\u2029\ud800-\udfff]"  # line separators; bytes of a name that are not UTF-8
)
_NEAR = {
    "–": "-",
    "—": "-",
    "…": "...",
    "·": "-",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "≥": ">=",
    "→": "->",
}


def shown(text: str, *, one_line: bool = False) -> str:
    """The text with characters that steer a terminal escaped; `one_line`: line feeds, too."""
    plain = _STEERING.sub(_escaped, text)
    return plain.replace("\n", "\\n") if one_line else plain


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _near(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_NEAR.get(c, c.encode("ascii", "backslashreplace").decode()) for c in lacking), error.end


codecs.register_error("iiszoo.near", _near)


def in_encoding_of(stream: TextIO, text: str) -> str:
    """The text as the stream will show it, so that its width is right."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "iiszoo.near").decode(encoding)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


class Output:
    """stdout that remembers why a write failed: a full disk, a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self.fault = error
            raise

    def abandon(self) -> None:
        """Discard what could not be written, so that Python does not try again at exit."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextmanager
def prepared() -> Iterator[Output]:
    """Make stdout, stderr and log messages writable whatever they contain."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="iiszoo.near")
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    handler.setLevel(logging.WARNING)  # its own level: a plugin may change the root's
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    before = sys.stdout
    output = Output(before or io.StringIO())  # None: closed before the program started
    sys.stdout = cast("TextIO", output)
    try:
        yield output
    finally:
        sys.stdout = before
