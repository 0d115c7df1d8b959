"""Images are drawn by their chances, held out by their names, and keep their targets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from seg_samples import Listed, discs

import iiszoo
from iiszoo.data.seg_dataset import SegDataset
from iiszoo.data.training.full_masks import InMemory, Regions
from iiszoo.data.training.held_out import HeldOut
from iiszoo.data.training.source import Source, split


def squares(masks, info, rng):
    """A selector."""
    return masks[:, :, 0] == 2


def test_what_is_held_out_stays_so_when_images_are_added():
    few, more = (Source(Listed([None] * n), [], range(n)) for n in (40, 60))
    kept, held = split(few, 0.3, seed=1)
    more_kept, more_held = split(more, 0.3, seed=1)
    assert sorted([*kept.images, *held.images]) == list(range(40))
    assert set(held.images) <= set(more_held.images)
    assert set(kept.images) <= set(more_kept.images)
    assert 4 <= len(held.images) <= 20
    assert set(split(few, 0.3, seed=2)[1].images) != set(held.images)


def test_images_are_drawn_by_their_chances():
    chances = np.array([0.0, 1.0, 0.0, 3.0])
    drawn = Source(discs(4), [(1.0, squares)], range(4), chances=chances)
    rng = np.random.default_rng(0)
    numbers = [drawn.sample(rng).info["number"] for _ in range(400)]
    assert set(numbers) == {1, 3}
    assert 0.68 < numbers.count(3) / 400 < 0.82
    part = dataclasses.replace(drawn, images=[0, 1])
    assert {part.sample(rng).info["number"] for _ in range(50)} == {1}


def test_decoded_once_it_is_the_same_dataset():
    class Counting(SegDataset):
        def __init__(self):
            self.inner, self.read = discs(3), 0

        def __len__(self):
            return 3

        def get_sample(self, i):
            self.read += 1
            return self.inner.get_sample(i)

        def image_id(self, i):
            return self.inner.image_id(i)

    counting = Counting()
    kept = InMemory(counting, threads=2)
    for i in [*range(3), *range(3)]:
        assert np.array_equal(kept[i].image, discs(3)[i].image)
        assert np.array_equal(kept[i].masks, discs(3)[i].masks)
        assert kept.image_id(i) == f"photo{i}"
    assert counting.read == 3


def test_the_targets_of_an_image_are_its_layers():
    demo = iiszoo.load_dataset("demo")
    full = Regions(demo)
    by_image = {}
    for sample in demo:
        by_image.setdefault(sample.image_id, []).append(sample.read_target())
    assert [full.image_id(i) for i in range(len(full))] == list(by_image)
    for i, targets in enumerate(by_image.values()):
        masks = full[i].masks
        assert masks.shape[2] == len(targets)
        for layer, target in enumerate(targets):
            assert np.array_equal(masks[:, :, layer] == 1, target.object)
            ignored = np.zeros_like(target.object) if target.ignore is None else target.ignore
            assert np.array_equal(masks[:, :, layer] == -1, ignored)


@pytest.mark.parametrize("limit", [None, 5])
def test_a_held_out_target_is_fixed_with_what_is_ignored_beside_it(limit):
    chance = Source(discs(8), [(1.0, squares), (1.0, lambda masks, info, rng: masks[:, :, 0] == 1)], range(8))
    found = HeldOut([chance], seed=3, limit=limit)
    assert len(found) == (limit or 8)
    again = HeldOut([chance], seed=3, limit=limit)
    values = set()
    for one, other in zip(found, again, strict=True):
        assert one.id == other.id
        target = one.read_target()
        assert np.array_equal(target.object, other.read_target().object)
        number = int(one.id.removeprefix("0/photo"))
        masks = discs(8)[number].masks[:, :, 0]
        assert np.array_equal(one.read_image(), discs(8)[number].image)
        assert np.array_equal(target.ignore, masks == -1)
        values |= set(masks[target.object])
    assert values == {1, 2}, "either selector has its turn"
    assert len(HeldOut([Source(discs(3), [(1.0, lambda *_: None)], range(3))], 0)) == 0
