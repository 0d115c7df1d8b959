"""Where the pictures of a run come from: its dataset, as it was when the run was made or under a given root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.initial_masks import INITIAL
from iiszoo.engine.report.pictures import Album
from iiszoo.engine.runs.dataset_check import survey
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


def open_album(summary: dict[str, Any], root: Path | None) -> Album:
    """The pictures of the data that a run was made on. Raises an `IISZooError`, also if what is there now are other
    data of the same name.
    """
    name, place = whereabouts(summary, root)
    try:
        dataset = load_dataset(name, place)
        _refuse_others(dataset, summary.get("provenance", {}))
        return Album(dataset)
    except (OSError, ValueError) as error:  # permission denied; not a valid path
        raise DatasetError(f"dataset {name} cannot be read ({error})") from error


def _refuse_others(dataset: EvaluationDataset, known: dict[str, Any]) -> None:
    """Raises `DatasetError` for data of another fingerprint. Files with the names, sizes and times that they had are
    not read.
    """
    expected = known.get("dataset", {}).get("fingerprint")
    if expected is None or dataset.stamp() == known.get("dataset_stamp"):
        return
    found = survey(dataset, 0, lambda done, total: None).fingerprint
    if found != expected:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place} is not the one of the run (fingerprint {found[:12]}, not "
            f"{expected[:12]}); give the --root of that one"
        )
