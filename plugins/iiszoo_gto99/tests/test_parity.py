"""GTO99 against upstream's recorded runs, with the synthetic weights of the shared fixtures.

Sessions at 281x400 and 300x400 take a while on a CPU: those tests are marked slow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.models.imagenet import normalise
from iiszoo.protocol import to_tensor
from iiszoo_gto99.checkpoints import load_gto99
from iiszoo_gto99.guided_filter import guided_filter
from iiszoo_gto99.model import Gto99, encode
from iiszoo_gto99.network import Network
from iiszoo_gto99.resize import bilinear, enlarge_clicks, lanczos, network_size
from iiszoo_gto99.standardised import fold

LAST_BIT = 2.0**-23
"""For float32 values up to 1."""


@pytest.fixture(scope="module")
def parity(shared: Path) -> Iterator[Path]:
    folder = shared / "parity"
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def stored(parity: Path) -> Any:
    return np.load(parity / "gto99__sheep.npz")


@pytest.fixture(scope="module")
def weights(stored: Any) -> dict[str, Tensor]:
    import recipe

    return {key: torch.from_numpy(np.asarray(value)) for key, value in recipe.from_parity(stored).items()}


@pytest.fixture(scope="module")
def model(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Gto99:
    file = tmp_path_factory.mktemp("parity") / "recipe.pth"
    torch.save(weights, file)
    return Gto99(load_gto99(file))


@pytest.fixture
def forward(stored: Any) -> tuple[Tensor, ...]:
    """The inputs of the recorded forward pass: an image and its mirror image."""
    pixels = stored["fwd_image"] / 255
    images = torch.from_numpy(np.stack([pixels, pixels[:, ::-1]])).permute(0, 3, 1, 2).float()
    clicks: list[list[list[tuple[int, int]]]] = [[[], []], [[], []]]
    for b, row, col, kind in stored["fwd_points"].tolist():
        clicks[b][kind].append((row, col))
    maps, clicked = encode(clicks, (192, 256))
    assert np.abs(maps[:, :, ::6, ::6].numpy() - stored["fwd_clickmaps_sub"]).max() <= LAST_BIT
    return normalise(images), maps, torch.from_numpy(stored["fwd_prev_u8"] / 255).float()[:, None], clicked


def test_the_forward_pass(model: Gto99, forward: tuple[Tensor, ...], stored: Any) -> None:
    raw: list[Tensor] = []
    hook = model.network.decoder.conv_up4.register_forward_hook(lambda _, inputs, output: raw.append(output.clone()))
    off = np.abs(model.network(*forward).numpy() - stored["fwd_alpha"])
    hook.remove()
    off_raw = np.abs(raw[0].reshape(2, -1)[:, stored["fwd_sample_idx"]].numpy() - stored["fwd_raw_sample_f32"])
    assert off_raw.max() <= 2e-3
    assert np.quantile(off_raw, 0.99) <= 3e-4
    assert off.max() <= 2e-2
    assert np.quantile(off, 0.99) <= 3e-4


@pytest.mark.slow
def test_the_forward_pass_in_float64(weights: dict[str, Tensor], forward: tuple[Tensor, ...], stored: Any) -> None:
    """Without float32 noise, and given click maps with upstream's last bit, there is no difference."""
    network = Network().eval()
    network.load_state_dict(weights)
    fold(network.double())
    raw: list[Tensor] = []
    network.decoder.conv_up4.register_forward_hook(lambda _, inputs, output: raw.append(output.clone()))
    image, maps, previous, clicked = forward
    exact = upstream_maps(clicked)
    assert (exact - maps).abs().max() <= LAST_BIT
    alpha = network(image.double(), exact.double(), previous.double(), clicked)
    at = stored["fwd_f64_positions"]
    assert np.abs(raw[0].reshape(2, -1)[:, at].numpy() - stored["fwd_raw_f64_sample"]).max() < 1e-7
    assert np.abs(alpha.reshape(2, -1)[:, at].numpy() - stored["fwd_f64_sample"]).max() < 1e-7


