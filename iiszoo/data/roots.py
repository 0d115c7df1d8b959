"""Where a dataset lies on this machine.

Looked for in this order: `--root` (or `root=`), the directory registered with `iiszoo data add`, `IISZOO_DATA/ID`,
`CACHE/data/ID`, which is where `iiszoo data get` puts it. A dataset that shares another one's directory (`folder` of
its card) is looked for under either id. Standard library only, besides platformdirs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

from iiszoo import assets, files
from iiszoo.cards import DatasetCard
from iiszoo.errors import DatasetError


class NotFound(DatasetError):
    """A dataset lies nowhere where it was looked for. `lacking`: each place, and what is not in it; None where there is
    no such place.
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
            f"{file}, which says where datasets lie, cannot be read: {error.strerror or error}; get permission, or set "
            "IISZOO_CONFIG to another directory"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not valid JSON ({error}); mend or delete it") from error
    if not isinstance(entries, dict):
        raise DatasetError(f"{file} must hold a JSON object of ids and directories; mend or delete it")
    for id, place in entries.items():
        if not isinstance(place, str) or not place or "\0" in place:
            raise DatasetError(
                f"{file}: {id!r:.60} must have the path of a directory, not {place!r:.60}; mend or delete it"
            )
    return entries


def register(card: DatasetCard, directory: Path) -> None:
    """Remember `directory` as the place of this dataset, and of those that share its directory.

    Raises `DatasetError` where that cannot be written down.
    """
    file = _register_file()
    try:
        with files.locked(file.with_name(f"{file.name}.lock")):
            entries = {**registered(), card.root_id: str(directory.resolve())}
            if card.root_id != card.id:
                entries.pop(card.id, None)  # it would be looked at first
            files.replace_text(file, json.dumps(entries, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise DatasetError(
            f"{file}, which says where datasets lie, cannot be written: {error.strerror or error}; set IISZOO_CONFIG "
            f"to a directory that can be written, or give --root {directory} with each command"
        ) from error


def cached(card: DatasetCard) -> Path:
    """The directory of the cache to which the dataset is fetched: `CACHE/data/ID`."""
    return assets.cache_root() / "data" / card.root_id


def candidates(card: DatasetCard, root: Path | None = None) -> list[Path]:
    """The places where the dataset may lie, best first; a given `root` is the only one that is looked at."""
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
    """The first place in which all `names`, of directories or files, are there.

    Raises `NotFound`: what was expected where, what each place lacks, and the ways out.
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
    source = f" (it can be had at {card.homepage})" if card.homepage else ""
    fault = "is laid out otherwise" if there else "was not found"
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
