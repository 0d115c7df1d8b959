"""The two parts of the network, on torch and exported, against transformers' own predictions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_sam2 import small_sam2

from iiszoo import Session, load_dataset, load_model
from iiszoo.errors import BadOption
from iiszoo.models.compute import Compute
from iiszoo.models.imagenet import normalise
from iiszoo.protocol import as_model
from iiszoo_sam2 import checkpoints
from iiszoo_sam2.model import LEAST_STABILITY, Sam2, stability
from iiszoo_sam2.parts import DECODER, ENCODER, SHAPES, Decoder, Encoder

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


def prompts(n: int, n_points: int = 3) -> tuple[Tensor, ...]:
    """Features, points and masks of n sessions, of which every second has a mask."""
    random = torch.Generator().manual_seed(n)
    features = (torch.randn(n, *shape, generator=random) for shape in SHAPES.values())
    points = torch.rand(n, n_points, 3, generator=random) * torch.tensor([1024, 1024, 1])
    points[..., 2] = points[..., 2].round()
    return *features, points, torch.randn(n, 1, 256, 256, generator=random), torch.arange(n) % 2.0


@pytest.mark.parametrize("with_mask", [False, True])
def test_one_prompt_is_what_transformers_predicts(network: Any, parts: Any, with_mask: bool) -> None:
    """From the frame to the candidates, and the fallback for an unstable single mask."""
    encoder, decoder = parts
    frame = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    *_, points, mask, _ = prompts(1)
    candidates, quality = decoder(*encoder(frame), points, mask, torch.tensor([float(with_mask)]))
    asked = {
        "pixel_values": normalise(frame),
        "input_points": points[:, None, :, :2],
        "input_labels": points[:, None, :, 2].long(),
        "input_masks": mask if with_mask else None,
    }
    three = network(**asked, multimask_output=True)
    assert torch.allclose(candidates[:, 1:], three.pred_masks[:, 0], atol=1e-4)
    assert torch.allclose(quality[:, 1:], three.iou_scores[:, 0], atol=1e-5)
    one = network(**asked, multimask_output=False)
    index = 0 if stability(candidates[:, 0]) >= LEAST_STABILITY else 1 + int(quality[0, 1:].argmax())
    assert torch.allclose(candidates[:, index], one.pred_masks[:, 0, 0], atol=1e-4)


def test_sessions_with_and_without_mask_share_a_call(parts: Any) -> None:
    _, decoder = parts
    asked = prompts(3)
    together = decoder(*asked)
    for b in range(3):
        alone = decoder(*(value[b : b + 1] for value in asked))
        assert all(torch.allclose(a[b : b + 1], c, atol=1e-4) for a, c in zip(together, alone, strict=True))


def test_the_encoder_may_compute_in_bfloat16(parts: Any) -> None:
    frame = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    rough = Compute("cpu", precision="bfloat16").network(Encoder(small_sam2()), ENCODER)(frame)
    for exact, other in zip(parts[0](frame), rough, strict=True):
        assert other.dtype == torch.float32
        assert 0 < (other - exact).abs().max() < 0.2 * exact.abs().max()


@pytest.mark.slow
def test_the_exported_decoder_takes_any_number_of_sessions_and_points(parts: Any) -> None:
    pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
    pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")
    _, decoder = parts
    exported = Compute("cpu", "onnx").network(decoder, DECODER)
    for n, n_points in ((1, 1), (3, 5)):
        asked = prompts(n, n_points)
        for one, other in zip(exported(*asked), decoder(*asked), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_exported_files_give_the_models_mask_by_the_example_in_their_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card of `sam2/tiny` with the small network: what `iiszoo export sam2` writes."""
    pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
    pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")
    from iiszoo.engine.export import export_onnx

    monkeypatch.setattr(checkpoints, "load_network", lambda model, file: small_sam2())
    checkpoint = tmp_path / "sam2.pt"
    checkpoint.touch()
    folder = tmp_path / "sam2"
    written = export_onnx("sam2/tiny", folder, checkpoint)
    assert [file.name for file in written][:2] == ["encoder.onnx", "decoder.onnx"]
    facts: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    assert facts["networks"][1]["inputs"]["points"]["shape"] == ["batch", "points", 3]
    Image.fromarray(load_dataset("demo")[0].read_image()).save(folder / "photo.jpg", quality=95)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)
    mask = np.asarray(Image.open(folder / "mask.png")) > 0
    network = small_sam2()
    model = as_model(Sam2(Encoder(network), Decoder(network)))
    wanted = Session(model, np.asarray(Image.open(folder / "photo.jpg"))).click(120, 180)
    assert (mask != wanted).sum() <= 20  # pixels at the threshold
    assert mask.any()


def test_precision_is_torchs_alone() -> None:
    with pytest.raises(BadOption, match="runtime=onnx leaves no choice of precision"):
        load_model("sam2?runtime=onnx&precision=bfloat16")