def upstream_maps(clicked: Tensor) -> Tensor:
    """Click maps with upstream's rounding: squared distances are squares of float32 roots, values float32 functions."""
    squares = torch.stack([_squares(plane) for plane in clicked.flatten(0, 1)]).numpy()
    squares = np.sqrt(squares.astype(np.float32)) ** 2
    maps = np.stack([np.exp(-squares / (2 * ((s * 352) ** 2))) for s in (0.02, 0.08, 0.16)], axis=1)
    return torch.from_numpy(maps.astype(np.float32)).reshape(len(clicked), 6, *clicked.shape[2:])


def _squares(plane: Tensor) -> Tensor:
    rows, cols = (torch.arange(n) for n in plane.shape)
    at = plane.nonzero()
    each = (rows[None, :, None] - at[:, 0, None, None]) ** 2 + (cols[None, None, :] - at[:, 1, None, None]) ** 2
    return each.amin(dim=0)


def test_click_maps_resizing_and_guided_filter(parity: Path) -> None:
    cases = np.load(parity / "gto99_clickmaps.npz")
    for case in json.loads(bytes(cases["meta_json"]))["cases"]:
        i, size, to = case["i"], tuple(case["shape"]), tuple(case["scaled"])
        assert network_size(size) == to
        points = cases[f"points::{i}"].tolist()
        clicks = [[(row, col) for row, col, kind in points if kind == wanted] for wanted in (0, 1)]
        scaled = [enlarge_clicks(kind, size, to) for kind in clicks]
        maps, _ = encode([clicks], size)
        assert np.abs(maps[0, :, ::3, ::3].numpy() - cases[f"maps::{i}"]).max() <= LAST_BIT
        maps, clicked = encode([scaled], to)
        assert np.abs(maps[0, :, ::4, ::4].numpy() - cases[f"scaled_maps::{i}"]).max() <= LAST_BIT
        ones = {(kind, row, col) for row, col, kind in cases[f"scaled_ones::{i}"].tolist()}
        assert set(map(tuple, clicked[0].nonzero().tolist())) == ones
        if i < 4:
            alpha, enlarged = (torch.from_numpy(cases[f"{name}::{i}"])[None] for name in ("alpha", "alpha_up"))
            assert (lanczos(alpha, to) - enlarged).abs().max() < 1e-6
            back = bilinear(enlarged[None].clamp(0, 1), size)[0, 0].numpy()
            assert np.abs(back - cases[f"alpha_down::{i}"]).max() < 5e-5
            guide, values = (torch.from_numpy(cases[f"gf_{name}::{i}"])[None, None] for name in "xy")
            assert np.abs(guided_filter(guide, values)[0, 0].numpy() - cases[f"gf_out::{i}"]).max() < 1e-6
            exact = guided_filter(guide.double(), values.double())[0, 0].numpy()
            assert np.abs(exact - cases[f"gf_out_f64::{i}"]).max() < 1e-12


def tensor_of(image: NDArray[np.uint8]) -> Tensor:
    return to_tensor(image)[None]


def lists_of(rows: list[list[int]]) -> tuple[Any, Any]:
    """(pcs, ncs) of rows (row, col, is_positive), one per interaction."""
    return [[[(r, c)] if p else []] for r, c, p in rows], [[[] if p else [(r, c)]] for r, c, p in rows]


def session(model: Gto99, x: Tensor, rows: list[list[int]], start: Tensor | None = None) -> Iterator[NDArray[Any]]:
    z = model.init_z(x) if start is None else {**model.init_z(x), "prev_output": start}
    for n in range(1, len(rows) + 1):
        y, z = model(x, z, *lists_of(rows[:n]))
        yield y[0, 0].numpy()


