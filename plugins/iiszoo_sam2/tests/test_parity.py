"""SAM 2.1 and EdgeTAM against upstream's recorded runs, with the synthetic weights of the shared fixtures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from iiszoo.models.compute import Compute
from iiszoo.models.imagenet import normalise
from iiszoo.protocol import State, to_tensor
from iiszoo_sam2.checkpoints import load_network
from iiszoo_sam2.frame import CLAMP, to_frame
from iiszoo_sam2.model import LEAST_STABILITY, Sam2, stability
from iiszoo_sam2.parts import DECODER, ENCODER, Decoder, Encoder

pytestmark = pytest.mark.slow

RECORDED = [
    ("sam2_tiny__sheep", "sam2/tiny", "torch"),
    ("sam2_base_plus__person1", "sam2/base-plus", "torch"),
    ("edgetam__sheep", "edgetam/edgetam", "torch"),
    ("edgetam__sheep", "edgetam/edgetam", "onnx"),
]
RULES = {"A": "default", "B": "single", "C": "segnext"}


class Case(NamedTuple):
    """An upstream run, the network that takes its weights, and the state before the first click."""

    stored: Any
    encoder: Any
    decoder: Any
    x: torch.Tensor
    start: State


@pytest.fixture(scope="module", params=RECORDED, ids=lambda recorded: f"{recorded[1]}-{recorded[2]}")
def case(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name, model, runtime = request.param
    if runtime == "onnx":
        pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
        pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    stored = np.load(shared / "parity" / f"{name}.npz")
    folder = tmp_path_factory.mktemp("sam2")
    weights = {key: torch.from_numpy(np.asarray(value)) for key, value in recipe.from_parity(stored).items()}
    torch.save({"model": weights}, folder / "official.pt")
    network = load_network(model, folder / "official.pt")
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setenv("IISZOO_CACHE", str(folder))
        compute = Compute("cpu", runtime)
        encoder, decoder = compute.network(Encoder(network), ENCODER), compute.network(Decoder(network), DECODER)
        x = to_tensor(stored["image"])[None]
        yield Case(stored, encoder, decoder, x, Sam2(encoder, decoder).init_z(x))


def session(case: Case, rule: str) -> Iterator[tuple[torch.Tensor, State, torch.Tensor, torch.Tensor]]:
    """Output, state, all four candidates and their predicted IoUs of every click."""
    answers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def decoder(*prompt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        answers.append(case.decoder(*prompt))
        return answers[-1]

    model, z = Sam2(case.encoder, decoder, rule), case.start
    pcs: Any = []
    ncs: Any = []
    for row, col, positive in case.stored["clicks"].tolist():
        pcs, ncs = [*pcs, [[(row, col)] if positive else []]], [*ncs, [[] if positive else [(row, col)]]]
        y, z = model(case.x, z, pcs, ncs)
        yield y, z, *answers[-1]


def test_the_frame_and_the_encoders_output(case: Case) -> None:
    stored, start = case.stored, case.start
    frame = normalise(to_frame(case.x[0]))[:, ::16, ::16].numpy()
    assert np.abs(frame - stored["preprocessed_sub"]).max() < 1e-6
    for name, recorded, step in (
        ("embedding", "embedding_sub", (8, 2, 2)),
        ("finest", "high_res_feats_0_sub", (4, 8, 8)),
        ("fine", "high_res_feats_1_sub", (4, 8, 8)),
    ):
        found = start[name][0][tuple(slice(None, None, n) for n in step)].numpy()
        assert np.abs(found - stored[recorded]).max() < 1e-4 * stored[recorded].std(), name


def test_the_positions_of_the_images_cells(case: Case) -> None:
    if not isinstance(case.decoder, Decoder):
        pytest.skip("they are constants inside the exported decoder")
    assert np.abs(case.decoder.positions[0][::8, ::4, ::4].numpy() - case.stored["dense_pe_sub"]).max() < 1e-5


@pytest.mark.parametrize("mode", RULES)
def test_sessions(case: Case, mode: str) -> None:
    """Six clicks: probabilities, the logits that are fed back, the candidates, and which of them is the answer."""
    stored = {name.removeprefix(f"{mode}_"): case.stored[name] for name in case.stored.files if name.startswith(mode)}
    size = case.x.shape[2:]
    kept = replaced = 0
    for k, (y, z, candidates, quality) in enumerate(session(case, RULES[mode])):
        wanted = 1 / (1 + np.exp(-stored["logits_sample_f32"][k].astype(np.float64)))
        assert np.abs(y.flatten().numpy()[case.stored["sample_idx"]] - wanted).max() < 2e-3
        mask = np.unpackbits(stored["masks_packed"][k], axis=-1, count=size[1]).astype(bool)
        assert ((y[0, 0].numpy() > 0.5) != mask).mean() < 1e-3
        low = z["low_res_logits"].flatten().numpy()[case.stored["low_sample_idx"]]
        assert np.abs(low - stored["low_sample_f32"][k]).max() < 1e-2
        assert np.abs(quality[0].numpy() - stored["iou_all"][k]).max() < 1e-3
        assert abs(float(stability(candidates[:, 0])) - stored["stability"][k]) < 2e-4

        (chosen,) = [
            c for c in range(4) if torch.equal(candidates[0, c].clamp(-CLAMP, CLAMP), z["low_res_logits"][0, 0])
        ]
        several = mode == "C" or (mode == "A" and k == 0)
        best = 1 + int(stored["iou_all"][k][1:].argmax())
        assert chosen == (1 + stored["choice"][k] if several else best if stored["fallback"][k] else 0)
        kept += not several and not stored["fallback"][k]
        replaced += bool(stored["fallback"][k])
        assert several or stored["fallback"][k] == (stored["stability"][k] < LEAST_STABILITY)
    assert mode == "C" or kept + replaced == (5 if mode == "A" else 6)
