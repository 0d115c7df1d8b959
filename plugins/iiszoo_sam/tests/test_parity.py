"""SAM ViT-B against upstream's recorded run, with the synthetic weights of the shared fixtures.

The encoder takes a while on a CPU, so these tests are marked slow; the other tests use the small SAM.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo.models.compute import Compute
from iiszoo.protocol import to_tensor
from iiszoo_sam.checkpoints import load_sam
from iiszoo_sam.decoder import parts
from iiszoo_sam.model import Sam
from iiszoo_sam.preprocess import from_frame, to_frame
from iiszoo_sam.prompts import points
from iiszoo_sam.torch_backend import TorchBackend

pytestmark = pytest.mark.slow

NOISE = 2e-4
"""Logits: ten times the change by other CPU kernels in the decoder (meta `noise_floor_mkldnn_off_decoder_only`), as the
encoder's noise adds to it. Logits are within -3 .. 3.
"""


@pytest.fixture(scope="module")
def stored(shared: Path) -> Any:
    return np.load(shared / "parity" / "sam_vit_b__sheep.npz")


@pytest.fixture(scope="module")
def backend(shared: Path, stored: Any, tmp_path_factory: pytest.TempPathFactory) -> TorchBackend:
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    torch.set_num_threads(2)
    file = tmp_path_factory.mktemp("sam") / "vit_b.pth"
    torch.save({key: torch.from_numpy(np.asarray(value)) for key, value in recipe.from_parity(stored).items()}, file)
    return TorchBackend(*parts(load_sam("sam/vit-b", file)), Compute("cpu"))


@pytest.fixture(scope="module")
def x(stored: Any) -> torch.Tensor:
    return to_tensor(stored["image"])[None]


@pytest.fixture(scope="module")
def start(backend: TorchBackend, x: torch.Tensor) -> Any:
    """The state before the first click: the encoder runs once for all tests."""
    with torch.no_grad():
        return Sam(backend).init_z(x)


def clicks(stored: Any, n: int) -> tuple[Any, Any]:
    """(pcs, ncs) of the first n clicks, one per interaction."""
    rows = stored["clicks"][:n].tolist()
    return [[[(r, c)] if p else []] for r, c, p in rows], [[[] if p else [(r, c)]] for r, c, p in rows]


def session(model: Sam, x: torch.Tensor, z: Any, stored: Any) -> Any:
    with torch.no_grad():
        for n in range(1, len(stored["clicks"]) + 1):
            y, z = model(x, z, *clicks(stored, n))
            yield y, z


def test_the_frame_and_the_embedding(backend: TorchBackend, x: torch.Tensor, start: Any, stored: Any) -> None:
    assert np.abs(to_frame(x[0])[:, ::16, ::16].numpy() - stored["preprocessed_sub"]).max() < 1e-6
    embedding = start["embedding"][0][::8, ::2, ::2].numpy()
    assert np.abs(embedding - stored["embedding_sub"]).max() < 1e-4
    assert np.array_equal(backend.decoder.dense_pe[0][::8, ::4, ::4].numpy(), stored["dense_pe_sub"])


def test_the_prompts(backend: TorchBackend, x: torch.Tensor, start: Any, stored: Any) -> None:
    """All five clicks, with the logits of the first as mask."""
    _, z = next(session(Sam(backend), x, start, stored))
    prompt = points(*clicks(stored, 5), 0, (x.shape[2], x.shape[3]))
    with torch.no_grad():
        sparse, dense = backend.decoder.prompt_encoder(
            (prompt[None, :, :2], prompt[None, :, 2]), None, z["low_res_logits"]
        )
    assert np.abs(sparse.numpy() - stored["prompt_sparse"]).max() < 1e-4
    assert np.abs(dense[0][::8, ::4, ::4].numpy() - stored["prompt_dense_sub"]).max() < 1e-3


def test_mode_a_is_the_default_rule(backend: TorchBackend, x: torch.Tensor, start: Any, stored: Any) -> None:
    """The best of three at the first click, the single mask afterwards, logits fed back."""
    for k, (y, z) in enumerate(session(Sam(backend), x, start, stored)):
        low = z["low_res_logits"]
        assert np.abs(low.flatten().numpy()[stored["low_sample_idx"]] - stored["A_low_sample_f32"][k]).max() < NOISE
        logits = from_frame(low[0], (x.shape[2], x.shape[3])).flatten().numpy()
        assert np.abs(logits[stored["A_sample_idx"]] - stored["A_logits_sample_f32"][k]).max() < NOISE
        assert np.abs(torch.logit(y.double())[0, 0].numpy() - stored["A_logits_f16"][k]).max() < 2e-3  # half precision
    with torch.no_grad():
        prompt = points(*clicks(stored, 1), 0, (x.shape[2], x.shape[3]))
        _, quality = backend.decode(start, prompt[None, :, :2], prompt[None, :, 2], None)
    assert np.abs(quality[0, 1:].numpy() - stored["A_iou_first"]).max() < 1e-4
    assert int(quality[0, 1:].argmax()) == int(stored["A_best_first"])


def test_mode_b_is_the_rule_single(backend: TorchBackend, x: torch.Tensor, start: Any, stored: Any) -> None:
    where = stored["A_sample_idx"][::4]
    for k, (_, z) in enumerate(session(Sam(backend, "single"), x, start, stored)):
        logits = from_frame(z["low_res_logits"][0], (x.shape[2], x.shape[3])).flatten().numpy()
        assert np.abs(logits[where] - stored["B_logits_sample_f32"][k]).max() < NOISE


def test_mode_c_has_all_three_candidates(backend: TorchBackend, x: torch.Tensor, start: Any, stored: Any) -> None:
    """All clicks so far, no mask prompt: the three masks and their predicted IoUs."""
    size, where = (x.shape[2], x.shape[3]), stored["A_sample_idx"][::8]
    for k in range(5):
        prompt = points(*clicks(stored, k + 1), 0, size)
        with torch.no_grad():
            masks, quality = backend.decode(start, prompt[None, :, :2], prompt[None, :, 2], None)
        found = np.stack([from_frame(masks[0, c : c + 1], size).flatten().numpy()[where] for c in (1, 2, 3)])
        assert np.abs(found - stored["C_logits_sample_f32"][k]).max() < NOISE
        assert np.abs(quality[0, 1:].numpy() - stored["C_iou"][k]).max() < 1e-4
