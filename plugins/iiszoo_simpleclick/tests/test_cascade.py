"""The cascade around an analytic model: how often it asks, what it gives back, when it ends."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from iiszoo.models.click_model import ClickModel
from iiszoo.protocol import Images
from iiszoo_simpleclick.cfricl.cascade import FEW_PIXELS, Cascade

ROWS, COLUMNS = 10, 64


class Growing:
    """A network whose object gets some columns wider than in the previous mask: 100 times the image's first value."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
        self.calls.append(len(pictures))
        width = (pictures[:, 3] > 0.5)[:, 0].sum(dim=1) + (100 * pictures[:, 0, 0, 0]).round()
        columns = torch.arange(pictures.shape[-1])
        inside = columns < width[:, None, None, None]
        return (20.0 * inside - 10).expand(-1, 1, pictures.shape[2], -1)


def image(growth: int, columns: int = COLUMNS) -> Tensor:
    return torch.full((3, ROWS, columns), growth / 100)


def cascade(steps: int, clicks: int = 1, adaptive: bool = False) -> tuple[Cascade, Growing]:
    network = Growing()
    return Cascade(ClickModel(network, zoom=None, flip=False), steps, clicks, adaptive), network


def widths(y: Any) -> list[int]:
    return [int((one > 0.5)[0, 0].sum()) for one in y]


def clicked(*counts: int) -> list[list[list[tuple[int, int]]]]:
    """One interaction: so many clicks for each element."""
    return [[[(k, 0) for k in range(count)] for count in counts]]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_it_asks_again_with_its_own_answer(steps: int) -> None:
    model, network = cascade(steps)
    x = image(growth=3)[None]
    y, z = model(x, model.init_z(x), clicked(1), clicked(0))
    assert widths(y) == [3 * (steps + 1)]
    assert len(network.calls) == steps + 1
    assert torch.equal(z["prev_output"], y)


@pytest.mark.parametrize(("clicks", "expected"), [(0, [1, 1, 1]), (1, [3, 1, 1]), (2, [3, 3, 1])])
def test_it_asks_again_only_while_there_are_few_clicks(clicks: int, expected: list[int]) -> None:
    model, network = cascade(2, clicks)
    x = image(growth=1)[None]
    z = model.init_z(x)
    asked = []
    for k in range(3):
        positives = [[[(i, 0)]] for i in range(k + 1)]
        _, z = model(x, z, positives, [[[]]] * (k + 1))
        asked.append(len(network.calls) - sum(asked))
    assert asked == expected


def test_an_adaptive_one_ends_after_a_step_that_changes_few_pixels() -> None:
    """2 columns of 10 rows are 20 pixels: few; 3 columns are not."""
    assert 2 * ROWS <= FEW_PIXELS < 3 * ROWS
    for growth, asked in ((2, 2), (3, 5)):
        model, network = cascade(4, adaptive=True)
        x = image(growth)[None]
        y, _ = model(x, model.init_z(x), clicked(1), clicked(0))
        assert (len(network.calls), widths(y)) == (asked, [growth * asked])


@pytest.mark.parametrize("ragged", [False, True])
def test_sessions_in_one_call_are_refined_each_by_itself(ragged: bool) -> None:
    """Of four: one ends early, one goes on, one has no click, one has too many."""
    model, _ = cascade(4, adaptive=True)
    images = [image(1), image(5), image(5), image(5, COLUMNS + 9 * ragged)]
    x: Images = images if ragged else torch.stack(images)
    y, z = model(x, model.init_z(x), clicked(1, 0, 0, 2), clicked(0, 1, 0, 0))
    assert widths(y) == [2, 25, 0, 5]
    assert isinstance(y, list) == ragged
    assert z["prev_output"] is y
    assert z["answered"].tolist() == [True, True, False, True]
    for b, alone in enumerate(images):
        single = alone[None]
        pcs, ncs = clicked((1, 0, 0, 2)[b]), clicked((0, 1, 0, 0)[b])
        assert torch.equal(model(single, model.init_z(single), pcs, ncs)[0][0], y[b])


def test_arguments_are_left_as_they_were() -> None:
    model, _ = cascade(2)
    x = torch.stack([image(1), image(2)])
    z = model.init_z(x)
    before = {key: value.clone() for key, value in z.items()}
    model(x, z, clicked(1, 1), clicked(0, 0))
    assert all(torch.equal(z[key], value) for key, value in before.items())
