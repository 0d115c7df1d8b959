"""`iiszoo data get`: a dataset from its card's archives, or the user's own, to a directory of the cache.

Archives are unpacked beside the dataset's directory, verified there, and only then renamed to it: `CACHE/data/ID` is
always complete. A downloaded archive is deleted once the dataset is in place, and kept if anything fails before.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from iiszoo import assets
from iiszoo.cards import Archive, DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.unpack import Refused, unpack
from iiszoo.errors import BadOption, DatasetError
from iiszoo.object_path import load_object
from iiszoo.progress import NamedProgress

_log = logging.getLogger("iiszoo.data")

_DEPTH = 3  # levels of an archive that are searched for the dataset: VOCdevkit/VOC2012 is 2 deep


Verify = Callable[[EvaluationDataset], None]
"""Raises `DatasetError` that says how a dataset differs from its card."""


@dataclass(frozen=True)
class Got:
    """Where a dataset is, and whether it was there before."""

    dataset: str
    path: Path
    already_there: bool


def get(card: DatasetCard, own: Sequence[Path], *, verify: Verify, progress: NamedProgress) -> Got:
    """Fetch, unpack and verify a dataset, unless it is there already; under a lock, so that it is done once.

    `own` are the user's archives, unpacked instead of a download: any file for a dataset of one archive, files named as
    on the card for one of several. Raises `BadOption` or `DatasetError`.
    """
    if card.takes_argument:
        raise BadOption(f"dataset {card.id!r} consists of your own files; there is nothing to fetch")
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
                f"{target} is in the way: it is not dataset {card.id} ({card.layout}); move it elsewhere "
                "or delete it, and try again"
            )
        staging = target.with_name(f".{target.name}.unpacking")
        try:
            _clear(staging)  # left by a process that was killed
            found = _unpack_all(card, sources, staging, verify, progress)
            if hasattr(os, "sync"):
                os.sync()  # the contents must be on the disk before the name is
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
    """Where the dataset is, or None. Raises `DatasetError` if it is there but cannot be loaded."""
    try:
        return _load(card, None).place
    except roots.NotFound:
        return None


def _load(card: DatasetCard, root: Path | None) -> EvaluationDataset:
    loaded: EvaluationDataset = load_object(card.loader)(card, root=root)
    return loaded


Source = tuple[Archive | None, Path | None]
"""An archive of the card, None if the card has none, and the user's own copy of it, None if it is to be fetched."""


def _sources(card: DatasetCard, own: Sequence[Path]) -> list[Source]:
    for file in own:
        if not file.is_file():
            raise BadOption(f"there is no file {file}")
    if not card.archives and not own:
        source = f"get it from {card.homepage}, then" if card.homepage else "if you have it,"
        raise DatasetError(
            f"dataset {card.id} has no public download address: {source} run "
            f"`iiszoo data get {card.id} --archive FILE`, or unpack it and run `iiszoo data add {card.id} DIR`"
        )
    if len(card.archives) <= 1 and len(own) <= 1:
        return [(card.archives[0] if card.archives else None, own[0] if own else None)]
    by_name = {file.name: file for file in own}
    strange = by_name.keys() - {archive.filename for archive in card.archives}
    if strange:
        known = ", ".join(archive.filename for archive in card.archives) or "one archive"
        raise BadOption(f"dataset {card.id} consists of {known}; {', '.join(sorted(strange))} is not one of them")
    return [(archive, by_name.get(archive.filename)) for archive in card.archives]


def _unpack_all(
    card: DatasetCard, sources: Sequence[Source], staging: Path, verify: Verify, progress: NamedProgress
) -> Path:
    """The dataset's directory in `staging`, verified. Raises `DatasetError`, and `OSError` if the disk fails."""
    files = [_file(card, archive, own, progress) for archive, own in sources]
    staging.mkdir()
    for (archive, own), file in zip(sources, files, strict=True):
        try:
            _unpack_one(file, staging, archive.into if archive else "", progress)
        except Refused as error:
            raise _wrong(card, [(archive, own)], [file], str(error)) from error
    found = _locate(card, staging)
    if found is None:
        raise _wrong(card, sources, files, f"it does not contain what is expected, {card.layout}")
    try:
        verify(found)
    except DatasetError as error:
        cause = str(error).replace(str(found.place), files[0].name)
        if not all(archive is not None and archive.sha256 for archive, _ in sources):
            raise _wrong(card, sources, files, cause) from error
        # These are the files that upstream publishes, so the card must be wrong about their contents.
        _log.warning("dataset %s, from the published archive, differs from its card: %s", card.id, cause)
    return found.place


def _file(card: DatasetCard, archive: Archive | None, own: Path | None, progress: NamedProgress) -> Path:
    """The archive on this machine: the user's own, checked, or fetched to the cache."""
    if own is None:
        assert archive is not None  # `_sources` names one or the other
        step = f"fetching {archive.filename}"
        return assets.fetch_archive(card, archive, progress=lambda done, total: progress(step, done, total))
    if archive is not None:
        assets.check_archive(card, archive, own)
    return own


def _unpack_one(file: Path, staging: Path, into: str, progress: NamedProgress) -> None:
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
            if loaded.place == directory:  # else it is in a subdirectory, which comes later
                return loaded
        level = sorted(child for directory in level for child in directory.iterdir() if child.is_dir())
    return None


def _wrong(card: DatasetCard, sources: Sequence[Source], files: Sequence[Path], cause: str) -> DatasetError:
    """The error for archives that are not the dataset. Downloaded ones are set aside, so that another try fetches them
    again.
    """
    kept = [
        assets.set_archive_aside(card, archive)
        for archive, own in sources
        if archive is not None and own is None and archive.sha256 is None
    ]
    names = " and ".join(str(file) for (_, own), file in zip(sources, files, strict=True) if own is not None)
    names = names or " and ".join(file.name for file in files)
    aside = f" (set aside as {' and '.join(map(str, kept))})" if kept else ""
    return DatasetError(
        f"{names}{aside} is not dataset {card.id}: {cause}; nothing was installed; if you have the dataset, run "
        f"`iiszoo data add {card.id} DIR`"
    )


def _clear(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _disk_error(card: DatasetCard, target: Path, error: OSError) -> DatasetError:
    kept = [path for archive in card.archives if (path := assets.archive_path(card, archive)).is_file()]
    return DatasetError(
        f"dataset {card.id} cannot be unpacked to {target}: {error.strerror or error}"
        f"{f' ({_listed(kept)} is kept)' if kept else ''}; free some space or get write permission, or set "
        "IISZOO_CACHE to another directory, and try again"
    )


def _listed(paths: Sequence[Path]) -> str:
    return " and ".join(map(str, paths))


@contextmanager
def _locked(card: DatasetCard, target: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(roots.cache_lock(card))
        except OSError as error:
            raise _disk_error(card, target, error) from error
        yield
