"""HRNet with OCR: sizes, the exchange between branches, object context, training, and the names of official weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from iiszoo.models.hrnet import Fusion, HRNet, HRNetOCR, Scale, click_branch, resize
from iiszoo.models.ocr import ObjectAttention, gather_objects

VARIANTS = [(18, 48, True), (18, 64, False), (32, 128, False)]


@pytest.mark.parametrize(("width", "ocr_width", "small"), VARIANTS)
@pytest.mark.parametrize("size", [(1, 1), (17, 301), (64, 64)])
def test_everything_is_at_a_quarter(width: int, ocr_width: int, small: bool, size: tuple[int, int]) -> None:
    network, clicks = HRNetOCR(width, ocr_width, small).eval(), click_branch(3)
    quarter = tuple(-(-n // 4) for n in size)
    with torch.no_grad():
        image, click_features = torch.rand(1, 3, *size), clicks(torch.rand(1, 3, *size))
        found = network(image, click_features)
        branches = network.branches(image, click_features)
    assert click_features.shape == (1, 64, *(-(-n // 2) for n in size))
    assert [branch.shape[1] for branch in branches] == [width, 2 * width, 4 * width, 8 * width]
    assert branches[0].shape[2:] == quarter
    assert found.logits.shape == found.aux_logits.shape == (1, 1, *quarter)
    assert found.features.shape == (1, 2 * ocr_width, *quarter)


@pytest.mark.parametrize(("width", "small"), [(18, True), (18, False), (32, False)])
def test_blocks_and_modules_of_each_stage(width: int, small: bool) -> None:
    with torch.device("meta"):
        network = HRNet(width, small)
    stages = [network.stage2, network.stage3, network.stage4]
    assert len(network.layer1) == (2 if small else 4)
    assert [len(stage) for stage in stages] == ([1, 3, 2] if small else [1, 4, 3])
    assert [{len(module.branches) for module in stage} for stage in stages] == [{2}, {3}, {4}]
    assert {len(branch) for stage in stages for module in stage for branch in module.branches} == {2 if small else 4}


def test_fusion_sums_what_each_branch_brings() -> None:
    torch.manual_seed(0)
    branches = [torch.randn(2, 4, 9, 12), torch.randn(2, 8, 5, 6), torch.randn(2, 16, 3, 3)]
    fuse = Fusion([4, 8, 16], target=1).eval()
    larger, itself, smaller = fuse
    with torch.no_grad():
        expected = (larger(branches[0]) + branches[1] + resize(smaller(branches[2]), (5, 6))).relu()
        copies = [x.clone() for x in branches]
        torch.testing.assert_close(fuse(branches), expected)
    assert isinstance(itself, nn.Identity)
    torch.testing.assert_close(branches, copies, rtol=0, atol=0)


def test_resize_keeps_the_corners() -> None:
    x = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    torch.testing.assert_close(resize(x, (3, 3)), torch.tensor([[[[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]]]))
    torch.testing.assert_close(resize(x, (5, 2))[0, 0, :, 0], torch.tensor([0, 0.5, 1, 1.5, 2]))


def test_scale_is_never_negative() -> None:
    x = torch.tensor([1.0, -2.0])
    torch.testing.assert_close(Scale(-0.5)(x), 0.5 * x)


def test_click_maps_are_embedded_at_half_size() -> None:
    """With one weight in each convolution left: a leak of 0.2 below zero, then the scale that training starts from."""
    clicks = click_branch(1)
    for weight in (clicks[0].weight, clicks[0].bias, clicks[2].weight, clicks[2].bias):
        nn.init.zeros_(weight)
    clicks[0].weight.data[0] = 1
    clicks[2].weight.data[:, 0, 1, 1] = 1
    found = clicks(torch.tensor([[[[1.0, 9, -1], [9, 9, 9]]]]))
    torch.testing.assert_close(found, torch.tensor([0.05, -0.2 * 0.05]).expand(1, 64, 1, 2))


def test_an_object_is_the_weighted_mean_of_its_pixels() -> None:
    torch.manual_seed(0)
    pixels, regions = torch.randn(2, 5, 3, 4), torch.randn(2, 2, 3, 4)
    weights = regions.exp() / regions.exp().sum(dim=(2, 3), keepdim=True)
    expected = torch.einsum("nchw,nkhw->nck", pixels, weights)[..., None]
    torch.testing.assert_close(gather_objects(pixels, regions), expected)


def test_one_object_answers_every_pixel_alike() -> None:
    """The shortcut for one object gives what attention gives to an object that is there twice."""
    torch.manual_seed(0)
    attention = ObjectAttention(6, 4).eval()
    pixels, objects = torch.randn(2, 6, 3, 5), torch.randn(2, 6, 1, 1)
    with torch.no_grad():
        context = attention(pixels, objects)
        torch.testing.assert_close(context, attention(pixels, objects.repeat(1, 1, 2, 1)))
    assert context.shape == pixels.shape


def test_attention_follows_the_nearer_object() -> None:
    torch.manual_seed(0)
    attention = ObjectAttention(6, 4).eval()
    pixels, objects = torch.randn(1, 6, 2, 3), torch.randn(1, 6, 2, 1)
    with torch.no_grad():
        query, key, value = (
            part(x).flatten(2)[0]
            for part, x in [(attention.f_pixel, pixels), (attention.f_object, objects), (attention.f_down, objects)]
        )
        relation = (query.T @ key / 4**0.5).softmax(dim=1)  # (pixels, objects)
        expected = attention.f_up((relation @ value.T).T.reshape(1, 4, 2, 3))
        torch.testing.assert_close(attention(pixels, objects), expected)


def test_every_parameter_can_be_trained() -> None:
    torch.manual_seed(0)
    network, clicks = HRNetOCR(18, 48, small=True).train(), click_branch(3)
    found = network(torch.rand(2, 3, 40, 48), clicks(torch.rand(2, 3, 40, 48)))
    (found.logits.square().mean() + found.aux_logits.square().mean()).backward()
    without = {
        name for name, weight in [*network.named_parameters(), *clicks.named_parameters()] if weight.grad is None
    }
    assert not without
    assert all(weight.grad.any() for weight in clicks.parameters())


@pytest.mark.parametrize("name", ["focalclick_hrnet18s_S1", "focalclick_hrnet18s_S2", "focalclick_hrnet32_S2"])
def test_focalclicks_weights_have_the_same_names(name: str, shared: Path) -> None:
    listed = json.loads((shared / "parity" / "state_dicts" / f"{name}.json").read_text())
    width, ocr_width, small = (listed["kwargs"].get(key, False) for key in ("width", "ocr_width", "small"))
    with torch.device("meta"):
        parts = nn.ModuleDict(
            {"maps_transform": click_branch(3), "feature_extractor": HRNetOCR(width, ocr_width, small)}
        )
    ours = {key: list(value.shape) for key, value in parts.state_dict().items()}
    assert ours == {key: shape for key, shape, _ in listed["state_dict"] if not key.startswith("refiner.")}


@pytest.mark.parametrize("multiple", [1, 8, 16])
@torch.no_grad()
def test_padded_channels_are_more_but_answer_the_same(multiple: int) -> None:
    torch.manual_seed(0)
    network = HRNetOCR(18, 48, True).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # such as training leaves them
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
            module.bias.uniform_(-0.5, 0.5)
    padded = network.with_padded_channels(multiple)
    assert all(n % multiple == 0 for n in padded.channels)
    image, click_features = torch.rand(2, 3, 40, 56), torch.rand(2, 64, 20, 28)
    for found, wanted in zip(padded(image, click_features), network(image, click_features), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
