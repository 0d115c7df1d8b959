"""Putting a file into the cache: downloaded and verified under a lock, or copied from the user's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from iiszoo import files
from iiszoo.assets import _drive, _format, _http, _ledger, _local, _npm, _part
from iiszoo.assets._cache import is_offline
from iiszoo.assets._ledger import Expected, Found
from iiszoo.assets._part import SourceFailed, WriteFailed
from iiszoo.assets._stored import Stored
from iiszoo.cards import Weights
from iiszoo.errors import IISZooError
from iiszoo.progress import Progress

_log = logging.getLogger("iiszoo.assets")


class Downloader(Protocol):
    """Completes `part` from `url`; returns whether the source stated its length. Raises `SourceFailed` or
    `WriteFailed`.
    """

    def __call__(self, url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool: ...


_SCHEMES: dict[str, Downloader] = {
    "https": _http.download,
    "http": _http.download,
    "file": _local.download,
    "npm": _npm.download,
    "drive": _drive.download,
}


def fetch(stored: Stored, *, progress: Progress | None = None) -> Path:
    """The verified file, downloaded first if it is missing or wrong. Raises `stored.error`.

    A wrong file is replaced only by a good one, and is then set aside, not deleted.
    """
    # A file in the cache is complete (it was renamed into place): it can be checked without a lock, even in a read-only
    # cache.
    if complaint_in_place(stored) is None:
        return stored.place
    with _locked(stored):
        complaint = complaint_in_place(stored)  # another process may have been faster
        if complaint is None:
            return stored.place
        _download(stored, complaint, progress)
    return stored.place


def add(stored: Stored, file: Path) -> Path:
    """Copy `file` into the cache, verified. Raises `stored.error`, leaving the cache unchanged."""
    place = stored.place
    with _locked(stored):
        wanted = _ledger.expected(stored)
        copy = place.with_name(place.name + ".add.part")  # not the `.part`: a failure must not cost a download
        try:
            _local.copy(file, copy, url=file.absolute().as_uri(), size=None, progress=None)
            found = _ledger.examine(copy)
            complaint = _complaint(stored, copy, found, wanted)
            if complaint is not None:
                raise SourceFailed(complaint)
            _put_in_place(stored, copy, found, file.absolute().as_uri())
        except SourceFailed as error:
            raise stored.error(f"{file} cannot be used as {stored.name}: {error}") from error
        except (WriteFailed, OSError) as error:
            raise _disk_error(stored, error) from error
        finally:
            _part.discard(copy)
    return place


def complaint_in_place(stored: Stored, *, rehash: bool = False) -> str | None:
    """What is wrong with the file in the cache ("" if there is none), or None if it is good."""
    place = stored.place
    if not place.is_file():
        return ""
    wanted = _ledger.expected(stored)
    if not rehash and _ledger.is_remembered(stored, wanted):
        return None
    try:
        found = _ledger.examine(place)
        complaint = _complaint(stored, place, found, wanted)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if complaint is None:
        if wanted.sha256 is None and not _pinned_when_loaded(stored):  # put there by hand: it must not change
            _pin_if_possible(stored, found, None)
        _ledger.remember(stored, found)
    return complaint


def pin_loaded(stored: Stored) -> None:
    """Pin the hash of a file that a model has just loaded, unless the card states it or it is already pinned.

    A read-only cache is not an error: its owner pins.
    """
    if _ledger.expected(stored).sha256 is not None:
        return
    try:
        found = _ledger.remembered(stored) or _ledger.examine(stored.place)
    except OSError:  # it was removed meanwhile
        return
    _pin_if_possible(stored, found, _ledger.remembered_url(stored))


def remove(stored: Stored) -> bool:
    """Delete the file, its partial download and its pinned hash; returns whether any of these existed.

    Raises `stored.error`.
    """
    place = stored.place
    part = _part.part_of(place)
    with _locked(stored):
        try:
            there = place.exists() or part.exists() or _ledger.pin_of(stored) is not None
            _part.discard(part)
            _ledger.unpin(stored)
            place.unlink(missing_ok=True)
        except OSError as error:
            raise stored.error(
                f"{stored.name} cannot be removed from {place}: {error.strerror or error}; remove it yourself"
            ) from error
    return there


def _complaint(stored: Stored, file: Path, found: Found, wanted: Expected, *, ended: bool = True) -> str | None:
    """What is wrong with `file`, or None if no fault is found. Raises OSError.

    If no hash is known, its bytes must at least have the format that its name states.
    """
    complaint = _ledger.complaint(stored, found, wanted)
    if complaint is None:
        return _format.complaint(stored.download.filename, file, ended=ended) if wanted.sha256 is None else None
    instead = _format.placeholder(file)
    return complaint if instead is None else f"{complaint}; it is {instead}"


def _pinned_when_loaded(stored: Stored) -> bool:
    """Weights are pinned when a model has loaded them; an archive at once, because it is removed once unpacked."""
    return isinstance(stored.download, Weights)


def _download(stored: Stored, complaint: str, progress: Progress | None) -> None:
    """Try each url in order; the caller holds the lock. `complaint` says what is wrong with the file in the cache."""
    place = stored.place
    wanted = _ledger.expected(stored)
    part = _part.part_of(place)
    causes = []
    urls = [url for url in stored.download.urls if not is_offline() or url.startswith("file:")]
    if place.exists() and urls:
        _log.warning("%s is fetched again: %s", place, complaint)
    for url in urls:
        if progress is None:
            _log.warning("fetching %s from %s", stored.name, url)
        try:
            found = _try(stored, url, part, wanted, progress)
            _put_in_place(stored, part, found, url)
            return
        except SourceFailed as error:
            causes.append(f"{url}: {error}")
        except (WriteFailed, OSError) as error:
            raise _disk_error(stored, error) from error
    if len(urls) < len(stored.download.urls):
        causes.append("IISZOO_OFFLINE is set, so no connection is made")
    state = f"in {place} is wrong ({complaint})" if place.exists() else "is not in the cache"
    raise stored.error(
        f"{stored.name} {state} and cannot be fetched: {'; '.join(causes) or 'its card names no url'}; {stored.way_out}"
    )


def _try(stored: Stored, url: str, part: Path, wanted: Expected, progress: Progress | None) -> Found:
    """Download from one url and verify. Raises `SourceFailed`; after a mismatch the bad part is removed."""
    scheme = url.partition(":")[0].lower()
    if scheme not in _SCHEMES:
        raise SourceFailed(f"urls of this kind are not supported ({', '.join(_SCHEMES)} are)")
    continued = _part.length(part) > 0
    ended = _SCHEMES[scheme](url, part, wanted=wanted, progress=progress)
    found = _ledger.examine(part)
    complaint = _complaint(stored, part, found, wanted, ended=ended)
    if complaint is None:
        return found
    _part.discard(part)
    if continued:  # the earlier bytes may be at fault: only a download from zero shows
        return _try(stored, url, part, wanted, progress)
    raise SourceFailed(complaint)


def _put_in_place(stored: Stored, part: Path, found: Found, url: str) -> None:
    """Rename the verified `part` to its path in the cache; pin the hash of an archive for which none is known. Raises
    OSError.
    """
    place = stored.place
    with open(part, "rb+") as file:
        os.fsync(file.fileno())  # the content must be on disk before the name
    if _ledger.expected(stored).sha256 is None and not _pinned_when_loaded(stored):
        _ledger.pin(stored, found, url)
    if place.exists() and _ledger.examine(place) != found:
        os.replace(place, place.with_name(place.name + ".set-aside"))
    os.replace(part, place)
    _part.discard(_part.part_of(place))
    _ledger.remember(stored, found, url)


def _pin_if_possible(stored: Stored, found: Found, url: str | None) -> None:
    try:
        _ledger.pin(stored, found, url)
    except OSError:  # a read-only cache: its owner pins
        return


@contextmanager
def _locked(stored: Stored) -> Iterator[None]:
    """Hold the lock of one file, so that it is fetched once however many processes need it."""
    place = stored.place
    with ExitStack() as held:
        try:
            held.enter_context(
                files.locked(
                    place.with_name(place.name + ".lock"),
                    lambda: _log.warning("waiting for another process that is fetching %s", stored.name),
                )
            )
        except OSError as error:
            raise _disk_error(stored, error) from error
        yield


def _disk_error(stored: Stored, error: BaseException) -> IISZooError:
    place = stored.place
    cause = error.__cause__ if isinstance(error, WriteFailed) else error
    kept = _part.length(_part.part_of(place))
    return stored.error(
        f"{stored.name} cannot be written to {place.parent}: {getattr(cause, 'strerror', None) or cause}"
        f"{f' (the {kept} bytes fetched so far are kept)' if kept else ''}; free some space or get write permission "
        "there, or set IISZOO_CACHE to another directory, and try again"
    )
