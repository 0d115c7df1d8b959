"""HQSeg-44K's validation part, on a tiny tree of its layout: the whole, and each of its four parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.datasets.hqseg44k import PARTS
from iiszoo.data.inspection import inspect
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
IDS = ["hqseg44k-dis", "hqseg44k-thin", "hqseg44k-coift", "hqseg44k-hrsod"]


@pytest.fixture
def tree(save: Save, object_mask: Mask, tmp_path: Path) -> Path:
    """Two photographs in each part, of the same names; masks of all kinds that mean the same object."""
    grey = object_mask.astype(np.uint8)
    zero = 0 * grey
    palette = Image.fromarray(grey)
    palette.putpalette([0, 0, 0, 0, 0, 9])
    kinds = {
        "dis": 255 * grey,
        "thin": np.dstack([zero, zero, grey]),  # blue alone, and hardly
        "coift": np.dstack([grey, zero, zero, 0 * grey + 255]),  # with alpha
        "hrsod": palette,
    }
    for part, (images, masks) in PARTS.items():
        for name in ("b#1", "a"):
            save(f"hqseg44k/{images}/{name}.jpg")
            save(f"hqseg44k/{masks}/{name}.png", kinds[part])
    save("hqseg44k/thin_object_detection/ThinObject5K/images_train/train.jpg")
    return tmp_path


def test_all_parts_come_in_upstreams_order_and_any_channel_is_object(tree: Path, object_mask: Mask) -> None:
    dataset = load_dataset("hqseg44k", root=tree)
    assert [sample.id for sample in dataset] == [f"{part}/{name}" for part in PARTS for name in ("a", "b#1")]
    for sample in dataset:
        target = sample.read_target()
        assert np.array_equal(target.object, object_mask), sample.id
        assert target.ignore is None
        assert inspect(sample).fault is None
    assert list(dataset.check_files()) == []


@pytest.mark.parametrize("id", IDS)
def test_a_part_is_a_dataset_of_its_own_in_the_same_place(id: str, tree: Path) -> None:
    part = id.partition("-")[2]
    whole, dataset = load_dataset("hqseg44k", root=tree), load_dataset(id, root=tree)
    assert (dataset.name, len(dataset)) == (id, 2)
    assert [sample.id for sample in dataset] == [sample.id for sample in whole if sample.id.partition("/")[0] == part]


def test_one_part_is_enough_for_its_own_id_only(tree: Path) -> None:
    (tree / "hqseg44k" / "DIS5K").rename(tree / "elsewhere")
    assert len(load_dataset("hqseg44k-coift", root=tree)) == 2
    with pytest.raises(DatasetError, match=r"lacks DIS5K/DIS-VD/im and DIS5K/DIS-VD/gt"):
        load_dataset("hqseg44k", root=tree)


def test_files_without_partner_and_of_other_sizes_are_told(tree: Path, save: Save) -> None:
    images, masks = (tree / "hqseg44k" / folder for folder in PARTS["hrsod"])
    (masks / "a.png").unlink()
    save(f"{masks}/b#1.png", np.zeros((5, 5), np.uint8))
    faults = [*load_dataset("hqseg44k-hrsod", root=tree).check_files()]
    assert len(faults) == 2
    assert f"{images}: image a.jpg has no mask" in faults[0]
    assert "differ in size (rows x columns): 24x32 but 5x5" in faults[1]


def test_the_cards_state_the_published_numbers_and_the_terms() -> None:
    whole, *parts = (registry().datasets.resolve(id) for id in ("hqseg44k", *IDS))
    assert [part.n_samples for part in parts] == [470, 500, 280, 287]
    assert whole.n_samples == sum(part.n_samples for part in parts)
    assert all(part.licence in whole.licence for part in parts)
    assert {archive.into for archive in whole.archives} == {"DIS5K", "thin_object_detection"}
