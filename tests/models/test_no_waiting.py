"""What waits for a GPU: nothing in a training step, and in a click only what needs the last answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException

from iiszoo.clicking import encode, next_click
from iiszoo.data.training.batch import Batch
from iiszoo.models import losses
from iiszoo.models.click_model import ClickModel, OnDisks, of_group
from iiszoo.models.click_training import Interactions, answer
from iiszoo.models.merge import merging
from iiszoo.models.point_prompts import before_any_answer, prompts_of
from iiszoo.models.second_look import LookTwice
from iiszoo.models.zoom import Zoom
from iiszoo.protocol import as_model
from iiszoo.testing.fake_gpu import fake_gpu, waits_per_click

SIZE = (48, 64)


@pytest.fixture
def waits(monkeypatch):
    monkeypatch.setattr(next_click, "squared_distances", lambda masks: torch.zeros_like(masks, dtype=torch.int32))
    with torch.no_grad(), fake_gpu() as found:
        yield found


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(6, 1, 3, padding=1, device="cuda")

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        logits: Tensor = self.convolution(torch.cat((image, maps), 1))
        return logits


def step(rules: Interactions, encoding: Callable[..., Tensor]) -> Tensor:
    """The loss of a step with two further clicks, of pictures of which a part is not counted."""
    batch = Batch(
        0,
        torch.zeros(3, *SIZE, 3, dtype=torch.uint8, device="cuda"),
        *(torch.zeros(3, 1, *SIZE, dtype=torch.bool, device="cuda") for _ in ("target", "valid")),
        [[(3, 4), (5, 6)], [], [(7, 8)]],
        [[(1, 2)], [], []],
        torch.rand(3, 24, dtype=torch.float64),
    )
    terms = [(1.0, "normalised-focal", {}), (0.25, "soft-iou", {}), (0.4, "bce", {})]
    with torch.enable_grad():
        return answer(Network(), batch, encoding, losses.weighted_sum(terms), rules, 2).loss


def test_a_training_step_waits_for_nothing(waits):
    assert step(Interactions(), partial(encode.disk, radius=5)).is_cuda
    assert waits == []


def test_a_training_step_with_second_looks_waits_for_their_boxes(waits):
    with pytest.raises(DataDependentOutputException):
        step(Interactions(second_look=1.0), partial(encode.disk, radius=5))


@pytest.mark.parametrize("encoding", [encode.disk, encode.distance, encode.gaussian, encode.euclidean])
def test_encoding_clicks_waits_for_nothing(waits, encoding):
    maps = encoding([[[(3, 4), (5, 6)], []]], [[[], [(7, 8)]]], SIZE, device="cuda")
    assert encoding([[[(3, 4)], []]], [[[], []]], SIZE, onto=maps).is_cuda
    assert waits == []


NETWORK = OnDisks(lambda pictures, maps: pictures[:, :1] + maps[:, :1])
MODELS = {
    "ritm": ClickModel(NETWORK, Zoom(32, min_crop=16)),
    "simpleclick": ClickModel(NETWORK, Zoom((32, 32), skip_clicks=-1, min_crop=16)),
    "smp": LookTwice(NETWORK, Zoom((32, 32), skip_clicks=-1, min_crop=16)),
}


@pytest.mark.parametrize(("name", "counts"), [("ritm", [0, 1, 1]), ("simpleclick", [0, 1, 1]), ("smp", [0, 2, 2])])
def test_sessions_wait_together_for_objects_boxes_and_for_what_changed(name, counts):
    assert waits_per_click(as_model(MODELS[name])) == counts


def test_merging_sessions_wait_together_for_their_masks():
    model = merging(as_model(MODELS["simpleclick"]), "published")
    assert waits_per_click(model, from_mask=True) == [2, 2, 2]  # at first for what they start from


def test_sessions_wait_together_for_masks_that_are_not_the_models_own():
    def model(x, z, pcs, ncs):
        prompts_of(z, [torch.zeros(1, 3)] * len(x), lambda mask: mask)
        y = torch.zeros_like(z["prev_output"])
        return y, {**z, "own_output": y, "prev_output": y}

    model.init_z = lambda x: before_any_answer(x, 8)
    assert waits_per_click(as_model(model)) == [1, 1, 1]


def test_the_elements_of_a_group_are_taken_without_a_wait(waits):
    assert len(of_group(torch.zeros(3, 2, device="cuda"), [0, 2])) == 2
    assert waits == []


@pytest.mark.parametrize(
    "wait", [lambda x: x.cpu(), lambda x: torch.tensor([1, 2], device=x.device), lambda x: x[torch.tensor([0, 2])]]
)
def test_what_waits_is_found(waits, wait):
    wait(torch.zeros(3, device="cuda"))
    assert [line.rpartition(":")[0] for line in waits] == [__file__]
