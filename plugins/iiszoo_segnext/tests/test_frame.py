"""The frame: what images, clicks and masks become on their way to the network and back."""

from __future__ import annotations

import pytest
import torch

from iiszoo_segnext.frame import click_maps, from_frame, in_frame, to_frame


@pytest.mark.parametrize("size", [(281, 400), (1, 7), (7, 1), (1, 1), (1500, 3), (1024, 1024)])
def test_an_image_of_any_size_fills_the_frame_and_an_answer_any_image(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    frame = to_frame(torch.rand(3, *size))
    assert frame.shape == (3, 1024, 1024)
    assert frame.isfinite().all()
    assert from_frame(torch.rand(1, 256, 256), size).shape == (1, *size)


def test_a_grey_image_is_normalised_by_imagenets_statistics() -> None:
    frame = to_frame(torch.full((3, 5, 9), 0.5))
    wanted = (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(frame[:, ::500, ::500], wanted[:, None, None].expand(3, 3, 3))


@pytest.mark.parametrize(
    ("click", "size", "pixel"),
    [
        ((0, 0), (281, 400), (0, 0)),
        ((280, 399), (281, 400), (1020, 1021)),
        ((100, 100), (1024, 512), (100, 200)),
        ((2, 0), (4096, 4096), (1, 0)),  # half a pixel is rounded up
        ((4095, 1), (4096, 4096), (1024, 0)),  # just outside
        ((0, 3), (1, 4), (0, 768)),
    ],
)
def test_a_click_becomes_a_pixel_of_the_frame(
    click: tuple[int, int], size: tuple[int, int], pixel: tuple[int, int]
) -> None:
    assert in_frame([click], size) == [pixel]


def test_the_maps_are_previous_probabilities_and_a_disk_around_each_click() -> None:
    previous = [torch.full((1, 20, 40), 0.25), torch.zeros(1, 512, 512)]
    maps = click_maps(previous, [[(10, 20), (0, 0)], []], [[], [(256, 128)]])
    assert maps.shape == (2, 3, 1024, 1024)
    assert (maps[0, 0] == 0.25).all()
    assert not maps[1, 0].any()
    assert not maps[0, 2].any()
    assert not maps[1, 1].any()
    rows, columns = torch.meshgrid(torch.arange(1024), torch.arange(1024), indexing="ij")

    def disk(row: int, column: int) -> torch.Tensor:
        return ((rows - row) ** 2 + (columns - column) ** 2 <= 25).float()

    assert torch.equal(maps[0, 1], torch.maximum(disk(512, 512), disk(0, 0)))
    assert torch.equal(maps[1, 2], disk(512, 256))
