"""COCO+LVIS in RITM's layout: layers of objects, a part in a layer above the whole, stuff after things."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.datasets.coco_lvis import CocoLvis
from iiszoo.data.inspection import inspect
from iiszoo.data.seg_dataset import Region
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Layers = NDArray[np.uint8]

MAPPING = [(0, 1), (1, 1), (0, 2), (0, 5)]  # a person, the person's hat, a dog; then grass, which is stuff
HIERARCHY = {
    0: {"children": [1], "parent": None, "node_level": 0},
    1: {"children": [], "parent": 0, "node_level": 1},
    2: None,
}


@pytest.fixture
def layers() -> Layers:
    """uint8 `(24, 32, 2)`, with a value 7 that no object has."""
    values = np.zeros((24, 32, 2), np.uint8)
    values[18:, :, 0] = 5
    values[2:20, 3:9, 0] = 1
    values[10:20, 20:30, 0] = 2
    values[0, 0, 0] = 7
    values[2:6, 3:9, 1] = 1
    return values


def write_masks(path: Path, layers: Layers, mapping: Any = None) -> None:
    encoded = [cv2.imencode(".png", layers[:, :, k])[1] for k in range(layers.shape[2])]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps((encoded, MAPPING if mapping is None else mapping)))


@pytest.fixture
def tree(save: Save, tmp_path: Path, layers: Layers) -> Path:
    """Two training images, the second without hierarchy or stuff; one for validation."""
    place = tmp_path / "coco_lvis"
    for split, id in (("train", "000000000009"), ("train", "000000000025"), ("val", "000000000139")):
        save(f"coco_lvis/{split}/images/{id}.jpg")
    write_masks(place / "train" / "masks" / "000000000009.pickle", layers)
    write_masks(place / "train" / "masks" / "000000000025.pickle", layers[:, :, :1] * (layers[:, :, :1] == 2), [(0, 2)])
    write_masks(place / "val" / "masks" / "000000000139.pickle", layers, [(np.int64(0), np.int64(1)), (1, 1)])
    objects = {
        "000000000025": {"num_instance_masks": 1, "hierarchy": {0: None}},
        "000000000009": {"num_instance_masks": 3, "hierarchy": HIERARCHY},
    }
    (place / "train" / "hannotation.pickle").write_bytes(pickle.dumps(objects))
    val = {"000000000139": {"num_instance_masks": np.int64(2), "hierarchy": {}}}
    (place / "val" / "hannotation.pickle").write_bytes(pickle.dumps(val))
    return place


def test_full_masks_stuff_and_parents_for_training(tree: Path, layers: Layers) -> None:
    dataset = CocoLvis(tree)
    assert [dataset.image_id(i) for i in range(len(dataset))] == ["000000000009", "000000000025"]
    sample = dataset[0]
    assert (sample.image.shape, sample.masks.shape, sample.masks.dtype) == ((24, 32, 3), (24, 32, 2), np.uint8)
    assert np.array_equal(sample.masks, layers * (layers != 7)), "what no object has is background"
    assert sample.info == {"stuff": [(0, 5)], "parents": {(1, 1): (0, 1)}}
    assert dataset.regions(0) == [Region(0, 1), Region(0, 2), Region(0, 5), Region(1, 1)]
    assert dataset[1].info == {"stuff": [], "parents": {}}


def test_every_thing_is_a_sample(tree: Path, layers: Layers) -> None:
    dataset = load_dataset("coco_lvis", root=tree.parent)
    ids = ["000000000009__1", "000000000009__2", "000000000009__1.1", "000000000025__2"]
    assert [sample.id for sample in dataset] == ids
    assert by_image(dataset) == [[0, 1, 2], [3]]
    for i, (layer, value) in enumerate([(0, 1), (0, 2), (1, 1), (0, 2)]):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, layers[:, :, layer] == value)
        assert target.ignore is None
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []
    with_stuff = load_dataset("coco_lvis?stuff=true", root=tree.parent)
    assert [sample.id for sample in with_stuff][:4] == [*ids[:2], "000000000009__5", ids[2]]
    val = load_dataset("coco_lvis-val", root=tree.parent)
    assert [sample.id for sample in val] == ["000000000139__1", "000000000139__1.1"]


def test_without_stuff_it_is_background(tree: Path, layers: Layers) -> None:
    sample = CocoLvis(tree, stuff=False)[0]
    assert np.array_equal(sample.masks, layers * (layers < 5))
    assert sample.info["stuff"] == []


class Malicious:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("file", ["hannotation.pickle", "masks/000000000009.pickle"])
def test_code_in_either_pickle_is_not_run(file: str, tree: Path) -> None:
    proof = tree / "it-ran"
    (tree / "train" / file).write_bytes(pickle.dumps([Malicious(proof)]))
    dataset = CocoLvis(tree)
    with pytest.raises(DatasetError, match=rf"{tree / 'train' / file}: contains (posix|nt)\.mkdir"):
        dataset.read_masks(0)
    assert not proof.exists()


DAMAGE: dict[str, Callable[[Path, Layers], Any]] = {
    "no pickle": lambda path, layers: path.write_bytes(b"nonsense"),
    "empty": lambda path, layers: path.write_bytes(b""),
    "absent": lambda path, layers: path.unlink(),
    "another form": lambda path, layers: path.write_bytes(pickle.dumps({"layers": 1})),
    "no picture": lambda path, layers: path.write_bytes(pickle.dumps(([np.zeros(9, np.uint8)], [(0, 1)]))),
    "a layer too few": lambda path, layers: write_masks(path, layers[:, :, :1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_broken_masks_are_reported_by_name(damage: str, tree: Path, layers: Layers) -> None:
    broken = tree / "train" / "masks" / "000000000009.pickle"
    DAMAGE[damage](broken, layers)
    dataset = load_dataset("coco_lvis", root=tree)
    faults = [inspect(sample).fault for sample in dataset]
    assert all(str(broken) in (fault or "") for fault in faults[:-1])
    assert faults[-1] is None
    assert [str(broken) in fault for fault in dataset.check_files()] == [True] * (damage in ("empty", "absent"))


def test_a_validation_image_of_train2017_is_found_there(tree: Path) -> None:
    name = "000000000139.jpg"
    (tree / "val" / "images" / name).rename(tree / "train" / "images" / name)
    dataset = load_dataset("coco_lvis-val", root=tree)
    assert inspect(dataset[0]).fault is None
    assert str(tree / "train" / "images" / name) in dataset[0].files


def test_an_image_that_is_missing_is_reported(tree: Path) -> None:
    (tree / "train" / "images" / "000000000025.jpg").unlink()
    dataset = load_dataset("coco_lvis", root=tree)
    assert "000000000025.jpg: cannot be read" in (inspect(dataset[3]).fault or "")
    assert ["000000000025.jpg" in fault for fault in dataset.check_files()] == [True]


def test_a_broken_list_of_objects_is_reported_by_name(tree: Path) -> None:
    file = tree / "train" / "hannotation.pickle"
    for content, fault in (
        ([1], "must contain a dict of images, not a list"),
        ({"000000000009": {}}, "image 000000000009 has no num_instance_masks"),
        ({"000000000009": {"num_instance_masks": 1, "hierarchy": {0: {"parent": 9}}}}, "hierarchy of image"),
    ):
        file.write_bytes(pickle.dumps(content))
        with pytest.raises(DatasetError, match=f"{file}: .*{fault}"):
            CocoLvis(tree)[0]
    file.unlink()
    with pytest.raises(DatasetError, match=r"lacks train/hannotation\.pickle"):
        load_dataset("coco_lvis", root=tree)


@pytest.mark.parametrize("id", ["../x", "/etc/x", "a\0", ".", "x" * 5000])
def test_an_id_that_leads_out_is_refused(id: str, tree: Path) -> None:
    file = tree / "train" / "hannotation.pickle"
    file.write_bytes(pickle.dumps({id: {"num_instance_masks": 0, "hierarchy": {}}}))
    with pytest.raises(DatasetError, match=r"hannotation\.pickle: an image's id cannot be used"):
        len(CocoLvis(tree))


@pytest.mark.parametrize("n", [-1, 1.5, "2", float("nan"), None, [1]])
def test_a_number_of_things_that_is_none_is_named(n: Any, tree: Path) -> None:
    file = tree / "train" / "hannotation.pickle"
    file.write_bytes(pickle.dumps({"000000000009": {"num_instance_masks": n, "hierarchy": HIERARCHY}}))
    with pytest.raises(DatasetError, match=r"hannotation\.pickle: image 000000000009 has (no )?num_instance_masks"):
        CocoLvis(tree).regions(0)


@pytest.mark.parametrize("mapping", [[(0.5, 1)], [(0, float("inf"))], [("0", "1")], [(0, -1)], [(5, 1)], [(-1, 1)]])
def test_an_object_that_lies_in_no_layer_is_named(mapping: Any, tree: Path, layers: Layers) -> None:
    write_masks(tree / "train" / "masks" / "000000000009.pickle", layers, mapping)
    with pytest.raises(DatasetError, match=r"000000000009\.pickle: "):
        CocoLvis(tree).regions(0)


def test_layers_that_need_too_much_memory_are_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiszoo.data.datasets.coco_lvis.MOST_BYTES", 24 * 32 * 2 - 1)
    with pytest.raises(DatasetError, match=r"its 2 layers of 768 bytes need more than"):
        CocoLvis(tree).read_masks(0)
