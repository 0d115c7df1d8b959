"""Loading by id: the errors if something is missing, and the cost of only listing the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

from iiszoo.errors import BadOption, WeightsError
from iiszoo_gto99.cards import CARD
from iiszoo_gto99.loading import load

Run = Callable[..., "CompletedProcess[str]"]


def test_listing_imports_nothing_heavy(iiszoo: Run) -> None:
    done = iiszoo(
        path=[Path(__file__).resolve().parents[1]],
        program="import sys, iiszoo_gto99; iiszoo_gto99.iiszoo_register_models(lambda card, default: "
        "print(card.id, default)); print([name for name in ('torch', 'numpy', 'cv2') if name in sys.modules])",
    )
    assert done.stdout.split("\n")[:2] == ["gto99/resnet50 True", "[]"], done.stderr


def test_the_card_is_complete() -> None:
    (file,) = CARD.weights
    assert (file.filename, file.urls) == ("InterSegSynthFT.pth", ("drive:1nJMTXSlprm5FQaQA5gfyU8CbSEX8ghzJ",))
    assert CARD.summary
    assert CARD.paper
    assert CARD.weights_licence
    assert CARD.upstream
    assert CARD.upstream.commit.startswith("ddd7426")
    assert CARD.prompts == ("clicks", "mask")
    assert CARD.threshold == 0.5


def test_offline_the_path_and_the_command_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(WeightsError) as raised:
        load(CARD, device="cpu")
    message = str(raised.value)
    assert "`iiszoo weights add gto99/resnet50 FILE" in message
    assert str(Path("weights") / "gto99" / "InterSegSynthFT.pth") in message


def test_other_configurations_need_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match="with mask_input=true&user_encoder=false are published; give --checkpoint"):
        load(CARD, device="cpu", user_encoder=False)


def test_a_checkpoint_is_loaded(checkpoint: Path) -> None:
    model = load(CARD, device="cpu", checkpoint=checkpoint)
    x = torch.rand(1, 3, 20, 30)
    y, z = model(x, model.init_z(x), [[[(3, 4)]]], [[[]]])
    assert y.shape == (1, 1, 20, 30)
    assert z["prev_output"] is y
