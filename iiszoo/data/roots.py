"""Where a dataset lies on this machine.

Looked for in this order: `--root` (or `root=`), the directory registered with `iiszoo data add`, `IISZOO_DATA/ID`,
`CACHE/data/ID`. Standard library only, besides platformdirs and filelock.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import filelock
import platformdirs

from iiszoo import assets, files
from iiszoo.cards import DatasetCard
from iiszoo.errors import DatasetError


def registered() -> dict[str, str]:
    """Dataset id -> directory, as registered with `iiszoo data add`."""
    try:
        entries = json.loads(_register_file().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DatasetError(f"{_register_file()} is not valid JSON ({error}); mend or delete it") from error
    if not isinstance(entries, dict):
        raise DatasetError(f"{_register_file()} must hold a JSON object of ids and directories; mend or delete it")
    return entries


def register(card: DatasetCard, directory: Path) -> None:
    """Remember `directory` as the place of this dataset."""
    file = _register_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{file}.lock"):
        entries = {**registered(), card.id: str(directory.resolve())}
        files.replace_text(file, json.dumps(entries, indent=2, sort_keys=True) + "\n")


def candidates(card: DatasetCard, root: Path | None = None) -> list[Path]:
    """The places where the dataset may lie, best first; a given `root` is the only one that is looked at."""
    if root is not None:
        return [root / card.id, root]
    places = [Path(registered()[card.id])] if card.id in registered() else []
    if os.environ.get("IISZOO_DATA"):
        places.append(Path(os.environ["IISZOO_DATA"]).expanduser() / card.id)
    return [*places, assets.cache_root() / "data" / card.id]


def find(card: DatasetCard, root: Path | None, *subdirectories: str) -> Path:
    """The first place that has all `subdirectories`. Raises `DatasetError`: what was expected where."""
    places = candidates(card, root)
    for place in places:
        if all((place / name).is_dir() for name in subdirectories):
            return place
    looked = ", ".join(str(place) for place in places)
    there = [place for place in places if place.is_dir()]
    source = f" (it can be had at {card.homepage})" if card.homepage else ""
    fault = "is laid out otherwise" if there else "was not found"
    raise DatasetError(
        f"dataset {card.id} {fault}: looked in {looked} for {card.layout}{source}; give its directory with "
        f"--root DIR or `iiszoo data add {card.id} DIR`"
    )


def _register_file() -> Path:
    return (
        Path(os.environ.get("IISZOO_CONFIG") or platformdirs.user_config_dir("iiszoo")).expanduser() / "datasets.json"
    )
