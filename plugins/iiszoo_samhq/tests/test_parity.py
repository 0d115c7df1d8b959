"""HQ-SAM ViT-B and tiny against upstream's recorded runs, with the synthetic weights of the shared fixtures.

The encoders take a while on a CPU, so these tests are marked slow; the other tests use the small HQ-SAM.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo.models.compute import Compute
from iiszoo.protocol import to_tensor
from iiszoo_sam.checkpoints import load_sam
from iiszoo_sam.model import Sam
from iiszoo_sam.preprocess import from_frame, to_frame
from iiszoo_sam.torch_backend import TorchBackend
from iiszoo_samhq.decoder import parts
from iiszoo_samhq.network import NETWORKS

pytestmark = pytest.mark.slow

LIMIT = 2e-3
"""Probabilities; other kernels in the decoder move them by at most 2.6e-4 (`noise_floor_*` of the fixtures' meta)."""
MODES = {"A": ("default", False), "B": ("single", False), "C": ("segnext", False), "Ahq": ("default", True)}
"""The fixtures' modes: rule, `hq_token_only`."""


@dataclass
class Case:
    """A fixture, its network, and the state before the first click: the encoder runs once for all tests."""

    stored: Any
    sam: Any
    x: torch.Tensor
    encoding: dict[str, torch.Tensor]
    early: torch.Tensor


class Encoded(TorchBackend):
    """The backend with the encoder's answer at hand; it notes the IoUs that the decoder predicts."""

    def __init__(self, case: Case, hq_token_only: bool) -> None:
        super().__init__(*parts(case.sam, hq_token_only), Compute("cpu"))
        self.encoding, self.quality = case.encoding, torch.empty(0)

    def encode(self, frame: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.encoding

    def decode(self, *prompt: Any) -> tuple[torch.Tensor, torch.Tensor]:
        logits, self.quality = super().decode(*prompt)
        return logits, self.quality


@pytest.fixture(scope="module", params=["vit_b__sheep", "tiny__person1"])
def case(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    stored = np.load(shared / "parity" / f"samhq_{request.param}.npz")
    model = f"samhq/{request.param.partition('__')[0].replace('_', '-')}"
    file = tmp_path_factory.mktemp("samhq") / "weights.pth"
    torch.save({key: torch.from_numpy(np.asarray(value)) for key, value in recipe.from_parity(stored).items()}, file)
    sam: Any = load_sam(model, file, NETWORKS).eval()
    x = to_tensor(stored["image"])[None]
    early: list[torch.Tensor] = []
    sam.mask_decoder.compress_vit_feat.register_forward_pre_hook(lambda layer, inputs: early.append(inputs[0]))
    with torch.no_grad():
        encoding = TorchBackend(*parts(sam), Compute("cpu")).encode(to_frame(x[0])[None])
    return Case(stored, sam, x, encoding, early[0])


def test_the_frame_and_what_the_encoder_gives(case: Case) -> None:
    stored = case.stored
    assert np.abs(to_frame(case.x[0])[:, ::16, ::16].numpy() - stored["preprocessed_sub"]).max() < 1e-6
    found = case.encoding["embedding"][0][::8, ::2, ::2].numpy()
    assert np.abs(found - stored["embedding_sub"]).max() < 1e-4 * stored["embedding_sub"].std()
    early = case.early[0].permute(1, 2, 0)[::4, ::4, ::16].numpy()
    assert np.abs(early - stored["interm_embedding_sub"]).max() < 1e-4 * stored["interm_embedding_sub"].std()
    assert np.array_equal(case.sam.prompt_encoder.get_dense_pe()[0][::8, ::4, ::4].numpy(), stored["dense_pe_sub"])


@pytest.mark.parametrize("mode", MODES)
def test_every_click_of_every_mode(case: Case, mode: str) -> None:
    stored, size = case.stored, (case.x.shape[2], case.x.shape[3])
    rule, hq_token_only = MODES[mode]
    backend = Encoded(case, hq_token_only)
    model = Sam(backend, rule)
    z = model.init_z(case.x)
    pcs: Any = []
    ncs: Any = []
    for k, (row, col, positive) in enumerate(stored["clicks"].tolist()):
        pcs, ncs = [*pcs, [[(row, col)] if positive else []]], [*ncs, [[] if positive else [(row, col)]]]
        with torch.no_grad():
            y, z = model(case.x, z, pcs, ncs)
        low = z["low_res_logits"].flatten()[torch.from_numpy(stored["low_sample_idx"])]
        assert (low.sigmoid() - torch.from_numpy(stored[f"{mode}_low_sample_f32"][k]).sigmoid()).abs().max() < LIMIT
        probabilities = y.flatten()[torch.from_numpy(stored["sample_idx"])]
        wanted = torch.from_numpy(stored[f"{mode}_logits_sample_f32"][k]).sigmoid()
        assert (probabilities - wanted).abs().max() < LIMIT, (mode, k)
        mask = np.unpackbits(stored[f"{mode}_masks_packed"][k], axis=-1, count=size[1]).astype(bool)
        logits = from_frame(z["low_res_logits"][0], size)[0].numpy()
        assert (np.abs(logits[(logits > 0) != mask]) < 4 * LIMIT).all()
        assert np.abs(backend.quality[0].numpy() - stored[f"{mode}_iou_all"][k]).max() < 1e-3
        multimask = rule == "segnext" or (rule == "default" and k == 0)
        chosen = backend.quality[0, 1:].max() if multimask else backend.quality[0, 0]
        assert abs(float(chosen) - float(stored[f"{mode}_iou"][k, 0])) < 1e-3
