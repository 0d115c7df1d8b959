"""Loading by id: the errors for a wrong option or file, and the cost of only listing the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.errors import BadOption, WeightsError
from iiszoo_segnext import network
from iiszoo_segnext.cards import CARDS, DEFAULT
from iiszoo_segnext.network import NETWORKS, UNUSED

Run = Callable[..., "CompletedProcess[str]"]


def test_listing_imports_nothing_heavy(iiszoo: Run) -> None:
    done = iiszoo(
        program="import sys; from iiszoo.registry import registry; "
        "print(registry().models.resolve('segnext').id, "
        "[name for name in ('torch', 'numpy', 'timm') if name in sys.modules])"
    )
    assert done.stdout.strip() == f"{DEFAULT} []", done.stderr


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_true(card: Any) -> None:
    assert card.id in NETWORKS
    assert card.threshold == 0.49
    (weights,) = card.weights
    assert weights.urls[0].startswith("drive:")
    assert "drive.google.com/drive/folders" in weights.page
    with torch.device("meta"):
        assert card.n_parameters == sum(value.numel() for value in NETWORKS[card.id]().parameters())


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_offline_the_path_and_the_command_are_told(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(WeightsError, match=rf"download it from https.*`iiszoo weights add {card.id} FILE`"):
        load_model(card.id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("precision=fp8", "option precision=fp8 is unknown"),
        ("size=512", "has no option 'size'; it has runtime, precision, cuda_graphs"),
        ("cuda_graphs=true", "needs a CUDA device"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_fetched(
    options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(f"segnext?{options}")


def test_the_file_of_another_variant_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from small_segnext import SMALL

    small = {"segnext/vitb-sax1": SMALL.fusion, "segnext/vitb-sax2": 2, "segnext/vitb-sax2-hq": 2}
    for model, fusion in small.items():
        config = network.NetworkConfig(SMALL.vit, fusion, SMALL.pyramid, SMALL.head)
        monkeypatch.setitem(NETWORKS, model, lambda config=config: network.SegNextNetwork(config))
    state = {**NETWORKS["segnext/vitb-sax2"]().state_dict(), **{name: torch.zeros(16) for name in UNUSED}}
    torch.save({"state_dict": state, "config": {}}, tmp_path / "two.pth")
    load_model("segnext/vitb-sax2-hq", checkpoint=tmp_path / "two.pth")
    with pytest.raises(WeightsError, match="has the weights of segnext/vitb-sax2 or segnext/vitb-sax2-hq, not of"):
        load_model("segnext/vitb-sax1", checkpoint=tmp_path / "two.pth")
    del state["neck.down_4.0.bias"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(WeightsError, match=r"does not fit any segnext model: it has no neck\.down_4\.0\.bias"):
        load_model("segnext/vitb-sax2", checkpoint=tmp_path / "less.pth")
