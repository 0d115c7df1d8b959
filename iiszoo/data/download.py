"""`iiszoo data get`: from the archives of a dataset's card, or from the user's own, to a directory of the cache.

The archives are unpacked beside the dataset's place, the contents are verified there, and only then renamed to it: what
lies at `CACHE/data/ID` is whole. An archive that was downloaded is deleted once the dataset is in place, and kept if
anything goes wrong before.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from iiszoo import assets, files
from iiszoo.cards import Archive, DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.unpack import Refused, unpack
from iiszoo.errors import BadOption, DatasetError
from iiszoo.object_path import load_object

_log = logging.getLogger("iiszoo.data")

_DEPTH = 3  # so deep in an archive a dataset is looked for: VOCdevkit/VOC2012 is 2 deep

Progress = Callable[[str, int, int | None], None]
"""Called as `progress(step, done, total)`, in bytes; `step` says what is being done to which file."""

Verify = Callable[[EvaluationDataset], None]
"""Raises `DatasetError` that says in what a dataset differs from what its card describes."""


@dataclass(frozen=True)
class Got:
    """Where a dataset lies, and whether it did so before."""

    dataset: str
    path: Path
    already_there: bool


def get(card: DatasetCard, own: Sequence[Path], *, verify: Verify, progress: Progress) -> Got:
    """Fetch, unpack and verify a dataset, unless it is there already; under a lock, so that it is done once.

    `own` are archives of the user's that are unpacked in place of a download: any file for a dataset of one archive,
    files called as the card calls them for one of several. Raises `BadOption` or `DatasetError`.
    """
    if card.takes_argument:
        raise BadOption(f"dataset {card.id!r} is made of your own files: there is nothing to fetch")
    place = find(card)
    if place is not None:
        return Got(card.id, place, already_there=True)
    sources = _sources(card, own)
    target = roots.cached(card)
    with _locked(card, target):
        if (place := find(card)) is not None:  # another process was faster
            return Got(card.id, place, already_there=True)
        if target.exists():
            raise DatasetError(
                f"{target} is in the way: it is not dataset {card.id} as it must be, {card.layout}; move it elsewhere "
                "or delete it, and try again"
            )
        staging = target.with_name(f".{target.name}.unpacking")
        try:
            _clear(staging)  # of a process that was killed
            found = _unpack_all(card, sources, staging, verify, progress)
            if hasattr(os, "sync"):
                os.sync()  # what is renamed must have arrived on the disk, not just its name
            os.replace(found, target)
        except OSError as error:
            raise _disk_error(card, target, error) from error
        finally:
            _clear(staging)
        for archive, file in sources:
            if archive is not None and file is None:
                assets.remove_archive(card, archive)
    return Got(card.id, target, already_there=False)


def find(card: DatasetCard) -> Path | None:
    """Where the dataset lies, or None. Raises `DatasetError` where it lies somewhere and cannot be loaded."""
    try:
        return _load(card, None).place
    except roots.NotFound:
        return None


def _load(card: DatasetCard, root: Path | None) -> EvaluationDataset:
    loaded: EvaluationDataset = load_object(card.loader)(card, root=root)
    return loaded


Source = tuple[Archive | None, Path | None]
"""An archive of the card, None where the card knows none, and the user's own copy of it, None where it is fetched."""


def _sources(card: DatasetCard, own: Sequence[Path]) -> list[Source]:
    for file in own:
        if not file.is_file():
            raise BadOption(f"there is no file {file}")
    if not card.archives and not own:
        where = f"it can be had at {card.homepage}; then" if card.homepage else "where you have it,"
        raise DatasetError(
            f"dataset {card.id} has no public address that it could be fetched from: {where} run "
            f"`iiszoo data get {card.id} --archive FILE`, or unpack it and run `iiszoo data add {card.id} DIR`"
        )
    if len(card.archives) <= 1 and len(own) <= 1:
        return [(card.archives[0] if card.archives else None, own[0] if own else None)]
    by_name = {file.name: file for file in own}
    strange = by_name.keys() - {archive.filename for archive in card.archives}
    if strange:
        known = ", ".join(archive.filename for archive in card.archives) or "one archive"
        raise BadOption(f"dataset {card.id} is made of {known}; {', '.join(sorted(strange))} is none of them")
    return [(archive, by_name.get(archive.filename)) for archive in card.archives]


