"""Where the pictures of a run come from: its dataset, as it was when the run was made or under a given root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from iiszoo.data.initial_masks import INITIAL
from iiszoo.engine.report.pictures import Album
from iiszoo.errors import DatasetError
from iiszoo.file_names import unescaped
from iiszoo.loading import load_dataset
from iiszoo.names import parse_name


def whereabouts(summary: dict[str, Any], root: Path | None) -> tuple[str, Path | None]:
    """The dataset's id and root: where it was when the run was made, unless a root is given. Pictures do not show the
    initial masks, so these need not exist.
    """
    dataset, known = parse_name(summary["dataset"]).without(INITIAL), summary.get("provenance", {})
    place = known.get("dataset_place")
    if root is not None or not place:
        return str(dataset), root
    if not dataset.argument:
        return str(dataset), Path(unescaped(place))
    images = known.get("dataset_root")  # the images may be outside the path that the argument names
    return str(replace(dataset, argument=unescaped(place))), Path(unescaped(images)) if images else None


def open_album(dataset: str, root: Path | None) -> Album:
    """The pictures of a dataset. Raises an `IISZooError`."""
    try:
        return Album(load_dataset(dataset, root))
    except (OSError, ValueError) as error:  # permission denied; not a valid path
        raise DatasetError(f"dataset {dataset} cannot be read ({error})") from error