def iou(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


@pytest.mark.slow
def test_a_session(model: Gto99, stored: Any) -> None:
    x = tensor_of(stored["image"])
    masks = np.unpackbits(stored["masks"], axis=-1)[..., : x.shape[-1]].astype(bool)
    for k, y in enumerate(session(model, x, stored["clicks"].tolist())):
        assert iou(y >= 0.5, masks[k]) >= 0.999
        assert ((y > 0.5) == (y >= 0.5)).all()  # after a positive click upstream's threshold and iiszoo's agree


@pytest.mark.slow
def test_each_click_after_upstreams_own_alphas(model: Gto99, stored: Any) -> None:
    """Where the guide is flat, the network's output depends on the last bits of a 1x1 convolution: upstream's own code,
    run on the development machine, also differs by 5e-4 to 7e-4 at the 99th percentile; the limit here is 1e-3.
    """
    x, rows = tensor_of(stored["image"]), stored["clicks"].tolist()
    seen: list[tuple[Any, Tensor]] = []
    hook = model.network.register_forward_hook(lambda _, inputs, output: seen.append((inputs, output)))
    off = []
    for k in range(len(rows)):
        before = stored["probs_f16"][k - 1].astype(np.float32) if k else np.zeros(x.shape[-2:], np.float32)
        start = {**model.init_z(x), "prev_output": torch.from_numpy(before)[None, None]}
        y = model(x, start, *lists_of(rows[: k + 1]))[0]
        off.append(np.abs(y.reshape(-1)[stored["probs_sample_idx"]].numpy() - stored["tf_sample_f32"][k]))
        answer = seen[-1][1].reshape(-1)[stored["net_sample_idx"]].numpy()
        assert np.quantile(np.abs(answer - stored["tf_net_sample_f32"][k]), 0.99) <= 1e-3
    hook.remove()
    assert (np.stack(off) > 1e-3).mean() <= 1e-3
    image, maps, alpha, clicked = (part[0].flatten(1)[:, stored["net_sample_idx"][::8]] for part in seen[-1][0])
    assert np.array_equal(image.numpy(), stored["stage_image_f32"])
    assert np.abs(maps.numpy() - stored["stage_clickmaps_f32"]).max() <= LAST_BIT
    assert np.abs(alpha[0].numpy() - stored["stage_alpha_old_f32"]).max() < 1e-6
    ones = set(map(tuple, stored["stage_trimap_ones"].tolist()))
    assert set(map(tuple, seen[-1][0][3][0].nonzero().tolist())) == ones
    assert clicked.dtype == torch.bool


@pytest.mark.slow
@pytest.mark.parametrize("name", ["neg_first", "init_mask", "corners", "both"])
def test_variants(name: str, model: Gto99, stored: Any) -> None:
    """Negative first, an initial mask, clicks in corners, a pixel clicked both ways."""
    variant = json.loads(bytes(stored["meta_json"]))["variants"][name]
    start = torch.from_numpy(stored["init_mask_u8"] / np.float32(255))[None, None] if variant["init"] else None
    at = stored["probs_sample_idx"][::4]
    for k, y in enumerate(session(model, tensor_of(stored["image"]), variant["clicks"], start)):
        off = np.abs(y.reshape(-1)[at] - stored[f"var_{name}_sample_f32"][k])
        assert np.quantile(off, 0.99) <= 1e-3
        assert (off > 2e-2).mean() <= 1e-3


@pytest.mark.slow
def test_upstreams_evaluation(parity: Path, model: Gto99) -> None:
    """Small differences grow with the clicks: at the sixth, upstream's own code, run on the development machine, has an
    IoU of 0.94 with its recorded mask, while this code has one above 0.997 with upstream's at every click.
    """
    stored = np.load(parity / "evaluate_gto99.npz")
    for sequence in json.loads(bytes(stored["meta_json"]))["seqs"]:
        image, target = stored[f"image::{sequence['image']}"], stored[f"gt::{sequence['image']}"]
        masks = np.unpackbits(stored[f"masks::{sequence['image']}"], axis=-1)[..., : image.shape[1]].astype(bool)
        for k, y in enumerate(session(model, tensor_of(image), sequence["clicks"])):
            mask = y >= 0.5
            assert iou(mask, masks[k]) >= (0.99 if k < 5 else 0.93)
            known = target >= 0
            assert abs(iou(mask & known, target == 1) - sequence["ious"][k]) <= (2e-3 if k < 5 else 3e-2)
