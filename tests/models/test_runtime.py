"""Networks on onnxruntime: the same answers at every size, one export per weights, one sentence for what cannot be."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from iiszoo import Session, files, load_dataset, load_model
from iiszoo.assets import cache_root
from iiszoo.errors import BadOption, ModelError
from iiszoo.model_reference import on_fastest_runtime, resolve
from iiszoo.models import onnx_export, runtime
from iiszoo.models.onnx_export import exported, fingerprint
from iiszoo.models.runtime import check_runtime, image_and_maps, recording, run_on

GRAPH = image_and_maps(2, "two maps")
needs_onnx = pytest.mark.skipif(not runtime.is_there(), reason="runtime=onnx needs onnx and onnxruntime")


class Small(nn.Module):
    """Convolutions, a norm and a setting that is no weight."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.layers = nn.Sequential(nn.Conv2d(5, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
        self.register_buffer("shift", torch.zeros(1), persistent=False)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        answer: Tensor = self.layers(torch.cat((image, maps), 1)) * self.gain + self.shift
        return answer


def small(gain: float = 1.0) -> Small:
    torch.manual_seed(0)
    return Small(gain).eval().requires_grad_(False)


class FixedSize(nn.Module):
    """A size that tracing makes a constant."""

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        height, width = (int(side) for side in image.shape[2:])
        return image.mean(1, keepdim=True) * torch.linspace(0, 1, height * width).reshape(height, width)


class Stranger(nn.Module):
    """Something that ONNX has no operation for."""

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        return torch.linalg.qr(image[:, :1])[0] + maps[:, :1]


@needs_onnx
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 1, 1), (1, 37, 61), (3, 64, 40)])
def test_it_is_called_like_the_network_and_answers_the_same(batch: int, height: int, width: int) -> None:
    network = small()
    exported = run_on("onnx", network, GRAPH)
    image, maps = torch.rand(batch, 3, height, width), torch.rand(batch, 2, height, width)
    torch.testing.assert_close(exported(image, maps), network(image, maps), rtol=1e-5, atol=1e-5)


