"""The network's parts: their keys, and that each does what its paper describes."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo_gto99.cards import CARD
from iiszoo_gto99.encoder import Encoder
from iiszoo_gto99.guided_filter import box_sums, guided_filter
from iiszoo_gto99.network import Network
from iiszoo_gto99.pyramid import PyramidConv2d
from iiszoo_gto99.standardised import StandardisedConv2d, fold, standardise

CONFIGURATIONS = {
    "gto99": (True, True),
    "gto99_nomask": (False, True),
    "gto99_nousr": (True, False),
    "gto99_nousr_nomask": (False, False),
}


def inputs(batch: int = 1) -> tuple[Tensor, ...]:
    """image, maps, previous, clicked, 32 x 64; a negative and a positive click in one corner."""
    generator = torch.Generator().manual_seed(0)
    image, maps = torch.randn(batch, 3, 32, 64, generator=generator), torch.rand(batch, 6, 32, 64, generator=generator)
    clicked = torch.zeros(batch, 2, 32, 64, dtype=torch.bool)
    clicked[:, 0, 3, 3] = clicked[:, 1, 3, 20] = True
    return image, maps, torch.rand(batch, 1, 32, 64, generator=generator), clicked


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_keys_and_shapes_of_upstreams_configurations(shared: Path, name: str) -> None:
    stored = json.loads((shared / "parity" / "state_dicts" / f"{name}.json").read_text())["state_dict"]
    with torch.device("meta"):
        found = Network(*CONFIGURATIONS[name]).state_dict()
    assert [(key, list(value.shape)) for key, value in found.items()] == [(key, shape) for key, shape, _ in stored]


def test_the_card_states_the_true_number_of_parameters() -> None:
    with torch.device("meta"):
        network = Network()
    assert sum(p.numel() for p in network.parameters()) == CARD.n_parameters
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 72
    assert sum(isinstance(m, StandardisedConv2d) for m in convolutions) == 61


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values())
def test_what_reads_the_previous_alpha(configuration: tuple[bool, bool]) -> None:
    """It matters in the configurations that read it, and clicks matter in all; every output is in [0, 1]."""
    torch.manual_seed(0)
    network = Network(*configuration).eval()
    network.decoder.conv_up4[-1].bias.fill_(0.5)  # away from the clamp's limits
    image, maps, previous, clicked = inputs()
    answer = network(image, maps, previous, clicked)
    assert answer.shape == (1, 1, 32, 64)
    assert answer.min() >= 0
    assert answer.max() <= 1
    assert torch.equal(network(image, maps, 1 - previous, clicked), answer) != configuration[0]
    assert not torch.equal(network(image, maps.flip(1), previous, clicked), answer)


def test_strides_and_dilations_of_the_encoder() -> None:
    with torch.device("meta"):
        encoder = Encoder(9)
        features = encoder(torch.empty(2, 9, 64, 96))
    assert [tuple(f.shape) for f in features] == [(2, 64, 32, 48), (2, 256, 16, 24), (2, 2048, 8, 12)]
    dilations = [[block.conv2.dilation[0] for block in stage] for stage in (encoder.layer3, encoder.layer4)]
    assert dilations == [[1, 2, 2, 2, 2, 2], [2, 4, 4]]


def test_standardised_weights_have_mean_0_and_deviation_1_where_they_are_alike_they_are_0() -> None:
    weight = 3 + 5 * torch.randn(4, 7, 3, 3, generator=torch.Generator().manual_seed(0))
    weight[3] = 2
    found = standardise(weight)
    assert found.mean(dim=(1, 2, 3)).abs().max() < 1e-6
    assert torch.allclose(found[:3].std(dim=(1, 2, 3)), torch.ones(3), atol=1e-4)
    assert found[3].abs().max() == 0
    small = standardise(weight[:1] * 1e-6)  # where the epsilons matter: a deviation s becomes s / (s + 1e-5)
    s = (weight[0] * 1e-6).double().var().add(1e-12).sqrt()
    assert abs(float(small.std()) - float((weight[0] * 1e-6).std() / (s + 1e-5))) < 1e-4


def test_folding_once_changes_no_bit_and_folding_twice_nothing() -> None:
    torch.manual_seed(0)
    network = Network().eval()
    folded = copy.deepcopy(network)
    fold(folded)
    assert torch.equal(folded(*inputs()), network(*inputs()))
    before = folded.encoder.conv1.weight.clone()
    fold(folded)
    assert torch.equal(folded.encoder.conv1.weight, before)
    assert not torch.equal(before, network.encoder.conv1.weight)


@pytest.mark.parametrize("size", [(4, 5), (9, 13)])
def test_the_pyramids_convolution_is_that_of_the_enlarged_maps(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, *size, dtype=torch.float64)
    pooled = [torch.randn(2, 3, side, side, dtype=torch.float64) for side in (1, 2, 3, 6)]
    convolution = PyramidConv2d(8 + 4 * 3, 5, 3, padding=1).double()
    enlarged = [F.interpolate(small, size, mode="bilinear", align_corners=False) for small in pooled]
    wanted = StandardisedConv2d.forward(convolution, torch.cat([x, *enlarged], 1))
    assert torch.allclose(convolution(x, *pooled), wanted, atol=1e-12)


def test_box_sums_are_those_of_the_windows_cut_off_at_the_border() -> None:
    x = torch.rand(1, 2, 9, 7, dtype=torch.float64)
    found = box_sums(x, 2)
    for row, col in [(0, 0), (4, 3), (8, 6), (1, 5), (8, 0)]:
        window = x[..., max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3]
        assert torch.allclose(found[..., row, col], window.sum(dim=(2, 3)))


def test_the_guided_filter_keeps_what_is_linear_in_the_guide_and_smooths_what_is_not() -> None:
    guide = torch.rand(2, 1, 20, 30, dtype=torch.float64)
    assert torch.allclose(guided_filter(guide, 0.3 * guide + 0.2), 0.3 * guide + 0.2, atol=1e-5)
    flat = torch.ones_like(guide)
    means = box_sums(guide, 2) / box_sums(flat, 2)
    assert torch.allclose(guided_filter(flat, guide), box_sums(means, 2) / box_sums(flat, 2))


def test_clicked_pixels_are_set_before_the_filter(network: Network) -> None:
    """It then follows them only as far as the guide does; a pixel clicked both ways is object."""
    given: list[Tensor] = []
    image, maps, previous, clicked = inputs()
    clicked[:, 0, 3, 20] = True
    import iiszoo_gto99.network as module

    def recording(guide: Tensor, values: Tensor) -> Tensor:
        given.append(values)
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "guided_filter", recording)
        network(image, maps, previous, clicked)
    assert given[0][0, 0, 3, 3] == 0
    assert given[0][0, 0, 3, 20] == 1
