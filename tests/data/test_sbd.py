"""SBD: every value of the .mat files' struct is one target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat
from scipy.sparse import csc_matrix

from iiszoo.data.datasets.sbd import SBD, SBDClasses
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Run = Callable[..., "CompletedProcess[str]"]
Save = Callable[..., Path]
Values = NDArray[np.uint8]


def cells(values: Values, n: int) -> NDArray[np.object_]:
    """MATLAB's column of n sparse boundary maps."""
    column = np.empty((n, 1), object)
    for k in range(n):
        column[k, 0] = csc_matrix(values == k + 1, dtype=np.uint8)
    return column


def write(place: Path, name: str, objects: Values, categories: list[int]) -> None:
    """`inst/NAME.mat` and `cls/NAME.mat`, structs nested as in the published files."""
    for folder in ("inst", "cls"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    numbers = np.array(categories, np.uint8)
    instances = {
        "Segmentation": objects,
        "Boundaries": cells(objects, len(categories)),
        "Categories": numbers[:, None],
    }
    savemat(place / "inst" / f"{name}.mat", {"GTinst": instances}, do_compression=True)
    classes = np.concatenate([[0], numbers]).astype(np.uint8)[objects]
    savemat(
        place / "cls" / f"{name}.mat",
        {
            "GTcls": {
                "Segmentation": classes,
                "Boundaries": cells(classes, 20),
                "CategoriesPresent": np.unique(numbers)[:, None],
            }
        },
        do_compression=True,
    )


@pytest.fixture
def objects() -> Values:
    """uint8 `(24, 32)`: two blocks, and a diagonal that fills 1/10 of its box."""
    values = np.zeros((24, 32), np.uint8)
    values[2:9, 3:9] = 1
    values[2:9, 20:30] = 2
    values[np.arange(12, 22), np.arange(10, 20)] = 3
    return values


@pytest.fixture
def tree(save: Save, tmp_path: Path, objects: Values) -> Path:
    """Two images for validation, of which one has two dogs (class 12) and a person (15); one for training."""
    place = tmp_path / "sbd"
    for name in ("2008_000002", "2008_000003", "2008_000009"):
        save(f"sbd/img/{name}.jpg")
    write(place, "2008_000002", objects, [12, 15, 12])
    write(place, "2008_000003", (objects == 2).astype(np.uint8), [1])
    write(place, "2008_000009", objects * (objects < 3), [12, 15])
    (place / "val.txt").write_text("2008_000003\n2008_000002\n\n")
    (place / "train.txt").write_text("2008_000009\n")
    return place


def test_every_object_is_a_sample_in_the_order_of_the_list(tree: Path, objects: Values) -> None:
    dataset = load_dataset("sbd", root=tree)
    ids = ["2008_000003__1", "2008_000002__1", "2008_000002__2", "2008_000002__3"]
    assert [sample.id for sample in dataset] == ids
    assert by_image(dataset) == [[0], [1, 2, 3]]
    for i, value in ((1, 1), (2, 2), (3, 3)):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, objects == value)
        assert target.ignore is None
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []
    assert registry().datasets.resolve("sbd").n_samples == 6671


def test_the_training_split_and_the_classes_lie_in_the_same_place(tree: Path, objects: Values) -> None:
    train = load_dataset("sbd-train", root=tree.parent)
    assert [sample.id for sample in train] == ["2008_000009__1", "2008_000009__2"]
    assert len(load_dataset("sbd-train?min_fill=1.1", root=tree.parent)) == 0, "both fill their boxes"
    classes = load_dataset("sbd-per-class", root=tree.parent)
    ids = ["2008_000003__1", "2008_000002__12", "2008_000002__15"]
    assert [sample.id for sample in classes] == ids
    assert np.array_equal(classes[1].read_target().object, (objects == 1) | (objects == 3)), "both dogs"


