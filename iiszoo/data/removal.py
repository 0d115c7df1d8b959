"""`iiszoo data remove`: forget where a dataset is registered, and delete what `iiszoo data get` fetched.

Only the cache is deleted from: `CACHE/data/ID` and what a fetch left in `CACHE/archives/ID`. A directory is renamed
before its files are deleted, so that an interrupted removal leaves nothing that is taken for the dataset.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from iiszoo import assets
from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.errors import BadOption, DatasetError


@dataclass
class Removal:
    """`forgotten`: the directories that were registered, `deleted`: files and directories of the cache with `bytes` in
    all, `left`: directories that the dataset may still be read from.
    """

    dataset: str
    forgotten: list[Path] = field(default_factory=list)
    deleted: list[Path] = field(default_factory=list)
    bytes: int = 0
    left: list[Path] = field(default_factory=list)


def remove(card: DatasetCard) -> Removal:
    """Remove a dataset, and with it those that share its directory. A registered directory in the cache is only
    forgotten.

    Raises `BadOption` if it has no directory to remove, and `DatasetError` if there is none, or the disk fails.
    """
    if card.embedded or card.takes_argument:
        whose = "is part of its package" if card.embedded else "consists of your own files"
        raise BadOption(f"dataset {card.id!r} {whose}; there is nothing to remove")
    done = Removal(card.id, forgotten=roots.forget(card.id, card.root_id))
    target = roots.cached(card)
    own = [*done.forgotten, *map(Path, roots.registered().values())]
    try:
        if target.parent.is_dir() and not any(_is_in(place, target) for place in own):
            with roots.cache_lock(card):
                _delete(target, done)
        for archive in card.archives:
            for path, size in assets.discard_archive(card, archive).items():
                done.deleted.append(path)
                done.bytes += size
    except OSError as error:
        raise DatasetError(
            f"dataset {card.id} cannot be removed: {error.filename or target}: {error.strerror or error}; get write "
            "permission and try again, or delete it yourself"
        ) from error
    done.left = [place for place in roots.candidates(card) if place.exists()]
    if not done.forgotten and not done.deleted:
        where = f"; it is read from {done.left[0]}, which is not deleted" if done.left else ""
        raise DatasetError(
            f"dataset {card.id} is neither registered (`iiszoo data add`) nor in the cache, {target}: there is nothing "
            f"to remove{where}"
        )
    return done


def _delete(target: Path, done: Removal) -> None:
    """Delete a directory of the cache, and what interrupted fetches and removals left beside it. Raises `OSError`."""
    removing = target.with_name(f".{target.name}.removing")
    for left in (removing, target.with_name(f".{target.name}.unpacking")):
        if left.is_dir():
            done.bytes += _size(left)
            shutil.rmtree(left)
            done.deleted.append(left)
    if target.is_symlink():  # the user's: what it leads to stays
        target.unlink()
        done.deleted.append(target)
    elif target.is_dir():
        done.bytes += _size(target)
        os.replace(target, removing)
        done.deleted.append(target)
        shutil.rmtree(removing)


def _is_in(place: Path, target: Path) -> bool:
    """Whether a registered directory is the one in the cache, or lies in it: then it is the user's."""
    return target.resolve() in (place.resolve(), *place.resolve().parents)


def _size(directory: Path) -> int:
    return sum(os.lstat(path).st_size for path in _files(directory))


def _files(directory: Path) -> Iterator[str]:
    for folder, _, names in os.walk(directory):
        yield from (os.path.join(folder, name) for name in names)
