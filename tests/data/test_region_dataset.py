"""`RegionDataset`: items of the standard format, and chance that neither workers nor epochs repeat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from seg_samples import Listed, discs, grey_level, painted, speckles
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from iiszoo.clicking.robots import ritm
from iiszoo.data.region_dataset import (
    RegionDataset,
    RegionDatasetWithInfo,
    collate_with_info,
    selector_name,
)
from iiszoo.data.region_selector import first, random_class, random_merge, random_single
from iiszoo.data.training.loader import Numbers
from iiszoo.data.transforms import training_transform
from iiszoo.errors import DatasetError

EMPTY = (np.zeros((32, 40, 3), np.uint8), np.zeros((32, 40, 1), np.int32), {"number": "empty"})


def test_an_item_is_an_image_and_its_target_in_the_standard_format() -> None:
    image, masks, _ = painted(2)
    item = RegionDataset(discs(4), first)[2]
    assert list(item) == ["image", "mask"]
    assert {type(value) for value in item.values()} == {Tensor}
    assert (item["image"].dtype, item["mask"].dtype) == (torch.float32, torch.float32)
    assert np.allclose(item["image"].numpy() * 255, image.transpose(2, 0, 1))
    assert np.array_equal(item["mask"].numpy(), masks.transpose(2, 0, 1) == 1)


def test_ignored_is_what_any_layer_ignores_but_the_region_itself() -> None:
    image, masks, info = painted(0)
    layers = np.concatenate([masks, np.full_like(masks, 5)], axis=2)
    layers[10:14, :, 1] = -3  # across the disc, and beyond it
    item = RegionDataset(Listed([(image, layers, info)]), first, with_ignore=True)[0]
    assert list(item) == ["image", "mask", "ignore"]
    assert (item["ignore"].dtype, item["ignore"].shape) == (torch.bool, (1, 32, 40))
    disc = masks[:, :, 0] == 1
    assert np.array_equal(item["ignore"][0].numpy(), (layers < 0).any(axis=2) & ~disc)
    assert np.array_equal(item["mask"][0].numpy(), disc)


def test_there_are_as_many_items_as_images() -> None:
    dataset = RegionDataset(discs(3), first)
    assert len(dataset) == len(list(dataset)) == 3
    with pytest.raises(IndexError, match="there is no sample -1"):
        dataset[-1]


def test_an_image_without_a_region_is_replaced_by_one_that_has_one() -> None:
    source = Listed([EMPTY, painted(1), EMPTY, painted(3), painted(4)])
    dataset = RegionDatasetWithInfo(source, first, seed=0)
    assert dataset[3]["info"]["image_id"] == "photo3", "one that has a region is taken itself"
    drawn = [dataset[n]["info"]["number"] for n in range(0, 1500, 5)]
    assert set(drawn) == {1, 3, 4}
    assert all(70 < drawn.count(number) < 130 for number in (1, 3, 4)), "each is equally likely"


def test_where_no_image_has_a_region_the_error_names_dataset_and_selector() -> None:
    asked: list[int] = []

    def nothing(masks: Any, info: Any, rng: Any) -> None:
        asked.append(1)

    with pytest.raises(DatasetError, match=r"^Listed: the region selector nothing found no region in 7 random images"):
        RegionDataset(discs(3), nothing, tries=7)[0]
    assert len(asked) == 7
    with pytest.raises(DatasetError, match=r"selector random_merge\(n=3, min_area=5\) .* in 100 random images"):
        RegionDataset(discs(3), partial(random_merge, n=3, min_area=5))[0]


def test_selectors_are_named_as_they_were_configured() -> None:
    class Mine:
        def __call__(self, masks: Any, info: Any, rng: Any) -> None: ...

    twice = partial(partial(random_single, min_area=5), background=True)
    assert selector_name(first) == "first"
    assert selector_name(twice) == "random_single(min_area=5, background=True)"
    assert selector_name(Mine()) == "Mine"


def test_a_selector_that_fails_is_told_with_dataset_and_image() -> None:
    with pytest.raises(DatasetError, match=r"^Listed, image photo1: the region selector random_class needs info"):
        RegionDataset(discs(3), random_class)[1]


@pytest.mark.parametrize(
    ("region", "form"),
    [
        (np.zeros((32, 40), np.uint8), r"uint8 \(32, 40\)"),
        (np.zeros((32, 40, 1), bool), r"bool \(32, 40, 1\)"),
        (torch.zeros(32, 40, dtype=torch.bool), "Tensor"),
        (True, "bool"),
    ],
)
def test_a_selector_that_returns_no_mask_is_refused(region: Any, form: str) -> None:
    def mine(masks: Any, info: Any, rng: Any) -> Any:
        return region

    with pytest.raises(DatasetError, match=rf"selector mine must return None or a bool array \(32, 40\), not {form}"):
        RegionDataset(discs(1), mine)[0]


def test_what_is_no_dataset_is_refused() -> None:
    with pytest.raises(TypeError, match="dataset must be a SegDataset, which has full masks, not list"):
        RegionDataset([1, 2], first)  # type: ignore[arg-type]


def test_a_batch_is_image_and_target() -> None:
    dataset = RegionDataset(discs(4), first, training_transform(24), with_ignore=True)
    (batch,) = DataLoader(dataset, batch_size=4)
    assert {key: (value.dtype, tuple(value.shape)) for key, value in batch.items()} == {
        "image": (torch.float32, (4, 3, 24, 24)),
        "mask": (torch.float32, (4, 1, 24, 24)),
        "ignore": (torch.bool, (4, 1, 24, 24)),
    }
    assert 0 <= batch["image"].min() < batch["image"].max() <= 1
    assert set(batch["mask"].unique().tolist()) == {0, 1}
    assert batch["mask"].amax(dim=(1, 2, 3)).tolist() == [1] * 4, "each element has an object"


def test_info_comes_along_and_is_collated_as_a_list() -> None:
    image, masks, _ = painted(1)
    source = Listed([painted(0), (image, masks, {"classes": {(0, 1): "disc"}}), EMPTY])
    dataset = RegionDatasetWithInfo(source, first, seed=0)
    (batch,) = DataLoader(dataset, batch_size=3, collate_fn=collate_with_info)
    assert batch["image"].shape == (3, 3, 32, 40)
    assert batch["info"][:2] == [
        {"number": 0, "image_id": "photo0"},
        {"classes": {(0, 1): "disc"}, "image_id": "photo1"},
    ]
    assert batch["info"][2] in batch["info"][:2], "the third image has no region: it says which it is in fact"
    assert source.samples[1][2] == {"classes": {(0, 1): "disc"}}, "the dataset's own info stays as it is"


# Transforms


def test_a_transform_gets_tv_tensors_that_are_its_own() -> None:
    seen: dict[str, Any] = {}

    def mine(item: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.update({key: (type(value), value.dtype, tuple(value.shape)) for key, value in item.items()})
        for value in item.values():
            value.zero_()
        item["mask"] += 1
        return item

    source = discs(1)
    before = [array.copy() for array in source.samples[0][:2]]
    item = RegionDataset(source, first, mine, with_ignore=True)[0]
    assert seen == {
        "image": (tv_tensors.Image, torch.uint8, (3, 32, 40)),
        "mask": (tv_tensors.Mask, torch.uint8, (1, 32, 40)),
        "valid": (tv_tensors.Mask, torch.uint8, (1, 32, 40)),
    }
    assert all(np.array_equal(*pair) for pair in zip(before, source.samples[0], strict=False)), "it may write into them"
    assert {type(value) for value in item.values()} == {Tensor}
    assert (item["image"].max(), item["mask"].min(), item["ignore"].all()) == (0, 1, True)


def test_a_region_that_a_transform_loses_is_drawn_anew() -> None:
    """The object of image 0 lies in the corner that is cut off."""
    image, masks, info = EMPTY
    cornered = masks.copy()
    cornered[:3, :3] = 1
    dataset = RegionDatasetWithInfo(Listed([(image, cornered, info), painted(1)]), first, v2.CenterCrop(20))
    assert {dataset[0]["info"]["number"] for _ in range(5)} == {1}
    with pytest.raises(DatasetError, match="selector first found no region in 100 random images, or the trans"):
        RegionDataset(Listed([(image, cornered, info)]), first, v2.CenterCrop(20))[0]


def test_an_empty_region_that_a_selector_gives_is_kept() -> None:
    """Who trains on background says so by an empty mask."""

    def background(masks: Any, info: Any, rng: Any) -> Any:
        return np.zeros(masks.shape[:2], bool)

    item = RegionDataset(discs(1), background, training_transform(16))[0]
    assert not item["mask"].any()


def test_a_float_image_in_0_1_is_passed_on() -> None:
    dataset = RegionDataset(discs(1), first, v2.ToDtype(torch.float64, scale=True))
    assert dataset[0]["image"].dtype == dataset[0]["mask"].dtype == torch.float32
    assert torch.allclose(dataset[0]["image"], RegionDataset(discs(1), first)[0]["image"])


FAULTY = {
    "another form": (lambda item: (item["image"], item["mask"]), "must return the dict that it gets"),
    "a key lost": (lambda item: {"image": item["image"], "mask": item["mask"]}, "image, mask and valid"),
    "no tensor": (lambda item: {**item, "image": item["image"].numpy()}, "must return tensors"),
    "sizes that differ": (
        lambda item: v2.Resize((8, 9))({**item, "valid": item["valid"].as_subclass(Tensor)}),
        r"the same size, not image \(3, 8, 9\), mask \(1, 8, 9\), valid \(1, 32, 40\); torchvision leaves",
    ),
    "normalised": (
        v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.2] * 3)]),
        r"must keep the image in \[0, 1\], or uint8; a model normalises inside",
    ),
    "NaN": (lambda item: {**item, "image": item["image"] * torch.nan}, r"in \[0, 1\]"),
    "masks filled": (v2.Pad(4, fill=127), "filled the mask with values other than 0 and 1; fill only the image"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_transform_that_breaks_the_item_is_told_what_it_did(case: str) -> None:
    transform, message = FAULTY[case]
    with pytest.raises(DatasetError, match=message):
        RegionDataset(discs(1), first, transform)[0]


# Chance


def contents(items: Any) -> list[bytes]:
    """Each item as bytes, batches apart."""
    return [b"".join(value.numpy().tobytes() for value in item.values()) for item in items]


def test_a_sample_is_a_function_of_seed_and_number_alone() -> None:
    def samples(seed: int, numbers: Sequence[int]) -> dict[int, bytes]:
        torch.seed()  # what torch's default generator holds has no influence
        transform = training_transform(20, degrees=20)
        dataset = RegionDatasetWithInfo(discs(5), random_single, transform, seed=seed)
        return {n: contents([{"image": dataset[n]["image"]}])[0] for n in numbers}

    there, back = samples(3, range(20)), samples(3, range(19, -1, -1))
    assert there == back
    assert len(set(there.values())) == 20, "later epochs show the images anew"
    assert not set(there.values()) & set(samples(4, range(20)).values())
    dataset = RegionDatasetWithInfo(discs(5), random_single)
    assert [dataset[n]["info"]["image_id"] for n in (0, 4, 5, 13)] == ["photo0", "photo4", "photo0", "photo3"]


def test_a_sample_leaves_torchs_generators_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def seed_gpus(seed: int) -> None:
        raise AssertionError("the generators of the GPUs were seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", seed_gpus)
    before = torch.get_rng_state()
    _ = RegionDataset(discs(1), speckles, training_transform(20), seed=0)[0]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("start", "workers"), [("fork", 1), ("fork", 3), pytest.param("spawn", 2, marks=pytest.mark.slow)]
)
def test_workers_change_nothing(start: str, workers: int) -> None:
    dataset = RegionDataset(discs(8), speckles, grey_level, seed=5)
    plan = {"batch_size": 4, "sampler": Numbers(8, 24, block=8)}
    here = contents(DataLoader(dataset, **plan))
    assert contents(DataLoader(dataset, **plan, num_workers=workers, multiprocessing_context=start)) == here
    assert len({row.tobytes() for batch in DataLoader(dataset, **plan) for row in batch["mask"].numpy()}) == 16


# All together


def test_a_robot_clicks_on_the_targets_of_a_batch() -> None:
    """Six photographs, two workers' batches of three, and the first two clicks of the standard format's loop."""
    dataset = RegionDataset(discs(6), random_single, training_transform(28), seed=2, with_ignore=True)
    for batch in DataLoader(dataset, batch_size=3):
        x, target, ignore = batch["image"], batch["mask"], batch["ignore"]
        y = torch.zeros_like(target)
        pcs, ncs = ritm(y, target, [], [], ignore=ignore)
        assert x.shape[-2:] == target.shape[-2:]
        assert [len(clicks) for clicks in pcs[0]] == [1, 1, 1]
        assert ncs == [[[], [], []]]
        for b, [(row, column)] in enumerate(pcs[0]):
            assert target[b, 0, row, column] == 1
            assert not ignore[b, 0, row, column]
        pcs, ncs = ritm(torch.ones_like(target), target, pcs, ncs, ignore=ignore)
        clicked = [(b, *click) for b, clicks in enumerate(ncs[1]) for click in clicks]
        assert clicked, "where all is taken for the object, its background is clicked"
        assert all(target[b, 0, row, column] == 0 and not ignore[b, 0, row, column] for b, row, column in clicked)
