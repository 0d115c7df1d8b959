"""SegNext's exported encoder and decoder: the same answers as torch's, and files that their own example can use."""

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
from small_segnext import SMALL, small_model, small_segnext

pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")

from iiszoo import Session, load_dataset
from iiszoo.engine.export import export_onnx
from iiszoo.protocol import as_model
from iiszoo_segnext import network

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded as vitb-sax1 is the small network."""
    monkeypatch.setitem(network.NETWORKS, "segnext/vitb-sax1", lambda: network.SegNextNetwork(SMALL))
    monkeypatch.setitem(network.CONFIGS, "segnext/vitb-sax1", SMALL)


def test_the_files_give_the_models_mask_by_the_example_in_their_readme(tmp_path: Path) -> None:
    """What `iiszoo export segnext/vitb-sax1` writes."""
    checkpoint, folder = tmp_path / "small.pth", tmp_path / "segnext"
    torch.save(small_segnext().state_dict(), checkpoint)
    files = [file.name for file in export_onnx("segnext/vitb-sax1", folder, checkpoint)]
    assert files[:2] == ["encoder.onnx", "decoder.onnx"]
    facts: dict[str, Any] = json.loads((folder / "metadata.json").read_text())
    assert facts["networks"][1]["inputs"]["maps"]["shape"] == ["batch", 3, 1024, 1024]
    image = load_dataset("demo")[0].read_image()
    Image.fromarray(image).save(folder / "photo.jpg", quality=95)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=120)
    mask = np.asarray(Image.open(folder / "mask.png")) > 0
    photo = np.asarray(Image.open(folder / "photo.jpg"))
    session = Session(as_model(small_model()), photo)
    session.click(120, 180)
    wanted = session.probabilities > facts["threshold"]
    assert (mask != wanted).mean() < 1e-3  # pixels at the threshold
    assert 0.1 < wanted.mean() < 0.9


def test_sessions_on_onnxruntime_are_torchs() -> None:
    x = [torch.rand(3, 40, 60), torch.rand(3, 50, 30)]
    answers = []
    for runtime in ("torch", "onnx"):
        model = small_model(runtime=runtime)
        z = model.init_z(x)
        y, z = model(x, z, [[[(20, 20)], [(5, 5)]]], [[[], []]])
        y, z = model(x, z, [[[(20, 20)], [(5, 5)]], [[], [(9, 9)]]], [[[], []], [[(1, 1)], []]])
        answers.append(y)
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)
