"""Sample n is a function of its number; a batch has all that its samples have."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from seg_samples import discs

from iiszoo.clicking.first_clicks import deep_and_near
from iiszoo.data.training.batch import N_DRAWS, Item, collate
from iiszoo.data.training.samples import TrainingSamples
from iiszoo.data.training.source import Source
from iiszoo.data.training.views import View, object_view
from iiszoo.errors import DatasetError


def disc_or_square(masks, info, rng):
    """A selector."""
    return masks[:, :, 0] == rng.integers(1, 3)


def samples(seed=0, selector=disc_or_square, n=6):
    view = partial(object_view, size=(24, 24))
    return TrainingSamples([Source(discs(n), [(1.0, selector)], range(n))], view, deep_and_near, seed)


def content(item):
    return item.view.image.tobytes(), item.view.target.tobytes(), item.positives, item.negatives, item.draws.tobytes()


def test_the_order_of_access_changes_nothing():
    there = {n: content(samples()[n]) for n in range(8)}
    backwards = samples()
    assert {n: content(backwards[n]) for n in reversed(range(8))} == there
    assert len({image for image, *_ in there.values()}) == 8
    assert content(samples(seed=1)[0]) != there[0]


def test_where_nothing_can_be_trained_on_the_dataset_is_named():
    with pytest.raises(DatasetError, match=r"Listed: no region for training in 100 random images; give a smaller"):
        samples(selector=lambda *_: None)[0]
    with pytest.raises(DatasetError, match=r"Listed has no image left to train on; lower validation\.held_out"):
        samples(n=0)


def test_pixels_are_valid_unless_a_sample_says_otherwise():
    target = np.zeros((4, 5), bool)
    target[1, 1] = True
    partly = np.ones((4, 5), bool)
    partly[0] = False
    whole = Item(8, View(np.zeros((4, 5, 3), np.uint8), target, None), [(1, 1)], [], np.full(N_DRAWS, 0.25))
    item = Item(9, View(np.full((4, 5, 3), 7, np.uint8), ~target, partly), [(2, 2)], [(1, 1)], np.full(N_DRAWS, 0.5))
    assert collate([whole, whole]).valid is None
    batch = collate([whole, item])
    assert batch.number == 8
    assert batch.image.shape == (2, 4, 5, 3)
    assert torch.equal(batch.target[:, 0], torch.from_numpy(np.stack([target, ~target])))
    assert batch.valid[0].all()
    assert torch.equal(batch.valid[1, 0], torch.from_numpy(partly))
    assert (batch.positives, batch.negatives) == ([[(1, 1)], [(2, 2)]], [[], [(1, 1)]])
    assert batch.draws[:, 0].tolist() == [0.25, 0.5]
    moved = batch.to(torch.device("meta"))
    assert {moved.image.device.type, moved.target.device.type, moved.valid.device.type} == {"meta"}
    assert moved.draws is batch.draws