@needs_onnx
def test_where_only_the_batch_varies_an_element_does_not_depend_on_its_neighbours() -> None:
    network = small()
    exported = run_on("onnx", network, image_and_maps(2, "two maps", size=(24, 40)))
    image, maps = torch.rand(3, 3, 24, 40), torch.rand(3, 2, 24, 40)
    together = exported(image, maps)
    torch.testing.assert_close(together, network(image, maps), rtol=1e-5, atol=1e-5)
    apart = torch.cat([exported(image[b : b + 1], maps[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(together, apart, rtol=0, atol=0)


@needs_onnx
def test_a_network_is_exported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as first:
        run_on("onnx", small(), GRAPH)
    monkeypatch.setattr(torch.onnx, "export", lambda *arguments, **named: pytest.fail("exported again"))
    with recording() as again:
        run_on("onnx", small(), GRAPH)
    ((_, file),) = first
    assert again == first
    assert [each.suffix for each in file.parent.iterdir() if each.suffix != ".lock"] == [".onnx"]


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], Path]:
    """`beside(name, days)`: a file in the folder of exports that was used so many days ago; exporting is free."""
    monkeypatch.setattr(onnx_export, "export", lambda *_: b"exported")
    folder = cache_root() / "onnx"
    folder.mkdir(parents=True)

    def make(name: str, days: float) -> Path:
        file = folder / f"{name}.onnx"
        file.write_bytes(b"kept")
        used = time.time() - days * 86_400
        os.utime(file, (used, used))
        return file

    return make


def test_exports_of_other_code_go_when_nobody_has_used_them_for_a_week(beside: Callable[[str, float], Path]) -> None:
    weights, code = fingerprint(small(), GRAPH).split("-")
    old, recent = beside(f"{weights}-{'0' * len(code)}", 8), beside(f"{weights}-{'1' * len(code)}", 6)
    other_weights = beside(f"{'0' * len(weights)}-{code}", 800)
    made = exported(small(), GRAPH)
    assert made.read_bytes() == b"exported"
    assert not old.exists()
    assert recent.exists()
    assert other_weights.exists()


def test_a_use_is_noted_so_that_no_other_code_deletes_the_file(beside: Callable[[str, float], Path]) -> None:
    file = beside(fingerprint(small(), GRAPH), 800)
    assert exported(small(), GRAPH) == file
    assert file.read_bytes() == b"kept"
    assert time.time() - file.stat().st_mtime < 60


def test_a_file_that_another_process_deletes_meanwhile_is_made_again(beside: Callable[[str, float], Path]) -> None:
    key = fingerprint(small(), GRAPH)
    file = beside(key, 800)
    with ThreadPoolExecutor(1) as pool:
        with files.locked(file.with_name(f"{key.partition('-')[0]}.lock")):
            waiting = pool.submit(exported, small(), GRAPH)
            time.sleep(0.2)
            assert not waiting.done()
            file.unlink()
        assert waiting.result(60).read_bytes() == b"exported"


def test_a_file_in_a_cache_that_cannot_be_written_is_used(
    beside: Callable[[str, float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise PermissionError

    file = beside(fingerprint(small(), GRAPH), 800)
    monkeypatch.setattr(files, "lock", refuse)
    assert exported(small(), GRAPH) == file


def test_other_code_changes_only_the_second_half_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    now = fingerprint(small(), GRAPH).split("-")
    monkeypatch.setattr(onnx_export, "__version__", "99")
    later = fingerprint(small(), GRAPH).split("-")
    assert (later[0] == now[0], later[1] == now[1]) == (True, False)


def _other_weight(network: Small) -> None:
    network.layers[0].get_parameter("weight")[0, 0, 0, 0] += 1e-3


def _other_statistics(network: Small) -> None:
    network.layers[1].get_buffer("running_mean")[0] += 1


def _other_buffer(network: Small) -> None:
    network.shift += 1  # it is not in the state dict


def _other_setting(network: Small) -> None:
    network.gain = 2.0


@pytest.mark.parametrize("change", [_other_weight, _other_statistics, _other_buffer, _other_setting])
def test_whatever_changes_the_answers_changes_the_file(change: Callable[[Small], None]) -> None:
    network = small()
    change(network)
    assert fingerprint(network, GRAPH) != fingerprint(small(), GRAPH)
    assert fingerprint(small(), GRAPH) == fingerprint(small(), GRAPH)


@needs_onnx
def test_a_network_that_answers_differently_is_refused_and_not_kept() -> None:
    with pytest.raises(ModelError, match=r"FixedSize .*on onnxruntime.*; use runtime=torch"):
        run_on("onnx", FixedSize(), GRAPH)
    with pytest.raises(ModelError, match=r"Stranger cannot be exported to ONNX: .*; use runtime=torch"):
        run_on("onnx", Stranger(), GRAPH)
    assert not [*(cache_root() / "onnx").glob("*.onnx")]


@needs_onnx
def test_it_can_be_sent_to_another_process_and_follows_torchs_threads() -> None:
    exported: Any = pickle.loads(pickle.dumps(run_on("onnx", small(), GRAPH)))
    given = torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8)
    before = exported(*given)
    torch.set_num_threads(2)
    torch.testing.assert_close(exported(*given), before)
    assert exported._threads == 2


def test_what_cannot_be_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadOption, match="option runtime=tensorrt is unknown; runtimes: torch, onnx"):
        load_model("smp?runtime=tensorrt")
    with pytest.raises(BadOption, match="runtime=onnx runs on the CPU only, not on cuda; use --device cpu"):
        check_runtime("onnx", "cuda")
    monkeypatch.setattr(runtime, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(BadOption, match=r'needs onnxruntime, not installed here: pip install "iiszoo\[onnx\]"'):
        load_model("smp?runtime=onnx")


@needs_onnx
def test_the_default_model_gives_the_same_masks_and_another_identity() -> None:
    sample = load_dataset("demo")[0]
    name = "smp/unet-lite0?runtime=onnx"
    probabilities = []
    for model in ("smp/unet-lite0", name):
        session = Session(load_model(model), sample.read_image())
        session.click(200, 220)
        session.click(20, 20, positive=False)
        probabilities.append(session.output)
    torch.testing.assert_close(probabilities[0], probabilities[1], rtol=0, atol=1e-4)
    assert resolve(name).identity()["options"] == {"runtime": "onnx"}
    assert resolve("smp").identity() != resolve(name).identity()


def test_nobody_who_has_chosen_a_runtime_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiszoo.model_reference._compute.is_there", lambda: True)
    assert on_fastest_runtime(resolve("smp"), "cpu").name == "smp/unet-lite0?runtime=onnx"
    assert on_fastest_runtime(resolve("smp?runtime=torch"), "cpu").name == "smp/unet-lite0?runtime=torch"
    assert on_fastest_runtime(resolve("smp"), "cuda").name == "smp/unet-lite0"
    assert on_fastest_runtime(resolve("classic"), "cpu").name == "classic/geocut"
    monkeypatch.setattr("iiszoo.model_reference._compute.is_there", lambda: False)
    assert on_fastest_runtime(resolve("smp"), "cpu").name == "smp/unet-lite0"
