"""The records of a shelf: which hash a file must have, and which files were verified.

`pins.json` contains the hash of each file for which upstream publishes none, as a model first loaded it (an archive: as
it was downloaded). Keep it: it distinguishes a changed file from the old one. `verified.json` contains hash, size and
time of files that were hashed, so that gigabytes are not read again at each use; it may be deleted at any time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from iiszoo import files
from iiszoo.assets._stored import Stored

HashOrigin = Literal["card", "pin", "file"]


@dataclass(frozen=True)
class Expected:
    """What a file must be: hash (hex) and size (bytes), None if unknown; `origin` is the source of the hash."""

    sha256: str | None
    size: int | None
    origin: Literal["card", "pin"] | None


@dataclass(frozen=True)
class Found:
    """What a file is: sha256 (hex) and size (bytes)."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Pin:
    """The hash of a first file: sha256 (hex), size (bytes), where it came from, when (UTC, ISO 8601)."""

    sha256: str
    size: int
    url: str | None
    date: str


def pins_file(shelf: Path) -> Path:
    return shelf / "pins.json"


def expected(stored: Stored) -> Expected:
    """What the card states, else what was pinned. Raises `stored.error` if `pins.json` cannot be read."""
    stated = stored.download
    if stated.sha256 is not None:
        return Expected(stated.sha256, stated.size, "card")
    pin = pin_of(stored)
    if pin is None:
        return Expected(None, stated.size, None)
    return Expected(pin.sha256, pin.size if stated.size is None else stated.size, "pin")


def pin_of(stored: Stored) -> Pin | None:
    """The pinned hash of a file, if there is one. Raises `stored.error` if `pins.json` cannot be read."""
    try:
        entry = _entries(pins_file(stored.shelf)).get(stored.key)
        return None if entry is None else Pin(**entry)
    except (OSError, ValueError, TypeError) as error:
        raise stored.error(
            f"the pinned hashes in {pins_file(stored.shelf)} cannot be read: {error}; repair that file, or remove it "
            "to pin again"
        ) from error


def pin(stored: Stored, found: Found, url: str | None) -> None:
    """Pin the hash of a first file. Raises OSError."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _put(pins_file(stored.shelf), stored.key, asdict(Pin(found.sha256, found.size, url, now)))


def unpin(stored: Stored) -> None:
    """Remove the pinned hash of a file that proved to be the wrong one. Raises OSError."""
    if pins_file(stored.shelf).exists():
        _put(pins_file(stored.shelf), stored.key, None)


def complaint(stored: Stored, found: Found, wanted: Expected) -> str | None:
    """What is wrong with a file, with both hashes, or None if it is the right one."""
    if wanted.sha256 is not None and found.sha256 != wanted.sha256:
        sizes = f" ({found.size} bytes instead of {wanted.size})" if wanted.size not in (None, found.size) else ""
        wrong = f"its sha256 is {found.sha256}, but"
        if wanted.origin == "card":
            return f"{wrong} the card states {wanted.sha256}{sizes}"
        pins = pins_file(stored.shelf)
        return (
            f"{wrong} {wanted.sha256} is pinned in {pins}{sizes}; if upstream has changed the file, {stored.forget} to "
            "remove that hash"
        )
    if wanted.size is not None and found.size != wanted.size:
        return f"it has {found.size} bytes, but the card states {wanted.size}"
    return None


def examine(file: Path) -> Found:
    """Hash a file. Raises OSError."""
    return Found(*files.sha256(file))


def is_remembered(stored: Stored, wanted: Expected) -> bool:
    """Whether the file in the cache was already verified against the same hash (or hashed, if none is known), and has
    not changed since (size, time).
    """
    found = remembered(stored)
    return found is not None and wanted.sha256 in (None, found.sha256) and wanted.size in (None, found.size)


def remembered(stored: Stored) -> Found | None:
    """What the file in the cache was when it was hashed, if it has not changed since (size, time)."""
    try:
        state = stored.place.stat()
        entry = _entries(_verified_file(stored.shelf))[stored.key]
        if (entry["size"], entry["mtime_ns"]) != (state.st_size, state.st_mtime_ns):
            return None
        return Found(entry["sha256"], state.st_size)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(stored: Stored, found: Found, url: str | None = None) -> None:
    """Note that the file in the cache was hashed, and where it came from. A read-only cache is not an error: the file
    is hashed again.
    """
    try:
        state = stored.place.stat()
        entry = {"sha256": found.sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns, "url": url}
        _put(_verified_file(stored.shelf), stored.key, entry)
    except OSError:
        return


def remembered_url(stored: Stored) -> str | None:
    """Where the file in the cache came from, if that was noted."""
    try:
        return _entries(_verified_file(stored.shelf))[stored.key]["url"]  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _verified_file(shelf: Path) -> Path:
    return shelf / "verified.json"


def _entries(file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(entries, dict):
        raise ValueError("it does not contain a table of files")
    return entries


def _put(file: Path, name: str, entry: dict[str, Any] | None) -> None:
    """Replace one entry, or (None) remove it."""
    with files.locked(file.with_name(file.name + ".lock")):
        try:
            entries = _entries(file)
        except ValueError:
            if file == pins_file(file.parent):
                raise OSError(f"{file} is damaged") from None  # pins are never thrown away
            entries = {}
        entries.pop(name, None)
        changed = entries if entry is None else {**entries, name: entry}
        files.replace_text(file, json.dumps(changed, indent=1, sort_keys=True) + "\n")