def _unpack_all(
    card: DatasetCard, sources: Sequence[Source], staging: Path, verify: Verify, progress: Progress
) -> Path:
    """The directory in `staging` that is the dataset, verified. Raises `DatasetError`, or `OSError` of the disk."""
    files = [_file(card, archive, own, progress) for archive, own in sources]
    staging.mkdir()
    for (archive, own), file in zip(sources, files, strict=True):
        try:
            _unpack_one(file, staging, archive.into if archive else "", progress)
        except Refused as error:
            raise _wrong(card, [(archive, own)], [file], str(error)) from error
    found = _locate(card, staging)
    if found is None:
        raise _wrong(card, sources, files, f"nowhere in it lies what is expected, {card.layout}")
    try:
        verify(found)
    except DatasetError as error:
        cause = str(error).replace(str(found.place), files[0].name)
        if not all(archive is not None and archive.sha256 for archive, _ in sources):
            raise _wrong(card, sources, files, cause) from error
        # The very files that upstream publishes: what the card says of their contents must be wrong.
        _log.warning("dataset %s, whose archive is the published one, is not as its card says: %s", card.id, cause)
    return found.place


def _file(card: DatasetCard, archive: Archive | None, own: Path | None, progress: Progress) -> Path:
    """The archive on this machine: the user's own, checked, or the one of the cache, fetched."""
    if own is None:
        assert archive is not None  # `_sources` names one or the other
        step = f"fetching {archive.filename}"
        return assets.fetch_archive(card, archive, progress=lambda done, total: progress(step, done, total))
    if archive is not None:
        assets.check_archive(card, archive, own)
    return own


def _unpack_one(file: Path, staging: Path, into: str, progress: Progress) -> None:
    step = f"unpacking {file.name}"
    if not into:
        unpack(file, staging, lambda done, total: progress(step, done, total))
        return
    apart = staging / f".{file.name}"
    apart.mkdir()
    unpack(file, apart, lambda done, total: progress(step, done, total))
    children = list(apart.iterdir())
    (staging / into).parent.mkdir(parents=True, exist_ok=True)
    os.replace(children[0] if len(children) == 1 and children[0].is_dir() else apart, staging / into)
    _clear(apart)


def _locate(card: DatasetCard, staging: Path) -> EvaluationDataset | None:
    """The dataset in the topmost directory that its loader accepts: archives wrap it in folders of their own."""
    level = [staging]
    for _ in range(_DEPTH + 1):
        for directory in level:
            try:
                loaded = _load(card, directory)
            except DatasetError:
                continue
            if loaded.place == directory:  # else it lies in a subdirectory, which comes later
                return loaded
        level = sorted(child for directory in level for child in directory.iterdir() if child.is_dir())
    return None


def _wrong(card: DatasetCard, sources: Sequence[Source], files: Sequence[Path], cause: str) -> DatasetError:
    """An archive that is not the dataset: set aside where it was downloaded, so that another try fetches it anew."""
    kept = [
        assets.set_archive_aside(card, archive)
        for archive, own in sources
        if archive is not None and own is None and archive.sha256 is None
    ]
    names = " and ".join(str(file) for (_, own), file in zip(sources, files, strict=True) if own is not None)
    names = names or " and ".join(file.name for file in files)
    aside = f" (set aside as {' and '.join(map(str, kept))})" if kept else ""
    return DatasetError(
        f"{names}{aside} is not dataset {card.id}: {cause}; nothing was put in place; if you have the dataset, run "
        f"`iiszoo data add {card.id} DIR`"
    )


def _clear(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _disk_error(card: DatasetCard, target: Path, error: OSError) -> DatasetError:
    kept = [path for archive in card.archives if (path := assets.archive_path(card, archive)).is_file()]
    return DatasetError(
        f"dataset {card.id} cannot be unpacked to {target}: {error.strerror or error}"
        f"{f' ({_listed(kept)} is kept)' if kept else ''}; free some space or get write permission there, or set "
        "IISZOO_CACHE to another directory, and try again"
    )


def _listed(paths: Sequence[Path]) -> str:
    return " and ".join(map(str, paths))


@contextmanager
def _locked(card: DatasetCard, target: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(
                files.locked(
                    target.with_name(f".{target.name}.lock"),
                    lambda: _log.warning("waiting for another process that is fetching dataset %s", card.id),
                )
            )
        except OSError as error:
            raise _disk_error(card, target, error) from error
        yield
