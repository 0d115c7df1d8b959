"""Exact distances inside many masks."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from iiszoo.clicking import batch_distance, regions
from iiszoo.clicking.next_click import candidates, next_clicks


@settings(deadline=None)  # the first call compiles
@given(npst.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))))
def test_they_are_those_of_each_mask(masks):
    found = batch_distance.squared_distances(torch.from_numpy(masks))
    for mask, squares in zip(masks, found.numpy(), strict=True):
        assert (squares == regions.squared_distances(mask)).all()


def test_large_masks():
    rng = np.random.default_rng(0)
    masks = rng.random((3, 90, 70)) < np.array([0.5, 0.98, 1.1])[:, None, None]
    found = batch_distance.squared_distances(torch.from_numpy(masks)[:, None])
    assert found.shape == (3, 1, 90, 70)
    assert found.dtype == torch.int32
    for mask, squares in zip(masks, found[:, 0].numpy(), strict=True):
        assert (squares == regions.squared_distances(mask)).all()


_IN_THE_INTERPRETER = """
import numpy as np, torch
from iiszoo.clicking._triton_distance import squared_distances_on_gpu
from iiszoo.clicking.batch_distance import squared_distance
rng = np.random.default_rng(1)
masks = rng.random((2, 9, 70)) < 0.93
masks[1] = True
found = squared_distances_on_gpu(torch.from_numpy(masks)).numpy()
assert all((found[n] == squared_distance(masks[n])).all() for n in range(2))
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no Triton here")
def test_the_kernels_of_the_gpu_in_tritons_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _IN_THE_INTERPRETER], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_each_candidate_is_drawn_alike():
    target = torch.zeros(1, 1, 12, 14)
    target[..., 2:9, 3:11] = 1
    where, positive = candidates(torch.zeros_like(target), target)
    assert bool(positive[0])
    n = int(where.sum())
    draws = (torch.arange(n).double() + 0.5) / n
    clicks = next_clicks(torch.zeros(n, 1, 12, 14), target.expand(n, -1, -1, -1), draws)
    assert clicks[:, :2].tolist() == where[0].nonzero().tolist()
    assert clicks[:, 2].tolist() == [1] * n


def test_without_an_error_there_is_no_click_and_ignored_pixels_are_none():
    target = torch.zeros(2, 1, 8, 8)
    target[1, :, 2:5, 2:5] = 1
    ignore = target > 0
    clicks = next_clicks(torch.zeros_like(target), target, torch.tensor([0.999999, 0.3]), ignore=ignore)
    assert clicks[:, :2].tolist() == [[-1, -1], [-1, -1]]
