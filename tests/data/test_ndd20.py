"""NDD20: the union of all polylines of an image, filled; the first 80 % of the sorted names are for training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iiszoo.data.datasets.ndd20 import NDD20
from iiszoo.data.inspection import inspect
from iiszoo.errors import BadOption, DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]

SQUARE = ([2, 12, 12, 2], [3, 3, 9, 9])
ACROSS = ([8, 20, 20, 8], [6, 6, 15, 15])  # overlaps the square


def region(xs: Any, ys: Any, name: str = "polyline") -> dict[str, Any]:
    return {
        "shape_attributes": {"name": name, "all_points_x": xs, "all_points_y": ys},
        "region_attributes": {"object": "dolphin", "id": "3", "out of focus": "false"},
    }


def labels(images: dict[str, list[Any]]) -> dict[str, Any]:
    """As the VGG Image Annotator exports them: by file name and size in bytes."""
    return {
        f"{name}{k}1234": {"filename": name, "size": 1234 + k, "file_attributes": {}, "regions": regions}
        for k, (name, regions) in enumerate(images.items())
    }


@pytest.fixture
def tree(save: Save, tmp_path: Path) -> Path:
    """Twelve images below the water, the last two in order of their names with two dolphins; one above."""
    images = {f"{k}.jpg": [region(*SQUARE)] for k in range(10)}
    images["99.jpg"] = images["98.jpg"] = [region(*SQUARE), region(*ACROSS)]
    place = tmp_path / "ndd20"
    for name in reversed(images):
        save(f"ndd20/BELOW/{name}")
    save("ndd20/ABOVE/0.jpg")
    (place / "BELOW_LABELS.json").write_text(json.dumps(labels(images)))
    (place / "ABOVE_LABELS.json").write_text(json.dumps(labels({"0.jpg": [region(*SQUARE)]})))
    return place


def test_the_target_is_the_union_of_all_outlines(tree: Path) -> None:
    dataset = load_dataset("ndd20-below", root=tree)
    assert [sample.id for sample in dataset] == ["9__1", "98__1", "99__1"]
    square, both = np.zeros((24, 32), bool), np.zeros((24, 32), bool)
    square[3:10, 2:13] = True
    both[6:16, 8:21] = True
    both |= square
    for i, expected in enumerate((square, both, both)):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, expected), "outlines are closed, their border is object, overlaps too"
        assert target.ignore is None
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []


def test_the_first_80_percent_of_the_sorted_names_are_for_training(tree: Path) -> None:
    train = load_dataset("ndd20-below-train", root=tree.parent)
    val = load_dataset("ndd20-below", root=tree.parent)
    ids = [dataset[i].id for dataset in (train, val) for i in range(len(dataset))]
    assert ids == [f"{k}__1" for k in (*range(10), 98, 99)]
    assert (len(train), len(val)) == (9, 3), "80 % of 12, rounded down"
    above = load_dataset("ndd20-above", root=tree.parent)
    assert [sample.id for sample in above] == ["0__1"]
    assert len(load_dataset("ndd20-above-train", root=tree)) == 0


def test_full_masks_for_training(tree: Path) -> None:
    dataset = NDD20(tree, "below", "train")
    sample = dataset[0]
    assert (sample.image.shape, sample.masks.shape, sample.masks.dtype) == ((24, 32, 3), (24, 32, 1), np.uint8)
    assert sample.info["classes"] == {(0, 1): "dolphin"}
    assert dataset.regions(0) == [(0, 1)]
    with pytest.raises(BadOption, match="waters above and below"):
        NDD20(tree, "inside")


def test_an_image_without_outline_has_no_sample(tree: Path) -> None:
    (tree / "ABOVE_LABELS.json").write_text(json.dumps(labels({"0.jpg": []})))
    assert len(load_dataset("ndd20-above", root=tree)) == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"shape_attributes": {"name": "circle", "cx": 1, "cy": 1, "r": 4}},
        region([1, 5, 9], [1, 5]),
        region("abc", "def"),
        region([], []),
    ],
    ids=["a circle", "points without y", "text", "no points"],
)
def test_a_broken_outline_is_reported_with_its_image(broken: Any, tree: Path) -> None:
    (tree / "ABOVE_LABELS.json").write_text(json.dumps(labels({"0.jpg": [region(*SQUARE), broken]})))
    dataset = load_dataset("ndd20-above", root=tree)
    fault = inspect(dataset[0]).fault or ""
    assert str(tree / "ABOVE_LABELS.json") in fault
    assert "outline of 0.jpg" in fault


def test_a_broken_or_missing_image_is_reported_by_name(tree: Path) -> None:
    (tree / "BELOW" / "9.jpg").write_bytes(b"no jpeg")
    (tree / "BELOW" / "99.jpg").unlink()
    dataset = load_dataset("ndd20-below", root=tree)
    assert [sample.id for sample in dataset] == ["9__1", "98__1", "99__1"], "the split stays as it is"
    faults = [inspect(dataset[i]).fault or "" for i in range(3)]
    assert "BELOW/9.jpg: cannot be decoded" in faults[0]
    assert faults[1] == ""
    assert "BELOW/99.jpg: cannot be read" in faults[2]
    assert len([fault for fault in dataset.check_files() if "9.jpg" in fault]) >= 2


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"a": {"filename": "0.jpg"}}'])
def test_broken_labels_are_reported_by_name(content: str, tree: Path) -> None:
    (tree / "ABOVE_LABELS.json").write_text(content)
    dataset = load_dataset("ndd20-above", root=tree)
    with pytest.raises(DatasetError, match=str(tree / "ABOVE_LABELS.json")):
        len(dataset)
    (tree / "ABOVE_LABELS.json").unlink()
    with pytest.raises(DatasetError, match=r"lacks ABOVE_LABELS\.json"):
        load_dataset("ndd20-above", root=tree)


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/passwd", "a\0.jpg", ".", 7, None])
def test_a_file_name_that_leads_out_is_refused(name: Any, tree: Path) -> None:
    entries = {"one": {"filename": name, "regions": []}}
    (tree / "BELOW_LABELS.json").write_text(json.dumps(entries))
    with pytest.raises(DatasetError, match=r"BELOW_LABELS\.json: is not an export"):
        len(NDD20(tree))


@pytest.mark.parametrize("far", [float("nan"), float("inf"), -1e300, 1e9])
def test_an_outline_with_points_that_are_nowhere_is_named(far: float, tree: Path) -> None:
    entries = labels({"0.jpg": [region([2, 12, far, 2], [3, 3, 9, 9])]})
    (tree / "ABOVE_LABELS.json").write_text(json.dumps(entries))
    with pytest.raises(DatasetError, match=r"ABOVE_LABELS\.json: an outline of 0\.jpg is not a polyline"):
        NDD20(tree, "above", "val").read_masks(0)
