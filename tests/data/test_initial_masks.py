"""`DATASET?initial=WHAT`: masks that sessions start from, of files or made from the targets, for any dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.initial_masks import perturbation, with_initial
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.dataset_check import survey, survey_for_run
from iiszoo.errors import BadOption, DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.fixture
def folder(save: Save, object_mask: Mask, tmp_path: Path) -> str:
    """`folder:DIR` of three images, one of them with two objects."""
    for name in ("cat", "dog__0", "dog__1", "eel"):
        save(f"photos/masks/{name}.png", np.roll(object_mask, len(name), 1).astype(np.uint8) * 255)
    for name in ("cat", "dog", "eel"):
        save(f"photos/images/{name}.png")
    return f"folder:{tmp_path / 'photos'}"


@pytest.fixture
def flawed(save: Save, object_mask: Mask, tmp_path: Path) -> Path:
    """A mask for each sample, of four kinds."""
    save("flawed/cat.png", object_mask.astype(np.uint8))
    save("flawed/dog__0.jpg", object_mask.astype(np.uint8) * 255, quality=100)
    save("flawed/dog__1.bmp", object_mask.astype(np.uint8) * 255)
    save("flawed/eel.png", np.dstack([object_mask.astype(np.uint8) * 255] * 3))
    save("flawed/nobody.png", object_mask.astype(np.uint8))
    return tmp_path / "flawed"


def prints(dataset: EvaluationDataset) -> tuple[str, str | None]:
    """The fingerprint of the dataset, and that of the initial masks."""
    found = survey(dataset, None, lambda done, total: None)
    return found.fingerprint, found.initial


def faults(dataset: EvaluationDataset) -> str:
    with pytest.raises(DatasetError) as error:
        survey_for_run(dataset, None, False, lambda done, total: None)
    return str(error.value)


def test_masks_of_files_are_found_by_sample_id(folder: str, flawed: Path, object_mask: Mask) -> None:
    plain, dataset = load_dataset(folder), load_dataset(f"{folder}?initial=masks:{flawed}")
    assert dataset.name == f"{folder}?initial=masks:{flawed}"
    assert [sample.id for sample in dataset] == ["cat", "dog__0", "dog__1", "eel"]
    assert by_image(dataset) == by_image(plain) == [[0], [1, 2], [3]]
    for i in range(4):
        assert np.array_equal(dataset[i].read_initial_mask(), object_mask)  # type: ignore[arg-type]
        assert np.array_equal(dataset[i].read_target().object, plain[i].read_target().object)
        assert np.array_equal(dataset[i].read_image(), plain[i].read_image())
        assert plain[i].read_initial_mask() is None
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []
    assert prints(dataset)[0] == prints(plain)[0]
    assert (prints(dataset)[1] is None, prints(plain)[1]) == (False, None)
    assert dataset.stamp() != plain.stamp()


def test_an_id_with_directories_names_a_file_in_directories(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("davis585/bear/00009.jpg")
    for name in ("object1_00009", "init_sp_object1_00009"):
        save(f"davis585/bear/{name}.png", object_mask.astype(np.uint8) * 255)
    save("mine/bear/object1_00009.png", np.roll(object_mask, 1, 0))
    dataset = load_dataset(f"davis585-sp?initial=masks:{tmp_path / 'mine'}", tmp_path)
    mask = dataset[0].read_initial_mask()
    assert mask is not None
    assert np.array_equal(mask, np.roll(object_mask, 1, 0))  # not the one that the dataset has


def test_every_fault_of_a_mask_is_told_by_name_before_anything_runs(folder: str, flawed: Path, save: Save) -> None:
    (flawed / "cat.png").unlink()
    (flawed / "dog__0.jpg").write_bytes(b"torn")
    save("flawed/dog__1.bmp", np.ones((5, 6), np.uint8))
    save("flawed/eel.jpg", np.ones((24, 32), np.uint8))
    dataset = load_dataset(f"{folder}?initial=masks:{flawed}")
    told = faults(dataset)
    assert "4 of 4 samples cannot be used" in told
    assert f"{flawed}: sample 'cat' has no initial mask" in told
    assert f"{flawed / 'dog__0.jpg'}: cannot be decoded as an image" in told
    assert f"{flawed / 'dog__1.bmp'}: initial mask and mask differ in size (rows x columns): 5x6 but 24x32" in told
    assert f"{flawed}: sample 'eel' has several initial masks: eel.jpg, eel.png" in told
    unseen = " ".join(dataset.check_files())
    assert all(part in unseen for part in ("'cat' has no", "dog__0.jpg: cannot be decoded", "'eel' has several"))


def test_a_directory_that_fits_no_sample_is_refused(folder: str, tmp_path: Path, flawed: Path) -> None:
    with pytest.raises(DatasetError, match=r"such as cat\.png, .*; there is no such directory"):
        load_dataset(f"{folder}?initial=masks:{tmp_path / 'absent'}")
    for path in flawed.iterdir():
        path.rename(path.with_stem(f"{path.stem}_init"))
    with pytest.raises(DatasetError, match=r"none is named after a sample id .* it contains cat_init, dog__0_init, "):
        load_dataset(f"{folder}?initial=masks:{flawed}")


def test_masks_made_from_targets_depend_on_sample_seed_and_range(folder: str) -> None:
    def masks(what: str) -> list[Any]:
        dataset = load_dataset(f"{folder}?initial={what}")
        return [dataset[i].read_initial_mask() for i in (3, 0, 1, 2)]

    first, again, other, worse = (
        masks(w) for w in ("perturb", "perturb:seed=0", "perturb:seed=1", "perturb:iou=0.3-0.5")
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for changed in (other, worse):
        assert not any(np.array_equal(a, b) for a, b in zip(first, changed, strict=True))
    assert not np.array_equal(first[2], first[3])  # two samples of one image, with the same target
    names = {load_dataset(f"{folder}?initial={what}").name for what in ("perturb", "perturb:iou=0.75-0.85,seed=0")}
    assert names == {f"{folder}?initial=perturb:seed=0,iou=0.75-0.85"}
    found = {prints(load_dataset(f"{folder}?initial=perturb:seed={seed}")) for seed in (0, 0, 1)}
    assert (len(found), len({dataset for dataset, _ in found})) == (2, 1)


def test_a_sample_keeps_its_mask_when_others_go(folder: str, tmp_path: Path) -> None:
    before = load_dataset(f"{folder}?initial=perturb")[3].read_initial_mask()
    (tmp_path / "photos" / "images" / "cat.png").unlink()
    (tmp_path / "photos" / "masks" / "cat.png").unlink()
    after = load_dataset(f"{folder}?initial=perturb")[2].read_initial_mask()
    assert np.array_equal(before, after)  # type: ignore[arg-type]


def test_a_target_that_is_too_small_is_told_and_an_empty_one_as_ever(folder: str, save: Save) -> None:
    small = np.zeros((24, 32), np.uint8)
    save("photos/masks/eel.png", small)
    small[3, 3] = 255
    save("photos/masks/cat.png", small)
    told = faults(load_dataset(f"{folder}?initial=perturb"))
    assert "2 of 4 samples cannot be used" in told
    assert "cat.png: no initial mask can be made, no mask has an IoU of 0.75 to 0.85 with an object of 1 pixel;" in told
    assert "eel.png: the target is empty" in told


@pytest.mark.parametrize(
    "text",
    [
        "noise", "perturb:seed", "perturb:seed=-1", "perturb:seed=x", "perturb:seed=1,seed=2", "perturb:iou=0.8",
        "perturb:iou=0.9-0.8", "perturb:iou=0-0.5", "perturb:iou=0.5-1", "perturb:iou=nan-0.5", "perturb:blur=2",
        "masks:", "",
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(text: str) -> None:
    with pytest.raises(BadOption, match=r"write perturb:seed=0,iou=0.75-0.85"):
        perturbation(text)
    with pytest.raises(BadOption, match=r"write perturb:seed=0,iou=0.75-0.85"):
        with_initial("demo", text)


def test_masks_are_said_once() -> None:
    assert with_initial("demo") == "demo"
    assert with_initial("folder:a/b", "masks:c/d") == "folder:a/b?initial=masks:c/d"
    assert with_initial("demo?initial=perturb") == with_initial("demo", "perturb:iou=0.75-0.85")
    with pytest.raises(BadOption, match="demo: initial masks are given twice, perturb and masks:mine; give one"):
        with_initial("demo?initial=perturb", "masks:mine")
