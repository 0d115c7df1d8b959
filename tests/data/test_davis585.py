"""DAVIS585: objects by sequence, and the flawed masks that a session starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.fixture
def tree(save: Save, object_mask: Mask, tmp_path: Path) -> Path:
    """Two objects on one frame, one on a frame of another sequence."""
    for sequence, frame, objects in (("bear", "00009", ("object1", "object2")), ("dance-twirl", "00010", ("object1",))):
        save(f"davis585/{sequence}/{frame}.jpg")
        for k, name in enumerate(objects):
            mask = np.roll(object_mask, k, 1)
            save(f"davis585/{sequence}/{name}_{frame}.png", mask.astype(np.uint8) * 255)
            save(
                f"davis585/{sequence}/init_sp_{name}_{frame}.png", np.where(np.roll(mask, 2, 0), 129, 128).astype("u1")
            )
            save(f"davis585/{sequence}/init_stm_{name}_{frame}.png", np.roll(mask, 3, 1).astype(np.uint8) * 255)
    save("davis585/notes/picture.png")
    save("davis585/.cache/object1_00001.png")
    save("davis585/.cache/init_sp_object1_00001.png")
    return tmp_path


@pytest.mark.parametrize(("id", "shift"), [("davis585", None), ("davis585-sp", (2, 0)), ("davis585-stm", (3, 1))])
def test_one_place_serves_three_ways_to_start(
    id: str, shift: tuple[int, int] | None, tree: Path, object_mask: Mask
) -> None:
    dataset = load_dataset(id, root=tree)
    ids = ["bear/object1_00009", "bear/object2_00009", "dance-twirl/object1_00010"]
    assert [sample.id for sample in dataset] == ids
    assert by_image(dataset) == [[0, 1], [2]]
    assert (dataset.name, registry().datasets.resolve(id).n_samples) == (id, 585)
    for i in range(3):
        mask = np.roll(object_mask, int(i == 1), 1)
        assert np.array_equal(dataset[i].read_target().object, mask)
        assert dataset[i].read_target().ignore is None
        initial = dataset[i].read_initial_mask()
        if shift is None:
            assert initial is None
        else:
            assert initial is not None
            assert np.array_equal(initial, np.roll(mask, *shift))
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []


def test_the_three_ways_are_told_apart_by_what_is_recorded(tree: Path) -> None:
    datasets = [load_dataset(id, root=tree) for id in ("davis585", "davis585-sp", "davis585-stm")]
    assert len({inspect(dataset[0]).target for dataset in datasets}) == 1
    assert len({inspect(dataset[0]).initial for dataset in datasets}) == 3
    assert len({dataset.stamp() for dataset in datasets}) == 3


@pytest.mark.parametrize("name", ["00010.jpg", "object1_00010.png", "init_sp_object1_00010.png"])
def test_a_broken_file_is_reported_by_name(name: str, tree: Path) -> None:
    broken = tree / "davis585" / "dance-twirl" / name
    broken.write_bytes(b"not a picture")
    dataset = load_dataset("davis585-sp", root=tree)
    faults = [inspect(dataset[i]).fault for i in range(3)]
    assert faults[:2] == [None, None]
    assert str(broken) in (faults[2] or "")
    assert [str(broken) in fault for fault in dataset.check_files()] == [True]


@pytest.mark.parametrize("name", ["00010.jpg", "init_stm_object1_00010.png"])
def test_a_missing_file_is_reported_by_name(name: str, tree: Path) -> None:
    missing = tree / "davis585" / "dance-twirl" / name
    missing.unlink()
    dataset = load_dataset("davis585-stm", root=tree)
    assert str(missing) in (inspect(dataset[2]).fault or "")
    assert [str(missing) in fault for fault in dataset.check_files()] == [True]
    assert dataset.stamp()


def test_an_initial_mask_of_another_size_is_reported(tree: Path, save: Save) -> None:
    save("davis585/bear/init_sp_object2_00009.png", np.full((8, 9), 255, np.uint8))
    dataset = load_dataset("davis585-sp", root=tree)
    assert "init_sp_object2_00009.png" in (inspect(dataset[1]).fault or "")
    (fault,) = dataset.check_files()
    assert "bear/object2_00009 differ in size" in fault
    assert "init_sp_object2_00009.png 8x9" in fault


def test_a_place_of_another_layout_says_what_is_expected(tmp_path: Path, save: Save) -> None:
    save("images/a.png")
    with pytest.raises(DatasetError, match=r"contains no mask SEQUENCE/OBJECT_FRAME\.png"):
        load_dataset("davis585", root=tmp_path)
    with pytest.raises(DatasetError, match="dataset davis585-sp was not found"):
        load_dataset("davis585-sp", root=tmp_path / "nowhere")
