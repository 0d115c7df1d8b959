"""Where a run's dataset is: where it was when the run was made, or under a given root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from iiszoo.file_names import unescaped
from iiszoo.names import parse_name


def whereabouts(summary: dict[str, Any], root: Path | None) -> tuple[str, Path | None]:
    """The dataset's name and root, as `load_dataset` takes them: as when the run was made, unless a root is given."""
    dataset, known = parse_name(summary["dataset"]), summary.get("provenance", {})
    place = known.get("dataset_place")
    if root is not None or not place:
        return str(dataset), root
    if not dataset.argument:
        return str(dataset), Path(unescaped(place))
    images = known.get("dataset_root")  # the images may be outside the path that the argument names
    return str(replace(dataset, argument=unescaped(place))), Path(unescaped(images)) if images else None
