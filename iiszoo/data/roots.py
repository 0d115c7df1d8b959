"""Where a dataset is on this machine.

Searched in this order: `--root` (or `root=`), the directory registered with `iiszoo data add`, `IISZOO_DATA/ID`,
`CACHE/data/ID`, where `iiszoo data get` puts it. A dataset that shares another one's directory (its card's
`shares_root`) is looked for under either id. Standard library and platformdirs only.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import AbstractContextManager
from pathlib import Path

import platformdirs

from iiszoo import assets, files
from iiszoo.cards import DatasetCard
from iiszoo.errors import DatasetError

_log = logging.getLogger("iiszoo.data")


class NotFound(DatasetError):
    """A dataset is in none of the directories searched. `lacking`: each directory and the names missing from it; None
    if there is no such directory.
    """

    def __init__(self, message: str, lacking: dict[Path, list[str] | None]) -> None:
        super().__init__(message)
        self.lacking = lacking


def registered() -> dict[str, str]:
    """Dataset id -> directory, as registered with `iiszoo data add`."""
    file = _register_file()
    try:
        entries = json.loads(files.read_text(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise DatasetError(
            f"{file}, which lists the directories of datasets, cannot be read: {error.strerror or error}; get "
            "permission, or set IISZOO_CONFIG to another directory"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not valid JSON ({error}); fix or delete it") from error
    if not isinstance(entries, dict):
        raise DatasetError(f"{file} must contain a JSON object of ids and directories; fix or delete it")
    for id, place in entries.items():
        if not isinstance(place, str) or not place or "\0" in place:
            raise DatasetError(
                f"{file}: {id!r:.60} must have the path of a directory, not {place!r:.60}; fix or delete it"
            )
    return entries


def register(card: DatasetCard, directory: Path) -> None:
    """Remember `directory` for this dataset and those that share its directory.

    Raises `DatasetError` if that cannot be saved.
    """
    other_way = f"give --root {directory} with each command"
    _change({card.root_id: str(directory.resolve())}, {card.id}, other_way)  # its own entry would be looked at first


def forget(id: str, root_id: str) -> list[Path]:
    """Forget the directories registered for a dataset and for the one whose directory it shares; returns them.

    Raises `DatasetError` if that cannot be saved.
    """
    known = [Path(place) for key, place in registered().items() if key in (id, root_id)]
    if known:
        _change({}, {id, root_id}, "delete its line there")
    return known


def _change(added: dict[str, str], dropped: set[str], other_way: str) -> None:
    """Add entries to the register and drop others. `other_way` ends the message if that is impossible."""
    file = _register_file()
    try:
        with files.locked(file.with_name(f"{file.name}.lock")):
            entries = {**{id: place for id, place in registered().items() if id not in dropped}, **added}
            files.replace_text(file, json.dumps(entries, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise DatasetError(
            f"{file}, which lists the directories of datasets, cannot be written: {error.strerror or error}; set "
            f"IISZOO_CONFIG to a writable directory, or {other_way}"
        ) from error


def cached(card: DatasetCard) -> Path:
    """The directory to which the dataset is fetched: `CACHE/data/ID`."""
    return assets.cache_root() / "data" / card.root_id


def cache_lock(card: DatasetCard) -> AbstractContextManager[None]:
    """The lock of the dataset's directory in the cache, held while it is fetched or removed. Raises `OSError`."""
    place = cached(card)
    return files.locked(
        place.with_name(f".{place.name}.lock"),
        lambda: _log.warning("waiting for another process that is fetching or removing dataset %s", card.id),
    )


def candidates(card: DatasetCard, root: Path | None = None) -> list[Path]:
    """The directories that may contain the dataset, best first; with `root`, only those under it."""
    ids = list(dict.fromkeys([card.id, card.root_id]))
    if root is not None:
        return [*(root / id for id in ids), root]
    entries = registered()
    places = [Path(entries[id]) for id in ids if id in entries]
    for shelf in (os.environ.get("IISZOO_DATA"), assets.cache_root() / "data"):
        if shelf:
            places += [Path(shelf).expanduser() / id for id in ids]
    return places


def find(card: DatasetCard, root: Path | None, *names: str) -> Path:
    """The first directory that contains all `names`, of directories or files.

    Raises `NotFound`: what was expected, what each directory lacks, and how to fix it.
    """
    lacking: dict[Path, list[str] | None] = {}
    closed: dict[Path, str] = {}
    for place in candidates(card, root):
        try:
            absent = [name for name in names if not (place / name).exists()] if place.is_dir() else None
        except (OSError, ValueError) as error:  # no permission, a name too long, a disk that fails; a NUL in the name
            absent, closed[place] = None, str(getattr(error, "strerror", None) or error)
        if absent == []:
            return place
        lacking[place] = absent
    looked = ", ".join(
        f"{place} ({closed.get(place, 'no such directory') if absent is None else f'lacks {_listed(absent)}'})"
        for place, absent in lacking.items()
    )
    there = [place for place, absent in lacking.items() if absent is not None]
    source = f" (available at {card.homepage})" if card.homepage else ""
    fault = "has another layout" if there else "was not found"
    get = f"fetch it with `iiszoo data get {card.id}`, or " if card.archives else ""
    message = (
        f"dataset {card.id} {fault}: looked in {looked} for {card.layout}{source}; {get}give its directory with "
        f"--root DIR or `iiszoo data add {card.id} DIR`"
    )
    raise NotFound(message, lacking)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _register_file() -> Path:
    return (
        Path(os.environ.get("IISZOO_CONFIG") or platformdirs.user_config_dir("iiszoo")).expanduser() / "datasets.json"
    )
