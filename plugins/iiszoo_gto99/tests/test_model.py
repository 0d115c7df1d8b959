"""The standard format: state, batches, clicks."""

from __future__ import annotations

import copy
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from iiszoo import protocol
from iiszoo_gto99.components import remove_unclicked
from iiszoo_gto99.model import Gto99, encode, to_network
from iiszoo_gto99.network import Network

CLICKS: Any = [[(10, 20)], [(20, 5), (3, 3)], [(7, 9)]]
NOTHING: Any = [[], [], []]


@pytest.fixture(scope="module")
def images() -> list[Tensor]:
    """Three sizes; the network sees the first and the third at the same size."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, *size, generator=generator) for size in ((30, 60), (40, 33), (25, 50))]


@pytest.fixture
def model(network: Network) -> Gto99:
    return Gto99(network)


def play(model: Any, x: Any, clicks: Any, n: int) -> list[Any]:
    """The outputs of n interactions: positive clicks, except negative ones elsewhere in the second."""
    z, pcs, ncs, outputs = model.init_z(x), [], [], []
    nothing: Any = [[] for _ in clicks]
    for k in range(n):
        moved = [[((r + 3 * k) % 25, (c + 4 * k) % 33) for r, c in element] for element in clicks]
        pcs, ncs = ([*pcs, nothing], [*ncs, moved]) if k == 1 else ([*pcs, moved], [*ncs, nothing])
        y, z = model(x, z, pcs, ncs)
        outputs.append(y)
    return outputs


def test_outputs_are_probabilities_at_the_images_own_size(model: Gto99, images: list[Tensor]) -> None:
    for y in play(model, images, CLICKS, 2):
        protocol.check_output(y, images, "gto99")
    x = torch.stack([images[0], images[0].flip(-1)])
    for y in play(model, x, CLICKS[:2], 2):
        protocol.check_output(y, x, "gto99")


def test_the_batch_does_not_matter(model: Gto99, images: list[Tensor]) -> None:
    together = play(model, images, CLICKS, 2)
    for b, image in enumerate(images):
        for k, (y,) in enumerate(play(model, [image], [CLICKS[b]], 2)):
            # kernels may differ in their last bits, and with them, rarely, which pixel is in a component
            assert ((y - together[k][b]).abs() > 1e-3).float().mean() < 0.01


def test_on_a_cpu_an_answer_does_not_depend_on_the_batch(model: Gto99, images: list[Tensor]) -> None:
    together, _ = model(images, model.init_z(images), [CLICKS], [NOTHING])
    for b, image in enumerate(images):
        alone, _ = model([image], model.init_z([image]), [[CLICKS[b]]], [[NOTHING[b]]])
        assert torch.equal(alone[0], together[b])


def test_a_state_parts_and_joins(model: Gto99, images: list[Tensor]) -> None:
    _, z = model(images, model.init_z(images), [CLICKS], [NOTHING])
    again = protocol.stack(protocol.split(z))
    pcs, ncs = [CLICKS, NOTHING], [NOTHING, CLICKS]
    first, second = model(images, z, pcs, ncs)[0], model(images, again, pcs, ncs)[0]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_is_kept_and_nothing_is_changed(model: Gto99, images: list[Tensor]) -> None:
    z = {**model.init_z(images), "prev_output": [torch.rand(1, *image.shape[1:]) for image in images]}
    pcs, ncs = [CLICKS], [NOTHING]
    before = copy.deepcopy((images, z, pcs, ncs))
    first, _ = model(images, z, pcs, ncs)
    model(images[:1], model.init_z(images[:1]), [[[]]], [[[(1, 1)]]])  # another session
    second, _ = model(images, z, pcs, ncs)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert str((images, z, pcs, ncs)) == str(before)


def test_without_clicks_the_previous_output_stays(model: Gto99, images: list[Tensor]) -> None:
    z = {**model.init_z(images), "prev_output": [torch.rand(1, *image.shape[1:]) for image in images]}
    y, _ = model(images, z, [], [])
    assert all(torch.equal(a, b) for a, b in zip(y, z["prev_output"], strict=True))
    y, _ = model(images, z, [[[], [(3, 3)], []]], [NOTHING])
    assert torch.equal(y[0], z["prev_output"][0])
    assert not torch.equal(y[1], z["prev_output"][1])


def test_clicked_pixels_are_what_was_clicked(model: Gto99, images: list[Tensor]) -> None:
    """A pixel clicked both ways is object; clicks outside the image are moved to its border."""
    x = images[:1]
    y, _ = model(x, model.init_z(x), [[[(10, 20), (5, 5)]], [[(99, 70)]]], [[[(20, 30)]], [[(5, 5), (-4, 3)]]])
    assert [float(y[0][0, r, c]) for r, c in ((10, 20), (5, 5), (29, 59), (20, 30), (0, 3))] == [1, 1, 1, 0, 0]


def test_every_component_of_an_answer_holds_a_positive_click(model: Gto99, images: list[Tensor]) -> None:
    x = images[:1]
    y, _ = model(x, model.init_z(x), [[[(10, 20), (3, 50)]]], [[[]]])
    assert (y[0] > 0.5).any()
    assert torch.equal(remove_unclicked(y[0], [(10, 20), (3, 50)]), y[0])
    assert not ((y[0] > 0) & (y[0] <= 0.5)).any()


def test_a_mask_to_start_from_is_read_without_what_was_not_clicked(model: Gto99, images: list[Tensor]) -> None:
    x, seen = images[:1], []
    hook = model.network.register_forward_hook(lambda _, inputs, output: seen.append(inputs[2]))
    mask = torch.zeros(1, 30, 60)
    mask[..., 5:15, 10:30] = 1
    mask[..., 20:28, 40:55] = 1
    z = {**model.init_z(x), "prev_output": [mask]}
    model(x, z, [[[(10, 20)]]], [[[]]])
    model(x, z, [[[]]], [[[(10, 20)]]])
    hook.remove()
    clicked, whole = (alpha[0, 0] > 0.5 for alpha in seen)
    assert not clicked[20:, 38:].any()
    assert clicked[6:14, 12:28].all()
    assert whole[22:28, 44:56].all()  # no positive click: all of it


def test_values_of_8_bits_are_read_to_the_last_digit() -> None:
    """x is float32, while upstream divides and resizes in float64: the network's image is the same to the last bit."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 31, 45))
    cv2.ipp.setUseIPP(False)
    resized = [cv2.resize(plane / 255, (64, 32), interpolation=cv2.INTER_LANCZOS4) for plane in pixels]
    cv2.ipp.setUseIPP(True)
    exact = np.stack(resized).astype(np.float32)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = to_network(torch.from_numpy(pixels.astype(np.float32)) / 255)
    assert np.array_equal(found.numpy(), (exact - mean) / std)
    between = torch.full((3, 32, 32), 0.5)  # not a value of an 8-bit image
    assert torch.allclose(to_network(between)[0], torch.tensor((0.5 - 0.485) / 0.229))


def test_click_maps_begin_with_the_negative_ones() -> None:
    maps, clicked = encode([([(3, 4)], []), ([], [(5, 6)])], (32, 32))
    assert maps.shape == (2, 6, 32, 32)
    assert maps[0, :3, 3, 4].tolist() == [1, 1, 1]
    assert not maps[0, 3:].any()
    assert maps[1, 3:, 5, 6].tolist() == [1, 1, 1]
    assert not maps[1, :3].any()
    assert clicked.nonzero().tolist() == [[0, 0, 3, 4], [1, 1, 5, 6]]
    assert torch.allclose(maps[0, :3, 3, 14], torch.exp(-100 / (2 * (352 * torch.tensor([0.02, 0.08, 0.16])) ** 2)))
