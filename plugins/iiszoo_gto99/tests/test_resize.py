"""Resizing against OpenCV, whose rules upstream's evaluation uses."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch

from iiszoo_gto99.resize import bilinear, enlarge_clicks, lanczos, network_size

SIZES = [(281, 400), (31, 77), (5, 3), (64, 96), (48, 64), (333, 501)]


@pytest.fixture(autouse=True)
def _plain_opencv() -> Iterator[None]:
    cv2.ipp.setUseIPP(False)
    yield
    cv2.ipp.setUseIPP(True)


def test_sides_become_the_next_multiples_of_32() -> None:
    assert [network_size((n, 1)) for n in (1, 32, 33, 281)] == [(32, 32), (32, 32), (64, 32), (288, 32)]


@pytest.mark.parametrize("size", SIZES)
def test_lanczos(size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).random(size)
    height, width = network_size(size)
    wanted = cv2.resize(x, (width, height), interpolation=cv2.INTER_LANCZOS4)
    assert np.abs(lanczos(torch.from_numpy(x)[None], (height, width))[0].numpy() - wanted).max() < 1e-14
    in_float32 = lanczos(torch.from_numpy(x)[None].float(), (height, width))[0]
    assert np.abs(in_float32.numpy() - wanted).max() < 2e-6
    back = cv2.resize(wanted, size[::-1], interpolation=cv2.INTER_LANCZOS4)
    assert np.abs(lanczos(torch.from_numpy(wanted)[None], size)[0].numpy() - back).max() < 1e-14


@pytest.mark.parametrize("size", SIZES)
def test_bilinear(size: tuple[int, int]) -> None:
    height, width = network_size(size)
    x = np.random.default_rng(0).random((height, width)).astype(np.float32)
    wanted = cv2.resize(x, size[::-1])
    # OpenCV's positions are float32
    assert np.abs(bilinear(torch.from_numpy(x)[None, None], size)[0, 0].numpy() - wanted).max() < 2e-4


def test_clicks_become_the_pixels_that_nearest_neighbours_make_of_them() -> None:
    for n in range(1, 300):
        m, _ = network_size((n, 1))
        wanted = cv2.resize(np.arange(n, dtype=np.float64)[None], (m, 1), interpolation=cv2.INTER_NEAREST)[0]
        found = [enlarge_clicks([(0, c)], (1, n), (1, m)) for c in range(n)]
        assert [c for c, pixels in enumerate(found) for _ in pixels] == wanted.astype(int).tolist(), n
    assert enlarge_clicks([(0, 0), (8, 8)], (16, 32), (32, 32)) == [(0, 0), (1, 0), (16, 8), (17, 8)]
