"""Where the pictures of a run come from: its dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.data.initial_masks import INITIAL
from iiszoo.engine.report.pictures import Album
from iiszoo.engine.runs.dataset_place import whereabouts
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.names import parse_name


def place_of_pictures(summary: dict[str, Any], root: Path | None) -> tuple[str, Path | None]:
    """`whereabouts` without the initial masks, which pictures do not show, so that these need not exist."""
    name, place = whereabouts(summary, root)
    return str(parse_name(name).without(INITIAL)), place


def open_album(dataset: str, root: Path | None) -> Album:
    """The pictures of a dataset. Raises an `IISZooError`."""
    try:
        return Album(load_dataset(dataset, root))
    except (OSError, ValueError) as error:  # permission denied; not a valid path
        raise DatasetError(f"dataset {dataset} cannot be read ({error})") from error
