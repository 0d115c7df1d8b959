"""Where the pictures of a run come from: its dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.initial_masks import INITIAL
from iiszoo.engine.report.pictures import Album
from iiszoo.engine.runs.dataset_check import survey
from iiszoo.engine.runs.dataset_place import whereabouts
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.names import parse_name


def place_of_pictures(summary: dict[str, Any], root: Path | None) -> tuple[str, Path | None]:
    """`whereabouts` without the initial masks, which pictures do not show, so that these need not exist."""
    name, place = whereabouts(summary, root)
    return str(parse_name(name).without(INITIAL)), place


def open_album(summary: dict[str, Any], root: Path | None) -> Album:
    """The pictures of the data that a run was made on. Raises an `IISZooError`, also if what is there now are other
    data of the same name.
    """
    name, place = place_of_pictures(summary, root)
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
