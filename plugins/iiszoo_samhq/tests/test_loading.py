"""Loading by id: the errors if something is missing, the option, and the cost of only listing the plugin."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from small_samhq import small_samhq

from iiszoo import load_model
from iiszoo.errors import BadOption, PluginError
from iiszoo_sam import checkpoints, loading
from iiszoo_samhq import network
from iiszoo_samhq.cards import DEFAULT

Run = Callable[..., "CompletedProcess[str]"]


def test_listing_imports_nothing_heavy(iiszoo: Run) -> None:
    done = iiszoo(
        program="import sys; from iiszoo.registry import registry; "
        "print(registry().models.resolve('samhq').id, "
        "[name for name in ('torch', 'numpy', 'segment_anything') if name in sys.modules])"
    )
    assert done.stdout.strip() == f"{DEFAULT} []", done.stderr


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("samhq/vit-b?rule=best", "option rule=best is unknown"),  # nothing was fetched
        ("samhq/tiny?hq_token_only=maybe", "option 'hq_token_only' must be true or false, not 'maybe'"),
        ("samhq/vit-l?precision=fp8", "option precision=fp8 is unknown"),
        ("samhq?speed=high", "has no option 'speed'; it has rule, hq_token_only, runtime, precision, cuda_graphs"),
    ],
)
def test_what_cannot_be_is_one_sentence(id: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(id)


def test_without_segment_anything_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "segment_anything" else importlib.util.find_spec(name)

    monkeypatch.setattr(loading, "find_spec", find_spec)
    with pytest.raises(PluginError, match=r"needs the package segment-anything, .* run `pip install iiszoo\[samhq\]`"):
        load_model("samhq/vit-b")


def test_the_option_reaches_the_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checkpoints._WIDTHS, 16, "vit-b")
    monkeypatch.setitem(network.NETWORKS, "samhq/vit-b", small_samhq)
    torch.save(small_samhq().state_dict(), tmp_path / "small.pth")
    for name, only in (("samhq/vit-b", False), ("samhq/vit-b?hq_token_only=true", True)):
        model: Any = load_model(name, checkpoint=tmp_path / "small.pth")
        assert model.function.backend.decoder.hq_token_only is only
