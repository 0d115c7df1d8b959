"""File names as text that any program can print, store and read back. Standard library only.

A name on disk is bytes; Python represents bytes that are not UTF-8 as lone surrogates, which a UTF-8 file or terminal
does not accept. Here such a byte is written `%E9`, and a `%` that would read as such an escape `%25`; `unescaped`
restores the name.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile("%(25|26|3[Ff]|[89A-Fa-f][0-9A-Fa-f])")
_UNDECODED = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` without lone surrogates: valid Unicode. Nothing else changes, so applying it twice is harmless."""
    return _UNDECODED.sub(lambda found: _written(found[0]), text)


def _written(character: str) -> str:
    code = ord(character)
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def escaped(name: str, characters: str = "") -> str:
    """A name of a file or directory as printable text; `characters` (`?`, `&`) are escaped too."""
    name = _ESCAPE.sub(lambda found: f"%25{found[1]}", name)
    for character in characters:
        name = name.replace(character, f"%{ord(character):02X}")
    return printable(name)


def unescaped(text: str) -> str:
    """The inverse of `escaped`."""
    raw = re.sub(_ESCAPE.pattern.encode(), lambda found: bytes([int(found[1], 16)]), printable(text).encode())
    return raw.decode("utf-8", "surrogateescape")


def sample_name(name: str) -> str:
    """A sample's id from its file name, the same on every file system: composed (Unicode NFC) and escaped."""
    return escaped(composed(name))


def composed(name: str) -> str:
    """The name with composed accents (NFC): macOS decomposes them (NFD), but both read as the same name."""
    return unicodedata.normalize("NFC", name)


def for_hash(text: str) -> bytes:
    """The text as UTF-8; a lone surrogate gives the same bytes on every machine."""
    return text.encode("utf-8", "backslashreplace")
