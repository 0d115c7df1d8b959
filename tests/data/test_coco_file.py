"""`coco:FILE.json`: polygons and run lengths, crowds that are ignored, objects that overlap."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as rle

from iiszoo.data.datasets.coco_file import CocoFile
from iiszoo.data.inspection import inspect
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
SIZE = (24, 32)


def box(rows: slice, columns: slice) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = True
    return mask


def polygon(mask: Mask) -> list[list[float]]:
    """The outline of a box: (x, y) from corner to corner, on the pixels' outer edges."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return [[float(value) for value in (left, top, right, top, right, bottom, left, bottom)]]


def run_lengths(mask: Mask) -> dict[str, Any]:
    """Uncompressed: lengths of runs column by column, of zeros first."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *ends, flat.size]).tolist()
    return {"size": list(SIZE), "counts": [0, *counts] if flat[0] else counts}


def compressed(mask: Mask) -> dict[str, Any]:
    found = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": found["size"], "counts": found["counts"].decode()}


KINDS: dict[str, Callable[[Mask], Any]] = {"polygons": polygon, "run lengths": run_lengths, "compressed": compressed}

LEFT, RIGHT, ACROSS, CROWD = (
    box(slice(4, 12), slice(2, 10)),
    box(slice(4, 12), slice(20, 28)),
    box(slice(8, 16), slice(5, 25)),  # overlaps both
    box(slice(10, 22), slice(0, 14)),  # overlaps the left one and the one across
)


def annotation(id: int, image: int, segmentation: Any, category: int = 18, iscrowd: int = 0) -> dict[str, Any]:
    return {
        "id": id,
        "image_id": image,
        "segmentation": segmentation,
        "category_id": category,
        "iscrowd": iscrowd,
        "bbox": [0, 0, 1, 1],
        "area": 1.0,
    }


def write(path: Path, annotations: list[Any], **image: Any) -> Path:
    images = [{"id": 7, "file_name": "a.jpg", "height": 24, "width": 32, **image}]
    content = {
        "info": {},
        "images": [{k: v for k, v in image.items() if v is not None} for image in images],
        "annotations": annotations,
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_segmentation_is_read_and_crowds_are_ignored(kind: str, save: Save, tmp_path: Path) -> None:
    save("a.jpg")
    encode = KINDS[kind]
    file = write(
        tmp_path / "mine.json",
        [
            annotation(901, 7, encode(LEFT)),
            annotation(902, 7, run_lengths(CROWD), iscrowd=1),
            annotation(903, 7, encode(RIGHT)),
            annotation(904, 7, encode(ACROSS), category=1),
        ],
    )
    dataset = load_dataset(f"coco:{file}")
    assert (dataset.name, dataset.place) == (f"coco:{file}", file)
    assert [sample.id for sample in dataset] == ["a__1", "a__3", "a__4"]
    for i, expected in enumerate((LEFT, RIGHT, ACROSS)):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, expected), "an object keeps all its pixels"
        assert target.ignore is not None
        assert np.array_equal(target.ignore, CROWD & ~expected)
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []


def test_full_masks_with_classes_for_training(save: Save, tmp_path: Path) -> None:
    save("a.jpg")
    annotations = [annotation(901, 7, polygon(LEFT)), annotation(904, 7, polygon(ACROSS), category=1)]
    dataset = CocoFile(write(tmp_path / "mine.json", annotations))
    sample = dataset[0]
    assert (sample.image.shape, sample.masks.shape, sample.masks.dtype) == ((24, 32, 3), (24, 32, 2), np.int32)
    assert sample.info["classes"] == {(0, 1): "dog", (1, 2): "person"}
    assert sample.info["annotation_ids"] == {(0, 1): 901, (1, 2): 904}
    assert dataset.regions(0) == [(0, 1), (1, 2)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    boxes=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 28), st.integers(1, 12), st.integers(1, 16), st.booleans()),
        max_size=7,
    )
)
def test_every_instance_keeps_all_its_pixels(boxes: list[tuple[int, int, int, int, bool]], tmp_path: Path) -> None:
    masks = [box(slice(top, top + rows), slice(left, left + columns)) for top, left, rows, columns, _ in boxes]
    file = write(
        tmp_path / "mine.json",
        [annotation(k, 7, compressed(mask), iscrowd=int(boxes[k][4])) for k, mask in enumerate(masks)],
    )
    dataset = CocoFile(file)
    full = dataset.read_masks(0)
    objects = {k + 1: mask for k, mask in enumerate(masks) if not boxes[k][4]}
    crowd = np.any([np.zeros(SIZE, bool), *(mask for k, mask in enumerate(masks) if boxes[k][4])], axis=0)
    assert {region.value for region in dataset.regions(0)} == set(objects)
    for region in dataset.regions(0):
        assert np.array_equal(full[:, :, region.layer] == region.value, objects[region.value])
    assert np.array_equal(full < 0, (full <= 0) & crowd[:, :, None]), "a crowd is ignored in every layer"
    assert full.shape[2] <= max(1, len(objects))


@pytest.mark.parametrize(
    ("file", "image", "root"),
    [
        ("x/mine.json", "x/a.jpg", None),
        ("x/mine.json", "x/images/a.jpg", None),
        ("x/mine.json", "x/mine/a.jpg", None),
        ("annotations/instances_val2017.json", "val2017/a.jpg", None),
        ("annotations/mine.json", "images/a.jpg", None),
        ("x/mine.json", "elsewhere/a.jpg", "elsewhere"),
        ("x/instances_val2017.json", "coco/val2017/a.jpg", "coco"),
    ],
)
def test_where_images_lie(file: str, image: str, root: str | None, save: Save, tmp_path: Path) -> None:
    save(image)
    path = write(tmp_path / file, [annotation(1, 7, polygon(LEFT))])
    dataset = load_dataset(f"coco:{path}", root=tmp_path / root if root else None)
    assert Path(dataset[0].files[0]) == tmp_path / image
    assert inspect(dataset[0]).fault is None


def test_images_in_folders_and_by_url(save: Save, tmp_path: Path) -> None:
    save("train2017/a.jpg")
    url = "http://images.cocodataset.org/train2017/a.jpg"
    file = write(tmp_path / "lvis_v1_val.json", [annotation(1, 7, polygon(LEFT))], file_name=None, coco_url=url)
    dataset = load_dataset(f"coco:{file}")
    assert dataset[0].id == "train2017/a__1"
    assert inspect(dataset[0]).fault is None


def test_images_that_differ_in_their_suffix_alone_keep_it(save: Save, tmp_path: Path) -> None:
    save("a.png")
    save("a.jpg")
    save("b.png")
    square = polygon(box(slice(2, 9), slice(3, 12)))
    images = [
        {"id": k, "file_name": name, "height": 24, "width": 32} for k, name in enumerate(("a.png", "a.jpg", "b.png"))
    ]
    content = {"images": images, "annotations": [annotation(k + 1, k, square) for k in range(3)], "categories": []}
    (tmp_path / "mine.json").write_text(json.dumps(content))
    dataset = load_dataset(f"coco:{tmp_path / 'mine.json'}")
    assert [sample.id for sample in dataset] == ["a.png__1", "a.jpg__1", "b__1"]


def test_an_image_that_no_memory_could_hold_is_reported(save: Save, tmp_path: Path) -> None:
    save("a.png")
    images = [{"id": 1, "file_name": "a.png", "height": 10**9, "width": 10**9}]
    content = {"images": images, "annotations": [annotation(1, 1, [[0, 0, 9, 0, 9, 9]])], "categories": []}
    (tmp_path / "mine.json").write_text(json.dumps(content))
    fault = inspect(load_dataset(f"coco:{tmp_path / 'mine.json'}")[0]).fault
    assert fault is not None
    assert "could not be read" in fault or "too large to be drawn on" in fault


def test_sizes_that_the_file_does_not_tell_are_read_from_the_images(save: Save, tmp_path: Path) -> None:
    save("a.jpg")
    file = write(tmp_path / "mine.json", [annotation(1, 7, polygon(LEFT))], height=None, width=None)
    dataset = load_dataset(f"coco:{file}")
    assert np.array_equal(dataset[0].read_target().object, LEFT)
    assert list(dataset.check_files()) == []


@pytest.mark.parametrize("segmentation", [None, [], [[1, 1, 5, 5]]], ids=["none", "no polygon", "two points"])
def test_an_annotation_without_outline_is_a_sample_that_is_reported(
    segmentation: Any, save: Save, tmp_path: Path
) -> None:
    save("a.jpg")
    file = write(tmp_path / "mine.json", [annotation(1, 7, segmentation), annotation(2, 7, polygon(LEFT))])
    dataset = load_dataset(f"coco:{file}")
    faults = {sample.id: inspect(sample).fault for sample in dataset}
    assert faults["a__2"] is None
    assert "mine.json: the target is empty" in (faults["a__1"] or "")


MALFORMED = {
    "of another size": {"size": [9, 9], "counts": [40, 41]},
    "too few pixels": {"size": [24, 32], "counts": [5, 6]},
    "below zero": {"size": [24, 32], "counts": [-5, 773]},
    "too long when decompressed": {"size": [24, 32], "counts": "ZZZZZZZZZZZZ"},
    "points far outside": [[0, 0, 1e30, 0, 5, 5]],
    "not a number": [[0, 0, float("nan"), 0, 5, 5]],
    "text": "polygon",
    "no counts": {"size": [24, 32]},
    "points of text": [["a", "b", "c", "d", "e", "f"]],
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_segmentation_is_reported_with_its_annotation(kind: str, save: Save, tmp_path: Path) -> None:
    save("a.jpg")
    file = write(tmp_path / "mine.json", [annotation(31, 7, MALFORMED[kind])])
    dataset = load_dataset(f"coco:{file}")
    fault = inspect(dataset[0]).fault or ""
    if kind in ("text", "points of text"):
        assert str(file) in fault
    else:
        assert f"{file}: annotation 31 of image 7 has a segmentation that cannot be drawn on 24x32 pixels" in fault


def test_a_broken_a_missing_and_a_resized_image_are_reported(save: Save, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.json", [annotation(1, 7, polygon(LEFT))])
    for content, fault in ((None, "a.jpg: cannot be read"), (b"no jpeg", "a.jpg: cannot be")):
        if content is not None:
            (tmp_path / "a.jpg").write_bytes(content)
        dataset = load_dataset(f"coco:{file}")
        assert fault in (inspect(dataset[0]).fault or "")
        assert ["a.jpg: cannot be" in found for found in dataset.check_files()] == [True]
    save("a.jpg", np.zeros((9, 8, 3), np.uint8))
    dataset = load_dataset(f"coco:{file}")
    assert "9x8 but 24x32" in (inspect(dataset[0]).fault or "")
    assert ["9x8 but 24x32" in found for found in dataset.check_files()] == [True]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not an instances file in COCO's format"),
        ('{"images": [{"id": 1}], "annotations": []}', "image 1 has no file_name"),
        ('{"images": [], "annotations": [{"id": 4, "image_id": 5}]}', "none of its 1 annotations is of an image"),
    ],
)
def test_a_file_of_another_format_is_reported_by_name(content: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(DatasetError, match=str(file)) as error:
        len(load_dataset(f"coco:{file}"))
    assert fault in str(error.value)


def test_a_relative_file_counts_from_here_or_else_from_root(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("d/a.jpg")
    write(tmp_path / "d" / "mine.json", [annotation(1, 7, polygon(LEFT))])
    monkeypatch.chdir(tmp_path / "d")
    assert len(load_dataset("coco:mine.json")) == 1
    monkeypatch.chdir(tmp_path)
    assert inspect(load_dataset("coco:mine.json", root=tmp_path / "d")[0]).fault is None
    with pytest.raises(DatasetError, match=f"there is no file {tmp_path / 'mine.json'}"):
        load_dataset("coco:mine.json")
