"""Bilinear resizing by matrices, and convolutions of maps at their own sizes, against torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iiszoo.models.bilinear import bilinear_weights, convolve_resized, resizing_matrix


def test_a_place_between_two_values_takes_some_of_each() -> None:
    found = bilinear_weights(torch.tensor([0.0, 0.25, 2.0]), 3)
    torch.testing.assert_close(found, torch.tensor([[1, 0, 0], [0.75, 0.25, 0], [0, 0, 1]]))


@pytest.mark.parametrize(("n", "size"), [(10, 75), (13, 100), (4, 4), (7, 3), (1, 5), (6, 1), (1, 1)])
def test_a_matrix_resizes_as_torch_does(n: int, size: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(n)
    wanted = F.interpolate(values[None, None, None], (1, size), mode="bilinear", align_corners=True)
    torch.testing.assert_close(resizing_matrix(size, n) @ values, wanted.flatten())


def test_the_part_of_a_tap_is_shifted_and_zero_outside() -> None:
    before, itself, after = resizing_matrix(5, 3, taps=3).split(3, 1)
    torch.testing.assert_close(itself, resizing_matrix(5, 3))
    nothing = torch.zeros(1, 3)
    torch.testing.assert_close(before, torch.cat([nothing, itself[:-1]]))
    torch.testing.assert_close(after, torch.cat([itself[1:], nothing]))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("sizes", [[(9, 12), (5, 6), (3, 3), (2, 2)], [(1, 40), (1, 20), (1, 10), (1, 5)]])
@pytest.mark.parametrize("direct", [1, 2, 3])
@torch.no_grad()
def test_maps_are_convolved_as_if_they_were_resized_before(
    kernel: int, sizes: list[tuple[int, int]], direct: int
) -> None:
    torch.manual_seed(0)
    maps = [torch.randn(2, n, *size) for n, size in zip((3, 4, 5, 2), sizes, strict=True)]
    convolution, norm = nn.Conv2d(14, 6, kernel, padding=kernel // 2), nn.BatchNorm2d(6).eval()
    for values in (norm.running_mean, norm.bias):
        values.normal_()  # type: ignore[union-attr]
    for values in (norm.running_var, norm.weight):
        values.uniform_(0.5, 2)  # type: ignore[union-attr]
    resized = [F.interpolate(x, sizes[0], mode="bilinear", align_corners=True) for x in maps]
    wanted = norm(convolution(torch.cat(resized, 1)))
    torch.testing.assert_close(convolve_resized(convolution, norm, maps, direct), wanted, rtol=1e-4, atol=1e-5)
