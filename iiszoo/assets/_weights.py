"""The weights of a model: fetch, verify, add, status."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from iiszoo.assets import _drive, _http, _ledger, _local, _npm, _part
from iiszoo.assets._cache import is_offline, path, weights_of
from iiszoo.assets._ledger import Expected, Found, HashOrigin
from iiszoo.assets._part import Progress, SourceFailed, WriteFailed
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError

_log = logging.getLogger("iiszoo.assets")


class Downloader(Protocol):
    """Completes `part` from `url`. Raises `SourceFailed` or `WriteFailed`."""

    def __call__(self, url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> None: ...


_SCHEMES: dict[str, Downloader] = {
    "https": _http.download,
    "http": _http.download,
    "file": _local.download,
    "npm": _npm.download,
    "drive": _drive.download,
}


@dataclass(frozen=True)
class Status:
    """One weights file of one model.

    `size` (bytes) and `sha256` (hex) are what it must have, None while unknown; `sha256_from` says who states the hash.
    `present_bytes` is what lies there, of the file or of its `.part`.
    """

    model: str
    filename: str
    path: Path
    state: Literal["present", "partial", "missing"]
    present_bytes: int
    size: int | None
    sha256: str | None
    sha256_from: HashOrigin | None
    urls: tuple[str, ...]


def status(card: ModelCard, weights: Weights | str | None = None) -> Status:
    """What is known of a weights file and what lies in the cache; nothing is hashed or fetched.

    `weights` is one of the card's, its file name, or None for a card with a single one.
    """
    weights = weights_of(card, weights)
    place = path(card, weights)
    wanted = _ledger.expected(card, weights)
    present, partial = place.is_file(), _part.length(_part.part_of(place))
    return Status(
        model=card.id,
        filename=weights.filename,
        path=place,
        state="present" if present else "partial" if partial else "missing",
        present_bytes=_part.length(place) if present else partial,
        size=wanted.size,
        sha256=wanted.sha256,
        sha256_from=wanted.origin,
        urls=weights.urls,
    )


def fetch(card: ModelCard, weights: Weights | str | None = None, *, progress: Progress | None = None) -> Path:
    """The verified file, downloaded first where it is missing or is not what the card describes.

    `weights` is one of the card's, its file name, or None for a card with a single one. `progress(done, total)` is
    called with bytes. A file found wrong is replaced only by a good one, and is set aside then, not deleted. Raises
    `WeightsError`.
    """
    weights = weights_of(card, weights)
    place = path(card, weights)
    # A file in place is whole (it got there by a rename): it can be checked without a lock, in a read-only cache too.
    if _complaint_in_place(card, weights) is None:
        return place
    with _locked(card, weights):
        complaint = _complaint_in_place(card, weights)  # another process may have been faster
        if complaint is None:
            return place
        _download(card, weights, complaint, progress)
    return place


def verify(card: ModelCard, weights: Weights | str | None = None) -> Status:
    """Hash the file in the cache, whatever is remembered of it. Raises `WeightsError` where it is absent or wrong."""
    weights = weights_of(card, weights)
    place = path(card, weights)
    complaint = _complaint_in_place(card, weights, rehash=True)
    if complaint is not None:
        state = f"in {place} is wrong: {complaint}" if place.is_file() else f"is missing: there is no {place}"
        raise WeightsError(f"{_name(card, weights)} {state}; run `iiszoo weights get {card.id}` to fetch it")
    return status(card, weights)


def add(card: ModelCard, file: str | Path, weights: Weights | str | None = None) -> Path:
    """Copy a user's own copy of a weights file into the cache, verified. Returns where it lies now.

    `weights` says which one it is; None takes a card's single file, else the one of the same name as `file`. Raises
    `WeightsError` where the file is absent or is not the one that the card describes; the cache is then as before.
    """
    file = Path(file)
    if weights is None and len(card.weights) > 1:
        if file.name not in {each.filename for each in card.weights}:
            names = ", ".join(each.filename for each in card.weights)
            raise WeightsError(f"which weights of {card.id} is {file}? say so with `--as NAME`, one of {names}")
        weights = file.name
    weights = weights_of(card, weights)
    place = path(card, weights)
    with _locked(card, weights):
        if place.exists() and file.exists() and place.samefile(file):
            verify(card, weights)
            return place
        wanted = _ledger.expected(card, weights)
        copy = place.with_name(place.name + ".add.part")  # not the `.part`: a failure must not cost a download
        try:
            _local.copy(file, copy, url=file.absolute().as_uri(), size=None, progress=None)
            found = _ledger.examine(copy)
            complaint = _ledger.complaint(found, wanted)
            if complaint is not None:
                raise SourceFailed(complaint)
            _put_in_place(card, weights, copy, found, file.absolute().as_uri())
        except SourceFailed as error:
            raise WeightsError(f"{file} is refused as {_name(card, weights)}: {error}") from error
        except (WriteFailed, OSError) as error:
            raise _disk_error(card, weights, error) from error
        finally:
            _part.discard(copy)
    return place


def _download(card: ModelCard, weights: Weights, complaint: str, progress: Progress | None) -> None:
    """Try each url in order; the caller holds the lock. `complaint` says what is wrong with what lies there now."""
    place = path(card, weights)
    wanted = _ledger.expected(card, weights)
    part = _part.part_of(place)
    causes = []
    urls = [url for url in weights.urls if not is_offline() or url.startswith("file:")]
    if place.exists() and urls:
        _log.warning("%s is fetched anew: %s", place, complaint)
    for url in urls:
        if progress is None:
            _log.warning("fetching %s from %s", _name(card, weights), url)
        try:
            found = _try(url, part, wanted, progress)
            _put_in_place(card, weights, part, found, url)
            return
        except SourceFailed as error:
            causes.append(f"{url}: {error}")
        except (WriteFailed, OSError) as error:
            raise _disk_error(card, weights, error) from error
    if len(urls) < len(weights.urls):
        causes.append("IISZOO_OFFLINE is set, so no connection is made")
    state = f"in {place} is wrong ({complaint})" if place.exists() else "is not in the cache"
    raise WeightsError(
        f"{_name(card, weights)} {state} and cannot be fetched: {'; '.join(causes) or 'its card names no url'}; "
        f"{_way_out(card, weights)}"
    )


def _try(url: str, part: Path, wanted: Expected, progress: Progress | None) -> Found:
    """Download from one url and verify. Raises `SourceFailed`, after a mismatch with nothing left of the bad part."""
    scheme = url.partition(":")[0].lower()
    if scheme not in _SCHEMES:
        raise SourceFailed(f"urls of this kind are not known ({', '.join(_SCHEMES)} are)")
    continued = _part.length(part) > 0
    _SCHEMES[scheme](url, part, wanted=wanted, progress=progress)
    found = _ledger.examine(part)
    complaint = _ledger.complaint(found, wanted)
    if complaint is None:
        return found
    _part.discard(part)
    if continued:  # the fault may lie with what was there before: only a download from zero tells
        return _try(url, part, wanted, progress)
    raise SourceFailed(complaint)


def _put_in_place(card: ModelCard, weights: Weights, part: Path, found: Found, url: str) -> None:
    """Pin the hash if nobody states one, and rename the verified `part` to its place. Raises OSError."""
    place = path(card, weights)
    with open(part, "rb+") as file:
        os.fsync(file.fileno())  # what is renamed must have arrived on the disk, not just its name
    if _ledger.expected(card, weights).sha256 is None:
        _ledger.pin(card, weights, found, url)
    if place.exists() and _ledger.examine(place) != found:
        os.replace(place, place.with_name(place.name + ".set-aside"))
    os.replace(part, place)
    _part.discard(_part.part_of(place))
    _ledger.remember(card, weights, place, found)


def _complaint_in_place(card: ModelCard, weights: Weights, *, rehash: bool = False) -> str | None:
    """What is wrong with the file in the cache ("" where there is none), or None where it is good."""
    place = path(card, weights)
    if not place.is_file():
        return ""
    wanted = _ledger.expected(card, weights)
    if not rehash and _ledger.is_remembered(card, weights, place, wanted):
        return None
    try:
        found = _ledger.examine(place)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    complaint = _ledger.complaint(found, wanted)
    if complaint is None:
        if wanted.sha256 is None:  # put there by hand: from now on it must stay what it is
            _pin_if_possible(card, weights, found)
        _ledger.remember(card, weights, place, found)
    return complaint


def _pin_if_possible(card: ModelCard, weights: Weights, found: Found) -> None:
    try:
        _ledger.pin(card, weights, found, None)
    except OSError:  # a read-only cache: its owner pins
        return


@contextmanager
def _locked(card: ModelCard, weights: Weights) -> Iterator[None]:
    """Hold the lock of one file, so that it is fetched once however many processes want it."""
    place = path(card, weights)
    lock = FileLock(place.with_name(place.name + ".lock"))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            _log.warning("waiting for another process that is fetching %s", _name(card, weights))
            lock.acquire()
    except OSError as error:
        raise _disk_error(card, weights, error) from error
    try:
        yield
    finally:
        lock.release()


def _disk_error(card: ModelCard, weights: Weights, error: BaseException) -> WeightsError:
    place = path(card, weights)
    cause = error.__cause__ if isinstance(error, WriteFailed) else error
    kept = _part.length(_part.part_of(place))
    return WeightsError(
        f"{_name(card, weights)} cannot be written to {place.parent}: {getattr(cause, 'strerror', None) or cause}"
        f"{f' (the {kept} bytes fetched so far are kept)' if kept else ''}; free some space or get write permission "
        "there, or set IISZOO_CACHE to another directory, and try again"
    )


def _name(card: ModelCard, weights: Weights) -> str:
    return f"weights file {weights.filename} of {card.id}"


def _way_out(card: ModelCard, weights: Weights) -> str:
    which = f" --as {weights.filename}" if len(card.weights) > 1 else ""
    return (
        f"if you have the file, run `iiszoo weights add {card.id} FILE{which}`, which puts it at {path(card, weights)}"
    )
