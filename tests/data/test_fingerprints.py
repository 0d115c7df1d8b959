"""What a dataset is known by: it changes with an image's bytes, a target's pixels and an id, and with nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iiszoo.data import outlines
from iiszoo.data.base import EvaluationDataset, Sample, Target, WrappedDataset
from iiszoo.data.inspection import seen_target
from iiszoo.engine.runs.dataset_check import survey
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
SQUARE = [[3, 2, 12, 2, 12, 9, 3, 9]]


def prints(dataset: EvaluationDataset, limit: int | None = None) -> tuple[str, str | None]:
    found = survey(dataset, limit, lambda done, total: None)
    return found.fingerprint, found.initial


def write_tree(save: Save, place: Path, object_mask: Mask) -> None:
    """Two images: one with two objects and an initial mask each, as `folder:`, `davis585` and `coco:` read them."""
    for name in ("a__1", "a__2", "b"):
        save(f"photos/masks/{name}.png", object_mask.astype(np.uint8) * 255)
    for name in "ab":
        save(f"photos/images/{name}.png")
    for frame, objects in {"00001": ("x", "y"), "00002": ("x",)}.items():
        save(f"davis585/bear/{frame}.jpg")
        for name in objects:
            for start in ("", "init_sp_", "init_stm_"):
                save(f"davis585/bear/{start}{name}_{frame}.png", object_mask.astype(np.uint8) * 255)
    table = {
        "images": [{"id": 1, "file_name": "photos/images/a.png"}, {"id": 2, "file_name": "photos/images/b.png"}],
        "annotations": [
            {"id": n, "image_id": image, "segmentation": SQUARE} for n, image in enumerate((1, 1, 2), start=1)
        ],
    }
    (place / "photos" / "all.json").write_text(json.dumps(table))


@pytest.fixture
def tree(save: Save, object_mask: Mask, tmp_path: Path) -> Path:
    write_tree(save, tmp_path, object_mask)
    return tmp_path


READERS = ["folder:{}/photos", "folder:{}/photos?objects=values", "davis585", "davis585-sp", "coco:{}/photos/all.json"]


@pytest.fixture(params=READERS)
def opened(request: pytest.FixtureRequest, tree: Path) -> Callable[[str], EvaluationDataset]:
    """`opened(options)`: the dataset, read anew."""

    def opened(initial: str = "") -> EvaluationDataset:
        name = request.param.format(tree)
        mark = "&" if "?" in name else "?"
        return load_dataset(f"{name}{mark}initial={initial}" if initial else name, tree)

    return opened


def test_it_stays_with_touched_files_limits_and_other_initial_masks(
    opened: Callable[..., EvaluationDataset], tree: Path
) -> None:
    dataset, own = prints(opened())
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    assert prints(opened()) == prints(opened(), 0) == prints(opened(), 1) == (dataset, own)
    started = [prints(opened(f"perturb:iou=0.5-0.9,seed={seed}")) for seed in (1, 2)]
    assert {found for found, _ in started} == {dataset}
    assert len({own, *(initial for _, initial in started)}) == 3


def test_it_changes_with_every_byte_of_an_image(opened: Callable[..., EvaluationDataset]) -> None:
    seen = {prints(opened())}
    for file in sorted({sample.image_file for sample in opened() if sample.image_file}):
        with file.open("ab") as image:
            image.write(b"\0")  # behind the picture: no pixel changes
        seen.add(prints(opened()))
    assert (len({dataset for dataset, _ in seen}), len({initial for _, initial in seen})) == (3, 1)


@settings(max_examples=10, deadline=None)
@given(row=st.integers(0, 23), col=st.integers(0, 31))
def test_it_changes_with_every_pixel_of_a_target(tmp_path_factory: pytest.TempPathFactory, row: int, col: int) -> None:
    place = tmp_path_factory.mktemp("tree")
    (place / "images").mkdir()
    (place / "masks").mkdir()
    cv2.imwrite(str(place / "images" / "a.png"), np.zeros((24, 32, 3), np.uint8))
    mask = np.zeros((24, 32), np.uint8)
    mask[4:9, 4:9] = 255
    mask[0, :3] = 128
    found = []
    for value in (mask[row, col], 0, 128, 255):
        mask[row, col] = value
        for suffix in ("png", "bmp"):
            for path in (place / "masks").iterdir():
                path.unlink()
            cv2.imwrite(str(place / "masks" / f"a.{suffix}"), mask)
            found.append((int(value), prints(load_dataset(f"folder:{place}"))[0]))
    assert len(dict.fromkeys(found)) == len({print for _, print in found}) == 3


def test_it_changes_with_an_id_and_with_the_order(tree: Path) -> None:
    class Renamed(WrappedDataset):
        ids = ("a__1", "a__2", "b")

        def sample(self, i: int) -> Sample:
            return replace(super().sample(i), id=self.ids[i])

    dataset = Renamed(load_dataset(f"folder:{tree / 'photos'}"), "renamed")
    before = prints(dataset)
    assert before == prints(load_dataset(f"folder:{tree / 'photos'}"))
    seen = {before[0]}
    for ids in (("a__1", "a__2", "c"), ("a__2", "a__1", "b")):
        dataset.ids = ids
        seen.add(prints(dataset)[0])
    assert len(seen) == 3


def test_an_image_in_memory_counts_by_its_pixels(object_mask: Mask) -> None:
    class Drawn(EvaluationDataset):
        name, place = "drawn", Path()
        image = np.zeros((24, 32, 3), np.uint8)

        def __len__(self) -> int:
            return 1

        def sample(self, i: int) -> Sample:
            return Sample("one", "one", (), lambda: self.image, lambda: Target(object_mask, None))

    dataset = Drawn()
    before = prints(dataset)
    assert before == prints(dataset, 0)
    dataset.image = dataset.image.copy()
    assert prints(dataset) == before
    dataset.image[5, 5, 1] = 1
    assert prints(dataset)[0] != before[0]


def test_a_torn_image_is_another_dataset_but_no_other_masks(tree: Path) -> None:
    name = f"folder:{tree / 'photos'}?initial=perturb"
    before = prints(load_dataset(name))
    (tree / "photos" / "images" / "b.png").unlink()
    after = prints(load_dataset(name))
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)


def test_probabilities_and_masks_start_differently(tree: Path) -> None:
    found = set()
    for kind in (np.uint8, np.float32):
        place = tree / kind.__name__
        place.mkdir()
        for sample in load_dataset(f"folder:{tree / 'photos'}"):
            values = sample.read_target().object.astype(kind)
            if kind is np.uint8:
                cv2.imwrite(str(place / f"{sample.id}.png"), values)
            else:
                np.save(place / f"{sample.id}.npy", values)
        found.add(prints(load_dataset(f"folder:{tree / 'photos'}?initial=masks:{place}")))
    assert (len({dataset for dataset, _ in found}), len({initial for _, initial in found})) == (1, 2)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_run_lengths_are_told_apart_as_pixels_are(data: st.DataObject) -> None:
    """`coco:` hashes run lengths: two targets have one hash where they have the same pixels, and only there."""
    shape = 3, 4
    masks = st.lists(st.booleans(), min_size=12, max_size=12).map(lambda v: np.reshape(v, shape))
    drawn = [(data.draw(masks), data.draw(masks)) for _ in range(2)]
    if data.draw(st.booleans()):
        drawn[1] = drawn[0][0], drawn[0][1] | (drawn[0][0] & drawn[1][1])  # ignored below the object: the same target
    digests = []
    for object, crowd in drawn:
        target = Target(object, crowd & ~object)
        digests.append((seen_target(target).digest, _of_run_lengths(object, crowd)))
    assert (digests[0][0] == digests[1][0]) == (digests[0][1] == digests[1][1])


def _of_run_lengths(object: Mask, crowd: Mask) -> Any:
    from iiszoo.data.datasets.coco_file import CocoFile, CocoObjects

    def counts(mask: Mask) -> dict[str, Any]:
        values = mask.T.ravel()
        counts = np.diff([0, *(np.flatnonzero(np.diff(values)) + 1), values.size]).tolist()
        return {"size": list(mask.shape), "counts": [0, *counts] if values[0] else counts}

    file = CocoFile(Path("none.json"))
    found = {0: outlines.run_lengths(counts(object), (3, 4)), 1: outlines.run_lengths(counts(crowd), (3, 4))}
    file.__dict__.update(
        images=[_image()], outline=lambda i, k: found[k], ignored=lambda i: found[1], size=lambda i: (3, 4)
    )
    look_at = CocoObjects("coco:none.json", file)[0].look_at_target
    assert look_at is not None
    return look_at().digest


def _image() -> Any:
    from iiszoo.data.coco_tables import Annotation, CocoImage

    entries = [Annotation("one", 1, [1], None, False, ""), Annotation("crowd", 2, [1], None, True, "")]
    return CocoImage(1, "a.png", "a.png", (3, 4), entries)


def test_a_dataset_is_a_sequence_of_samples_and_reads_nothing_for_it(
    opened: Callable[..., EvaluationDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = opened()
    ids = [sample.id for sample in dataset]
    monkeypatch.setattr("iiszoo.data.read.read_image", None)
    monkeypatch.setattr("iiszoo.data.read.read_mask", None)
    n = len(dataset)
    assert [dataset[i].id for i in range(n)] == [dataset[i - n].id for i in range(n)] == ids
    assert [sample.id for sample in dataset[1:]] == ids[1:]
    assert [sample.id for sample in dataset[::-1]] == [sample.id for sample in reversed(dataset)] == ids[::-1]
    for i in (n, -n - 1):
        with pytest.raises(IndexError):
            dataset[i]
