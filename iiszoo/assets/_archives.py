"""The archives of a dataset: fetched like weights, and removed once unpacked."""

from __future__ import annotations

import os
from pathlib import Path

from iiszoo.assets import _fetch, _ledger, _part
from iiszoo.assets._cache import cache_root
from iiszoo.assets._stored import Stored
from iiszoo.cards import Archive, DatasetCard
from iiszoo.errors import DatasetError
from iiszoo.progress import Progress


def archive_path(card: DatasetCard, archive: Archive) -> Path:
    """The path of an archive until it is unpacked: `<cache>/archives/<dataset>/<filename>`."""
    return _stored(card, archive).place


def fetch_archive(card: DatasetCard, archive: Archive, *, progress: Progress | None = None) -> Path:
    """The verified archive, downloaded first if it is missing or wrong. `progress(done, total)` is in bytes.

    Raises `DatasetError`.
    """
    return _fetch.fetch(_stored(card, archive), progress=progress)


def check_archive(card: DatasetCard, archive: Archive, file: Path) -> None:
    """Refuse a user's file that is not the archive that the card describes. Raises `DatasetError`."""
    stored = _stored(card, archive)
    wanted = _ledger.expected(stored)
    if wanted.sha256 is None and wanted.size is None:
        return
    try:
        complaint = _ledger.complaint(stored, _ledger.examine(file), wanted)
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}") from error
    if complaint is not None:
        raise DatasetError(
            f"{file} cannot be used as {stored.name}: {complaint}; if it is the dataset nevertheless, unpack it "
            f"yourself and run `iiszoo data add {card.id} DIR`"
        )


def remove_archive(card: DatasetCard, archive: Archive) -> None:
    """Delete an archive that is no longer needed; its pinned hash is kept."""
    _stored(card, archive).place.unlink(missing_ok=True)


def discard_archive(card: DatasetCard, archive: Archive) -> dict[Path, int]:
    """Delete what a fetch left of an archive: the file, also one set aside, the part of a download, and the pinned
    hash. Returns the files that were there, with their bytes. Raises `DatasetError`, or `OSError`.
    """
    stored = _stored(card, archive)
    known = (stored.place, _part.part_of(stored.place), _aside(stored))
    there = {path: path.stat().st_size for path in known if path.exists()}
    _fetch.remove(stored)
    _aside(stored).unlink(missing_ok=True)
    return there


def set_archive_aside(card: DatasetCard, archive: Archive) -> Path:
    """Rename an archive that does not contain the dataset, so that it is fetched again; returns its new path.

    The hash pinned at its download is removed. Raises OSError.
    """
    stored = _stored(card, archive)
    if archive.sha256 is None:
        _ledger.unpin(stored)
    aside = _aside(stored)
    os.replace(stored.place, aside)
    return aside


def _aside(stored: Stored) -> Path:
    return stored.place.with_name(stored.place.name + ".set-aside")


def _stored(card: DatasetCard, archive: Archive) -> Stored:
    which = f" --archive {archive.filename}" if len(card.archives) > 1 else " --archive FILE"
    folder = card.root_id
    return Stored(
        archive,
        shelf=cache_root() / "archives",
        folder=folder,
        name=f"archive {archive.filename} of dataset {card.id}",
        way_out=(
            f"if you have the file, run `iiszoo data get {card.id}{which}`, which unpacks it to "
            f"{cache_root() / 'data' / folder}; if you have the dataset, run `iiszoo data add {card.id} DIR`"
        ),
        forget=f"remove the entry of {folder}/{archive.filename} there",
        error=DatasetError,
    )