def test_full_masks_with_classes_for_training(tree: Path, objects: Values) -> None:
    sample = SBD(tree, "val")[1]
    assert (sample.image.shape, sample.masks.shape, sample.masks.dtype) == ((24, 32, 3), (24, 32, 1), np.uint8)
    assert np.array_equal(sample.masks[:, :, 0], objects)
    assert sample.info["classes"] == {(0, 1): "dog", (0, 2): "person", (0, 3): "dog"}
    per_class = SBDClasses(tree, "val")[1]
    assert set(np.unique(per_class.masks)) == {0, 12, 15}
    assert per_class.info["classes"][0, 12] == "dog"


def test_objects_that_hardly_fill_their_box_are_left_out_for_training_alone(tree: Path, objects: Values) -> None:
    for min_fill, values in ((0.0, [0, 1, 2, 3]), (0.08, [0, 1, 2, 3]), (0.11, [0, 1, 2])):
        masks = SBD(tree, "val", min_fill=min_fill).read_masks(1)
        assert np.unique(masks).tolist() == values
        kept = np.isin(objects, values)
        assert np.array_equal(masks[:, :, 0][kept], objects[kept])


@pytest.mark.parametrize("damage", ["cut off", "no .mat file", "empty", "absent", "another struct", "no masks"])
def test_a_broken_mat_file_is_one_sample_that_is_reported(damage: str, tree: Path) -> None:
    broken = tree / "inst" / "2008_000003.mat"
    if damage == "absent":
        broken.unlink()
    elif damage == "another struct":
        savemat(broken, {"GTcls": {"Segmentation": np.ones((3, 3), np.uint8)}})
    elif damage == "no masks":
        savemat(broken, {"GTinst": {"Categories": np.ones((3, 3), np.uint8)}})
    else:
        content = {"cut off": broken.read_bytes()[:300], "no .mat file": b"\x89PNG" * 80, "empty": b""}[damage]
        broken.write_bytes(content)
    dataset = load_dataset("sbd", root=tree)
    faults = {sample.id: inspect(sample).fault for sample in dataset}
    assert str(broken) in (faults.pop("2008_000003") or "")
    assert list(faults.values()) == [None, None, None]
    seen_at_once = damage in ("no .mat file", "empty", "absent")
    assert [str(broken) in fault for fault in dataset.check_files()] == [True] * seen_at_once
    assert dataset.stamp()


def test_a_broken_image_and_one_of_another_size_are_reported(tree: Path, save: Save) -> None:
    save("sbd/img/2008_000003.jpg", np.zeros((10, 12, 3), np.uint8))
    (tree / "img" / "2008_000002.jpg").write_bytes(b"no jpeg")
    dataset = load_dataset("sbd", root=tree)
    assert "differ in size (rows x columns): 10x12 but 24x32" in (inspect(dataset[0]).fault or "")
    assert all("2008_000002.jpg: cannot be decoded" in (inspect(dataset[i]).fault or "") for i in (1, 2, 3))
    assert ["2008_000002.jpg" in fault for fault in dataset.check_files()] == [True]


def test_loading_reads_no_annotation(tree: Path) -> None:
    for path in (tree / "inst").iterdir():
        path.unlink()
    dataset = load_dataset("sbd", root=tree)
    assert dataset.name == "sbd"
    (tree / "val.txt").unlink()
    with pytest.raises(DatasetError, match=r"lacks val\.txt"):
        load_dataset("sbd", root=tree)
    with pytest.raises(DatasetError, match=r"val\.txt: the list of the split's names cannot be read"):
        SBD(tree, "val")


LOAD = """
import sys
from iiszoo.builtin.datasets import DATASETS
from iiszoo.data.inspection import inspect
from iiszoo.loading import load_dataset
from iiszoo.object_path import load_object

for card in DATASETS:
    load_object(card.loader)
dataset = load_dataset("sbd", root=sys.argv[1])
assert not {"torch", "numpy", "cv2", "scipy"} & sys.modules.keys(), "loading imports nothing heavy"
assert [inspect(sample).fault for sample in dataset] == [None] * 4
assert "torch" not in sys.modules, "nor does reading need torch"
"""


def test_no_reader_imports_anything_heavy_before_it_reads(iiszoo: Run, tree: Path) -> None:
    done = iiszoo(tree, program=LOAD)
    assert (done.returncode, done.stderr) == (0, "")
