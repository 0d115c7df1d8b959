"""`initial=`: files by id or by image, probabilities, COCO's format; what a session starts from, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.inspection import inspect
from iiszoo.data.probability_file import read_probabilities
from iiszoo.engine.runs.dataset_check import survey_for_run
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
SIZE = (24, 32)
RECTANGLES = {"cat": (2, 3), "dog__0": (4, 5), "dog__1": (9, 12), "eel": (1, 20)}
"""The targets: row and column of the upper left corner of 8 x 10 pixels."""


def rectangle(corner: tuple[int, int], grow: int = 0) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[corner[0] : corner[0] + 8 + grow, corner[1] : corner[1] + 10] = True
    return mask


def polygon(corner: tuple[int, int], grow: int = 0) -> list[list[int]]:
    row, col = corner
    return [[col, row, col + 10, row, col + 10, row + 8 + grow, col, row + 8 + grow]]


def run_lengths(mask: Mask) -> dict[str, Any]:
    values = mask.T.ravel()
    changes = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff([0, *changes, values.size]).tolist()
    return {"size": list(SIZE), "counts": [0, *counts] if values[0] else counts}


@pytest.fixture
def folder(save: Save, tmp_path: Path) -> str:
    for name, corner in RECTANGLES.items():
        save(f"photos/masks/{name}.png", rectangle(corner).astype(np.uint8) * 255)
    for name in ("cat", "dog", "eel"):
        save(f"photos/images/{name}.png")
    return f"folder:{tmp_path / 'photos'}"


@pytest.fixture
def coco(save: Save, tmp_path: Path) -> str:
    """The same as a COCO file, with a crowd between, and image ids and annotation ids of its own."""
    for name in ("cat", "dog", "eel"):
        save(f"coco/{name}.png")
    table = {
        "images": [
            {"id": n, "file_name": f"{name}.png", "height": 24, "width": 32}
            for n, name in ((7, "cat"), (8, "dog"), (9, "eel"))
        ],
        "annotations": [
            {"id": 70, "image_id": 7, "segmentation": polygon(RECTANGLES["cat"])},
            {"id": 80, "image_id": 8, "segmentation": polygon(RECTANGLES["dog__0"])},
            {"id": 81, "image_id": 8, "segmentation": polygon((20, 1)), "iscrowd": 1},
            {"id": 82, "image_id": 8, "segmentation": polygon(RECTANGLES["dog__1"])},
            {"id": 90, "image_id": 9, "segmentation": polygon(RECTANGLES["eel"])},
        ],
    }
    file = tmp_path / "coco" / "all.json"
    file.write_text(json.dumps(table))
    return f"coco:{file}"


def starts(name: str) -> list[Any]:
    return [sample.read_initial_mask() for sample in load_dataset(name)]


def faults(dataset: EvaluationDataset) -> str:
    with pytest.raises(DatasetError) as error:
        survey_for_run(dataset, None, False, lambda done, total: None)
    return str(error.value)


GROWN = [rectangle(corner, 2) for corner in RECTANGLES.values()]


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog__0", "dog__1", "eel"],  # ids
        ["cat", "dog__1", "dog__2", "eel"],  # image, and number of the object
        ["cat__1", "dog__1", "dog__2", "eel__1"],
    ],
)
@pytest.mark.parametrize("kind", ["png", "npy"])
def test_masks_of_files_by_id_or_by_image(folder: str, save: Save, tmp_path: Path, names: list[str], kind: str) -> None:
    for name, mask in zip(names, GROWN, strict=True):
        if kind == "png":
            save(f"mine/{name}.png", mask.astype(np.uint8))
        else:
            (tmp_path / "mine").mkdir(exist_ok=True)
            np.save(tmp_path / "mine" / f"{name}.npy", mask.astype(np.float16) * np.float16(0.7))
    dataset = load_dataset(f"{folder}?initial=masks:{tmp_path / 'mine'}")
    for sample, mask in zip(dataset, GROWN, strict=True):
        found = sample.read_initial_mask()
        assert found is not None
        assert np.array_equal(found > 0.5, mask)
        assert found.dtype == (np.float32 if kind == "npy" else bool)
        assert inspect(sample).fault is None
    assert list(dataset.check_files()) == []


def test_a_mask_that_is_missing_is_of_the_one_sample_in_both_ways(folder: str, save: Save, tmp_path: Path) -> None:
    for way, names in {"ids": ["cat", "dog__1", "eel"], "images": ["cat__1", "dog__2", "eel__1"]}.items():
        for name in names:
            save(f"{way}/{name}.png", rectangle((2, 2)).astype(np.uint8))
        told = faults(load_dataset(f"{folder}?initial=masks:{tmp_path / way}"))
        assert "1 of 4 samples cannot be used" in told
        assert f"{tmp_path / way}: sample 'dog__0' has no initial mask" in told


def test_images_that_share_a_stem_have_masks_by_id_only(save: Save, tmp_path: Path) -> None:
    for sequence in ("bear", "swan"):
        save(f"davis585/{sequence}/00009.jpg")
        for name in ("object1_00009", "init_sp_object1_00009"):
            save(f"davis585/{sequence}/{name}.png", rectangle((3, 3)).astype(np.uint8) * 255)
    save("mine/00009.png", rectangle((3, 3)).astype(np.uint8))
    with pytest.raises(DatasetError, match="none is named after a sample id of davis585"):
        load_dataset(f"davis585?initial=masks:{tmp_path / 'mine'}", tmp_path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_probabilities_are_read_as_they_are(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([np.float16, np.float32, np.float64]))
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    values = data.draw(st.lists(st.floats(0, 1, width=16), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    saved = np.reshape(values, shape).astype(kind)
    np.save(tmp_path / "p.npy", np.asfortranarray(saved))
    found = read_probabilities(tmp_path / "p.npy")
    assert found.dtype == np.float32
    assert np.array_equal(found, saved.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full(SIZE, 255, np.uint8), r"floats \(H, W\) in \[0, 1\], not uint8 \(24, 32\)"),
        (np.full((1, *SIZE), 0.5), r"not float64 \(1, 24, 32\)"),
        (np.full(SIZE, 3.5), r"contains values from 3\.5 to 3\.5; probabilities lie in \[0, 1\]"),
        (np.full(SIZE, -0.1), r"contains values from -0\.1"),
        (np.full(SIZE, np.nan), r"contains values from nan"),
        (np.array([{}]), "cannot be read as a NumPy file"),
        (b"torn", "cannot be read as a NumPy file"),
        (b"", "cannot be read as a NumPy file"),
        (np.full((5, 6), 0.5), "initial mask and mask differ in size .*: 5x6 but 24x32"),
    ],
)
def test_what_is_not_probabilities_is_refused(folder: str, tmp_path: Path, array: Any, reason: str) -> None:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "cat.npy"
    file.write_bytes(array) if isinstance(array, bytes) else np.save(file, array)
    fault = inspect(load_dataset(f"{folder}?initial=masks:{tmp_path / 'mine'}")[0]).fault
    assert fault is not None
    assert str(file) in fault
    assert re.search(reason, fault), fault


def test_a_file_of_another_kind_is_named(folder: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "cat.npz").write_bytes(b"x")
    fault = inspect(load_dataset(f"{folder}?initial=masks:{tmp_path / 'mine'}")[0]).fault
    assert "cat.npz: is of an unsupported kind" in str(fault)


def entry(image_id: Any, i: int, *, runs: bool = False, **more: Any) -> dict[str, Any]:
    corner = list(RECTANGLES.values())[i]
    return {
        "image_id": image_id,
        "category_id": 1,
        "score": 0.9,
        "segmentation": run_lengths(rectangle(corner, 2)) if runs else polygon(corner, 2),
        **more,
    }


def write(tmp_path: Path, found: Any) -> str:
    file = tmp_path / "initial.json"
    file.write_text(json.dumps(found))
    return f"coco:{file}"


def instances(*entries: dict[str, Any], names: tuple[str, ...] = ("cat.png", "dog.png", "eel.png")) -> dict[str, Any]:
    images = [{"id": n, "file_name": name} for n, name in enumerate(names, 1)]
    return {"images": images, "annotations": list(entries)}


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("where", ["results", "results with ids", "instances", "instances with ids"])
def test_a_coco_dataset_starts_from_results_and_instances(coco: str, tmp_path: Path, where: str, runs: bool) -> None:
    ids = [70, 80, 82, 90] if "ids" in where else [None] * 4
    images = [7, 8, 8, 9] if "results" in where else [1, 2, 2, 3]
    order = [3, 2, 1, 0] if "ids" in where else [3, 0, 1, 2]  # by order, those of one image must keep theirs
    entries = [entry(images[i], i, runs=runs, **({"id": ids[i]} if ids[i] else {})) for i in order]
    found = entries if "results" in where else instances(*entries)
    name = f"{coco}?initial={write(tmp_path, found)}"
    dataset = load_dataset(name)
    assert dataset.name == name
    for sample, mask, plain in zip(dataset, GROWN, load_dataset(coco), strict=True):
        assert np.array_equal(sample.read_initial_mask(), mask)  # type: ignore[arg-type]
        assert inspect(sample).fault is None
        assert inspect(sample).target == inspect(plain).target
    assert list(dataset.check_files()) == []
    assert dataset.stamp() != load_dataset(coco).stamp()


@pytest.mark.parametrize("names", [("cat.png", "dog.png", "eel.png"), ("x/cat.png", "images/dog.png", "y\\eel.png")])
def test_any_dataset_starts_from_instances_by_file_name_and_order(
    folder: str, tmp_path: Path, names: tuple[str, ...]
) -> None:
    crowd = entry(2, 0, iscrowd=1)
    found = instances(entry(3, 3), entry(2, 1), crowd, entry(1, 0), entry(2, 2), names=names)
    for start, mask in zip(starts(f"{folder}?initial={write(tmp_path, found)}"), GROWN, strict=True):
        assert np.array_equal(start, mask)


def test_images_of_one_name_need_their_directories(save: Save, tmp_path: Path) -> None:
    for place in ("bear", "swan"):
        save(f"davis585/{place}/00009.jpg")
        for name in ("o_00009", "init_sp_o_00009"):
            save(f"davis585/{place}/{name}.png", rectangle((3, 3)).astype(np.uint8) * 255)

    def named(*names: str) -> str:
        found = instances(*(entry(n, n) for n in range(1, len(names) + 1)), names=names)
        return f"davis585?initial={write(tmp_path, found)}"

    first, second = load_dataset(named("swan/00009.jpg", "bear/00009.jpg"), tmp_path)
    assert np.array_equal(first.read_initial_mask(), GROWN[2])  # type: ignore[arg-type]
    assert np.array_equal(second.read_initial_mask(), GROWN[1])  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"'00009\.jpg' may be .*bear/00009\.jpg or .*swan/00009\.jpg; give file_n"):
        load_dataset(named("00009.jpg"), tmp_path)


@pytest.mark.parametrize(
    ("dataset", "found", "reason"),
    [
        ("folder", [entry(7, 0)], r"results have image ids, but folder:.* has none"),
        ("folder", instances(entry(2, 1)), r"cannot be matched to samples: 1 images .*\(.*dog\.png has 2 and 1\)"),
        ("coco", [entry(8, 1), entry(8, 2), entry(8, 3)], r"\(dog has 2 and 3\); give each sample's mask"),
        ("coco", [entry(8, 1, id=80), entry(8, 2), entry(8, 3)], "cannot be matched to samples"),
        ("coco", [entry(8, 1, id=80), entry(8, 2, id=80), entry(8, 3, id=82)], "cannot be matched to samples"),
        ("coco", [entry(55, 1)], "none belongs to an image of coco:"),
        ("folder", instances(entry(1, 0), names=("cow.png",)), "none belongs to an image of folder:"),
        ("coco", [{"image_id": 7}, "x"], "annotation number 2 is not a result"),
        ("coco", {"images": []}, "is not an instances file in COCO's format"),
    ],
)
def test_what_is_ambiguous_or_fits_nothing_is_refused_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, dataset: str, found: Any, reason: str
) -> None:
    with pytest.raises(DatasetError, match=reason):
        load_dataset(f"{request.getfixturevalue(dataset)}?initial={write(tmp_path, found)}")


def test_an_absent_file_is_refused(folder: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.json: cannot be read"):
        load_dataset(f"{folder}?initial=coco:{tmp_path / 'absent.json'}")


def test_what_is_wrong_with_one_mask_is_a_fault_of_its_sample(coco: str, tmp_path: Path) -> None:
    found = [
        entry(7, 0, segmentation=None, bbox=[1, 2, 3, 4]),
        entry(8, 1, segmentation=[[1, 2, 3]]),
        entry(8, 2, segmentation={"size": [5, 5], "counts": [25]}),
    ]
    dataset = load_dataset(f"{coco}?initial={write(tmp_path, found)}")
    told, unseen = faults(dataset), " ".join(dataset.check_files())
    for text in (told, unseen):
        assert "annotation number 1, the initial mask of sample 'cat__1', has no outline" in text
        assert "annotation number 2, the initial mask of sample 'dog__1', has a segmentation that cannot be dr" in text
        assert "annotation number 3, the initial mask of sample 'dog__3', has a segmentation that cannot be dr" in text
        assert "initial.json: sample 'eel__1' has no initial mask" in text
