"""The losses of a training step against sums made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iiszoo.clicking import encode
from iiszoo.clicking.next_click import next_clicks
from iiszoo.models.click_training import Auxiliary, Interactions, answer
from iiszoo.models.losses import bce, normalised_focal

SIZE = (24, 32)


class _Network(nn.Module):
    """Logits, and coarse ones at a quarter of the size; its norm layer tells training from evaluation."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(6, 2, 5, padding=2)
        self.norm = nn.BatchNorm2d(2)
        self.modes = []

    def forward_with_aux(self, image, maps):
        self.modes.append((self.training, torch.is_grad_enabled()))
        both = self.norm(self.convolution(torch.cat((image, maps), 1)))
        return both[:, :1], F.avg_pool2d(both[:, 1:], 4)

    def forward(self, image, maps):
        return self.forward_with_aux(image, maps)[0]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    target = torch.zeros(2, 1, *SIZE, dtype=torch.bool)
    target[0, :, 4:16, 5:20] = True
    target[1, :, 10:20, 12:30] = True
    return SimpleNamespace(
        number=0,
        image=torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8, generator=generator),
        target=target,
        valid=None,
        positives=[[(8, 10)], [(15, 20)]],
        negatives=[[], [(2, 2)]],
        draws=torch.rand(2, 24, dtype=torch.float64, generator=generator),
    )


def encoding(positives, negatives, size, **options):
    return encode.disk(positives, negatives, size, radius=3, **options)


def _by_hand(network, batch, n_further, weights, auxiliary):
    """Losses of n_further + 1 answers, each of the network in training mode, weighted and summed."""
    image = batch.image.permute(0, 3, 1, 2).float() / 255
    target = batch.target.float()
    positives, negatives = ([list(points) for points in kind] for kind in (batch.positives, batch.negatives))
    previous = torch.zeros_like(target)
    total = torch.zeros(2)
    for k in range(n_further + 1):
        disks = encoding([positives], [negatives], SIZE)
        logits, coarse = network.forward_with_aux(image, torch.cat((previous, disks), 1))
        total = total + weights[k] * normalised_focal(logits, target)
        if auxiliary:
            coarse = F.interpolate(coarse, SIZE, mode="bilinear", align_corners=True)
            total = total + weights[k] * 0.4 * bce(coarse, target)
        previous = logits.detach().sigmoid()
        clicks = next_clicks(previous, target, batch.draws[:, k], 0.5, 0.5).tolist()
        for b, (row, col, positive) in enumerate(clicks):
            if row >= 0:
                (positives if positive else negatives)[b].append((row, col))
    return total


@pytest.mark.parametrize("auxiliary", [False, True])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0)])
def test_losses_of_all_interactions_are_summed_by_weight(batch, weights, auxiliary):
    ours, theirs = _Network(), _Network()
    rules = Interactions(every_loss=weights)
    extra = Auxiliary(ours.forward_with_aux, lambda *given: 0.4 * bce(*given)) if auxiliary else None
    found = answer(ours, batch, encoding, normalised_focal, rules, 2, auxiliary=extra)
    expected = _by_hand(theirs, batch, 2, weights, auxiliary)
    assert torch.allclose(found.loss, expected, rtol=1e-6, atol=1e-7)
    found.loss.sum().backward()
    expected.sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-5)
    assert ours.modes == [(True, True)] * 3


def test_without_weights_only_the_last_answer_has_a_loss_and_the_others_are_in_eval_mode(batch):
    network = _Network()
    found = answer(
        network, batch, encoding, normalised_focal, Interactions(), 2,
        auxiliary=Auxiliary(network.forward_with_aux, bce),
    )  # fmt: skip
    assert network.modes == [(False, False), (False, False), (True, True)]
    plain = answer(_Network(), batch, encoding, normalised_focal, Interactions(), 2)
    assert torch.allclose(found.logits, plain.logits)
    assert (found.loss > plain.loss).all()
