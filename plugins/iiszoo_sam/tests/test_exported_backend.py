"""SAM's exported encoder and decoder against torch's, with the small SAM; the exported files by their own example."""

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
from small_sam import small_sam

pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")

from iiszoo import Session, load_dataset, load_model
from iiszoo.engine.export import export_onnx
from iiszoo.errors import BadOption
from iiszoo.models.compute import Compute
from iiszoo.protocol import as_model
from iiszoo_sam import checkpoints
from iiszoo_sam.decoder import parts
from iiszoo_sam.exported_backend import ExportedBackend
from iiszoo_sam.model import Sam
from iiszoo_sam.torch_backend import TorchBackend


@pytest.mark.parametrize(("sessions", "points"), [(1, 1), (3, 5)])
@pytest.mark.parametrize("with_masks", [False, True])
def test_the_decoder_takes_any_number_of_sessions_and_points(sessions: int, points: int, with_masks: bool) -> None:
    random = torch.Generator().manual_seed(0)
    embedding = torch.randn(sessions, 256, 64, 64, generator=random)
    coords = torch.rand(sessions, points, 2, generator=random) * 1024
    labels = torch.randint(0, 2, (sessions, points), generator=random).float()
    masks = torch.randn(sessions, 1, 256, 256, generator=random) if with_masks else None
    with torch.no_grad():
        wanted = TorchBackend(*parts(small_sam()), Compute("cpu")).decode(
            {"embedding": embedding}, coords, labels, masks
        )
        found = ExportedBackend(*parts(small_sam())).decode({"embedding": embedding}, coords, labels, masks)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_files_give_the_models_mask_by_the_example_in_their_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card of ViT-B with the small SAM: what `iiszoo export sam/vit-b` writes."""
    monkeypatch.setattr(checkpoints, "load_sam", lambda model, file: small_sam())
    checkpoint = tmp_path / "sam.pth"
    checkpoint.touch()
    folder = tmp_path / "sam"
    assert [file.name for file in export_onnx("sam/vit-b", folder, checkpoint)][:2] == ["encoder.onnx", "decoder.onnx"]
    facts: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    assert facts["networks"][1]["inputs"]["coords"]["shape"] == ["batch", "points", 2]
    image = load_dataset("demo")[0].read_image()
    Image.fromarray(image).save(folder / "photo.jpg", quality=95)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)
    mask = np.asarray(Image.open(folder / "mask.png")) > 0
    model = as_model(Sam(TorchBackend(*parts(small_sam()), Compute("cpu"))))
    wanted = Session(model, np.asarray(Image.open(folder / "photo.jpg"))).click(120, 180)
    assert (mask != wanted).sum() <= 20  # pixels at the threshold
    assert mask.any()


def test_precision_is_torchs_alone() -> None:
    with pytest.raises(BadOption, match="runtime=onnx leaves no choice of precision"):
        load_model("sam/vit-b?runtime=onnx&precision=bfloat16")
