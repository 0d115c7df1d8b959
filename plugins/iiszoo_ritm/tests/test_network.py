"""RITM's network: the published sizes, inputs and outputs, and upstream's recorded forward passes."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iiszoo.models.imagenet import normalise
from iiszoo.protocol import to_tensor
from iiszoo_ritm.network import RitmNetwork

# width, ocr_width, small, with_prev_mask; entries of the state dict, numbers in it, those of them that are trained
PUBLISHED = {
    "ritm_h18s_itermask": ((18, 48, True, True), 929, 4_237_744, 4_220_047),
    "ritm_h18_itermask": ((18, 64, False, True), 1895, 10_068_217, 10_032_019),
    "ritm_h18_baseline": ((18, 64, False, False), 1895, 10_068_201, 10_032_003),
    "ritm_h32_itermask": ((32, 128, False, True), 1895, 31_012_797, 30_951_363),
}
RECORDED = {"ritm_h18s_itermask": "sheep", "ritm_h32_itermask": "person1"}


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def network() -> RitmNetwork:
    """h18s with random weights."""
    torch.manual_seed(0)
    return RitmNetwork(18, 48, small=True, with_prev_mask=True).eval()


def inputs(n: int, size: tuple[int, int], n_maps: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(n, n_maps, *size, generator=generator)
    maps[:, -2:] = (maps[:, -2:] > 0.95).float()
    return torch.rand(n, 3, *size, generator=generator), maps


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sizes_are_the_published_ones(name: str) -> None:
    options, n_entries, n_numbers, n_trained = PUBLISHED[name]
    with torch.device("meta"):
        network = RitmNetwork(*options)
    state = network.state_dict()
    assert len(state) == n_entries
    assert sum(value.numel() for value in state.values()) == n_numbers
    assert sum(value.numel() for value in network.parameters()) == n_trained


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_and_shapes_are_the_official_ones(name: str, shared: Path) -> None:
    official = json.loads((shared / "parity" / "state_dicts" / f"{name}.json").read_text())["state_dict"]
    with torch.device("meta"):
        state = RitmNetwork(*PUBLISHED[name][0]).state_dict()
    ours = [[key, list(value.shape), str(value.dtype).removeprefix("torch.")] for key, value in state.items()]
    assert ours == official


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("size", [(1, 1), (17, 401), (33, 32)])
def test_one_logit_a_pixel_at_any_size(name: str, size: tuple[int, int]) -> None:
    options = PUBLISHED[name][0]
    logits, aux = RitmNetwork(*options).eval().forward_with_aux(*inputs(1, size, n_maps=2 + options[3]))
    assert logits.shape == (1, 1, *size)
    assert aux.shape == (1, 1, -(-size[0] // 4), -(-size[1] // 4))
    assert logits.isfinite().all()


def test_an_element_knows_nothing_of_its_batch(network: RitmNetwork) -> None:
    image, maps = inputs(3, (45, 60))
    others, other_maps = inputs(3, (45, 60), seed=1)
    logits = network(image, maps)
    others[1], other_maps[1] = image[1], maps[1]
    torch.testing.assert_close(network(others, other_maps)[1], logits[1], rtol=0, atol=0)
    alone = torch.cat([network(image[k : k + 1], maps[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(alone, logits, rtol=1e-4, atol=1e-5)  # kernels depend on the batch's size


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_every_map_is_seen(network: RitmNetwork, channel: int) -> None:
    image, maps = inputs(1, (40, 40))
    changed = maps.clone()
    changed[:, channel, 10:20, 10:20] = 1 - changed[:, channel, 10:20, 10:20]
    assert not torch.allclose(network(image, maps), network(image, changed), atol=1e-6)


def test_what_goes_in_is_left_as_it_was(network: RitmNetwork) -> None:
    image, maps = inputs(2, (30, 34))
    copies = image.clone(), maps.clone()
    network(image, maps)
    torch.testing.assert_close((image, maps), copies, rtol=0, atol=0)


def test_normalisation_is_imagenets_in_float32() -> None:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    image = torch.stack([mean, mean + std, 0 * mean]).view(3, 3, 1, 1)
    expected = torch.stack([0 * mean, 0 * mean + 1, -mean / std])
    torch.testing.assert_close(normalise(image)[:, :, 0, 0], expected)
    black = normalise(torch.zeros(1, 3, 1, 1, dtype=torch.float64)).flatten()
    torch.testing.assert_close(black, -mean.double() / std.double(), rtol=1e-15, atol=0)


def test_a_network_built_without_memory_takes_weights(network: RitmNetwork) -> None:
    with torch.device("meta"):
        empty = RitmNetwork(18, 48, small=True, with_prev_mask=True)
    empty.load_state_dict(network.state_dict(), assign=True)
    image, maps = inputs(2, (30, 34))
    torch.testing.assert_close(empty.eval()(image, maps), network(image, maps), rtol=0, atol=0)


class Recorded:
    """Upstream's forward pass of a batch of two: an image and its mirror image, with synthetic weights."""

    def __init__(self, shared: Path, name: str) -> None:
        self.stored = np.load(shared / "parity" / f"{name}__{RECORDED[name]}.npz")
        self.meta = json.loads(bytes(self.stored["meta_json"]))
        recipe = runpy.run_path(str(shared / "parity" / "recipe.py"))
        self.network = RitmNetwork(*PUBLISHED[name][0]).eval()
        weights = recipe["from_parity"](self.stored)
        self.network.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()})
        image = to_tensor(self.stored["fwd_image"])[None]
        self.image = torch.cat([image, image.flip(3)])
        previous = torch.from_numpy(self.stored["fwd_prev_u8"])[:, None].float() / 255
        self.maps = torch.cat([previous, torch.from_numpy(self.stored["fwd_disks"]).float()], dim=1)


