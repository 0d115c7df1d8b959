"""The cache's bookkeeping: which hash a file must have, and which files have been seen to have it.

`pins.json` holds the hash of the first download of each file for which upstream publishes none. It is worth keeping:
it is what tells a changed file from the old one. `verified.json` holds size and time of files that were hashed, so
that gigabytes are not read again at each use; it may be deleted at any time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from iiszoo import files
from iiszoo.assets._cache import weights_root
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError

HashOrigin = Literal["card", "pin"]


@dataclass(frozen=True)
class Expected:
    """What a file must be: hash (hex) and size (bytes), None where unknown; `origin` says who states the hash."""

    sha256: str | None
    size: int | None
    origin: HashOrigin | None


@dataclass(frozen=True)
class Found:
    """What a file is: sha256 (hex) and size (bytes)."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Pin:
    """The hash of a first download: sha256 (hex), size (bytes), where it came from, when (UTC, ISO 8601)."""

    sha256: str
    size: int
    url: str | None
    date: str


def pins_file() -> Path:
    return weights_root() / "pins.json"


def expected(card: ModelCard, weights: Weights) -> Expected:
    """What the card states, else what was pinned. Raises `WeightsError` where `pins.json` cannot be read."""
    if weights.sha256 is not None:
        return Expected(weights.sha256, weights.size, "card")
    pin = pin_of(card, weights)
    if pin is None:
        return Expected(None, weights.size, None)
    return Expected(pin.sha256, pin.size if weights.size is None else weights.size, "pin")


def pin_of(card: ModelCard, weights: Weights) -> Pin | None:
    """The pinned hash of a file, if there is one. Raises `WeightsError` where `pins.json` cannot be read."""
    try:
        entry = _entries(pins_file()).get(key(card, weights))
        return None if entry is None else Pin(**entry)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"the pinned hashes in {pins_file()} cannot be read: {error}; repair that file, or remove it to pin anew"
        ) from error


def pin(card: ModelCard, weights: Weights, found: Found, url: str | None) -> None:
    """Pin the hash of a first download. Raises OSError."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    _put(pins_file(), key(card, weights), asdict(Pin(found.sha256, found.size, url, now)))


def complaint(found: Found, wanted: Expected) -> str | None:
    """What is wrong with a file, with both hashes, or None where it is the right one."""
    if wanted.sha256 is not None and found.sha256 != wanted.sha256:
        sizes = f" ({found.size} bytes instead of {wanted.size})" if wanted.size not in (None, found.size) else ""
        wrong = f"its sha256 is {found.sha256}, but {wanted.sha256}"
        if wanted.origin == "card":
            return f"{wrong} is what the card states{sizes}"
        return f"{wrong} is pinned in {pins_file()}{sizes}; remove that entry only if upstream has changed the file"
    if wanted.size is not None and found.size != wanted.size:
        return f"it has {found.size} bytes, but the card states {wanted.size}"
    return None


def examine(file: Path) -> Found:
    """Hash a file. Raises OSError."""
    return Found(*files.sha256(file))


def is_remembered(card: ModelCard, weights: Weights, file: Path, wanted: Expected) -> bool:
    """Whether `file` was verified before against the same hash and has not been touched since (size, time)."""
    if wanted.sha256 is None:
        return False
    try:
        state = file.stat()
        entry = _entries(_verified_file()).get(key(card, weights))
    except (OSError, ValueError):
        return False
    return entry == {"sha256": wanted.sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns} and (
        wanted.size in (None, state.st_size)
    )


def remember(card: ModelCard, weights: Weights, file: Path, found: Found) -> None:
    """Note that `file` was hashed. A cache that cannot be written to is no reason to fail: it is hashed again."""
    try:
        state = file.stat()
        _put(
            _verified_file(),
            key(card, weights),
            {"sha256": found.sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns},
        )
    except OSError:
        return


def key(card: ModelCard, weights: Weights) -> str:
    return f"{card.family}/{weights.filename}"


def _verified_file() -> Path:
    return weights_root() / "verified.json"


def _entries(file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(entries, dict):
        raise ValueError("it does not hold a table of files")
    return entries


def _put(file: Path, name: str, entry: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(file.name + ".lock")):
        try:
            entries = _entries(file)
        except ValueError:
            if file == pins_file():
                raise OSError(f"{file} is damaged") from None  # pins are never thrown away
            entries = {}
        files.replace_text(file, json.dumps({**entries, name: entry}, indent=1, sort_keys=True) + "\n")
