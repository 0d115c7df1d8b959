"""`demo`: twelve objects on real photographs, inside the package, with masks that are what was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.demo import draw_masks
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.loading import load_dataset

PLACE = Path(draw_masks.__file__).parent


@pytest.fixture
def demo() -> EvaluationDataset:
    return load_dataset("demo")


def test_there_are_twelve_sound_samples(demo: EvaluationDataset) -> None:
    assert len(demo) == 12
    assert len({sample.id for sample in demo}) == 12
    assert list(demo.check_files()) == []
    assert [inspect(demo[i]).fault for i in range(12)] == [None] * 12
    for i in range(12):
        image, target = demo[i].read_image(), demo[i].read_target()
        assert image.shape == (*target.object.shape, 3)
        assert 0.001 < target.object.mean() < 0.9
        assert image.std() > 10, "a photograph, not a blank"


def width(mask: NDArray[np.bool_]) -> float:
    """Of the widest disc inside, in pixels."""
    return float(2 * ndimage.distance_transform_edt(np.pad(mask, 1)).max())


def length(mask: NDArray[np.bool_]) -> float:
    """Of the bounding box's longer side, in pixels."""
    return float(np.ptp(np.argwhere(mask), axis=0).max())


def test_it_holds_what_makes_segmentation_hard(demo: EvaluationDataset) -> None:
    objects = [demo[i].read_target().object for i in range(12)]
    assert any((ndimage.binary_fill_holes(mask) & ~mask).sum() > 20 for mask in objects), "one has a hole"
    assert any(length(mask) > 10 * width(mask) for mask in objects), "one is thin"
    assert any(len(group) > 1 for group in by_image(demo)), "two objects on one image"
    centres = [np.argwhere(mask).mean(axis=0) / mask.shape for mask in objects]
    assert any(np.abs(centre - 0.5).max() > 0.2 for centre in centres), "one is not in the middle"
    assert max(mask.mean() for mask in objects) > 20 * min(mask.mean() for mask in objects), "sizes differ"
    assert any(demo[i].read_target().ignore is not None for i in range(12)), "one has an uncertain border"


def test_the_masks_are_what_the_polygons_rasterise_to(demo: EvaluationDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = json.loads((PLACE / "polygons.json").read_text())["objects"]
    rasterise, drawn = draw_masks.mask, {}

    def once(name: str, objects: dict[str, Any]) -> NDArray[np.uint8]:
        """An object that others lie behind need not be drawn again for each of them."""
        if name not in drawn:
            drawn[name] = rasterise(name, objects)
        return drawn[name]

    monkeypatch.setattr(draw_masks, "mask", once)
    assert sorted(objects) == [sample.id for sample in demo]
    for i in range(12):
        values, target = once(demo[i].id, objects), demo[i].read_target()
        ignore = np.zeros_like(target.object) if target.ignore is None else target.ignore
        assert np.array_equal(target.object, values == 255), demo[i].id
        assert np.array_equal(ignore, values == 128), demo[i].id


def test_every_photograph_states_its_source_and_licence(demo: EvaluationDataset) -> None:
    attribution = (PLACE / "ATTRIBUTION.md").read_text()
    for name in {Path(demo[i].image_id).name for i in range(12)}:
        (row,) = [line for line in attribution.splitlines() if line.startswith(f"| `{name}`")]
        assert "CC0" in row or "public domain" in row