@pytest.fixture(scope="module", params=RECORDED)
def recorded(request: pytest.FixtureRequest, shared: Path) -> Recorded:
    return Recorded(shared, request.param)


def test_forward_is_upstreams(recorded: Recorded) -> None:
    stored, noise = recorded.stored, recorded.meta["float64"]["max_abs_f64_minus_f32"]
    logits, aux = recorded.network.forward_with_aux(recorded.image, recorded.maps)
    assert np.abs(logits.numpy() - stored["fwd_logits"]).max() <= 5 * noise
    # recorded at every fourth pixel, enlarged
    aux = nn.functional.interpolate(aux, logits.shape[2:], mode="bilinear", align_corners=True)[:, 0, ::4, ::4]
    assert np.abs(aux.numpy() - stored["fwd_aux_sample"]).max() <= 5 * noise


def test_every_layer_is_upstreams(recorded: Recorded) -> None:
    """Mean and standard deviation of the output of each convolution and each norm."""
    found: dict[str, tuple[float, float]] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, y: found.update({name: (y.double().mean().item(), y.double().std().item())})

    layers = {
        name: layer
        for name, layer in recorded.network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d) and "object_context_block" not in name  # computed differently
    }
    hooks = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    recorded.network(recorded.image, recorded.maps)
    for hook in hooks:
        hook.remove()
    assert set(found) == set(layers)
    for name, statistics in found.items():
        ((_, mean, std),) = recorded.meta["trace"][name]
        np.testing.assert_allclose(statistics, (mean, std), rtol=0, atol=1e-5 * std, err_msg=name)


def test_forward_in_float64_is_upstreams(recorded: Recorded) -> None:
    """The last of these tests, as it converts the network to float64."""
    logits = recorded.network.double()(recorded.image.double(), recorded.maps.double())
    sample = logits[:, 0].flatten(1)[:, recorded.stored["fwd_f64_positions"]]
    assert np.abs(sample.numpy() - recorded.stored["fwd_f64_sample"]).max() <= 1e-7
