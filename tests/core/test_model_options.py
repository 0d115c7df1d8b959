"""Options in a model's name: `sam/vit-b?rule=segnext`."""

from __future__ import annotations

from typing import Any

import pytest

from iiszoo.engine.provenance import model_identity
from iiszoo.errors import BadOption
from iiszoo.registry import load_model, model_name, resolve_model


@pytest.mark.parametrize(
    ("name", "id", "options"),
    [
        ("classic", "classic/geocut", {}),
        ("classic/geocut?rule=best", "classic/geocut", {"rule": "best"}),
        ("classic?b=true&a=2&c=0.5&d=1e", "classic/geocut", {"a": 2, "b": True, "c": 0.5, "d": "1e"}),
    ],
)
def test_a_models_name_may_carry_options(name: str, id: str, options: dict[str, Any]) -> None:
    card, found = resolve_model(name)
    assert (card.id, found) == (id, options)
    assert resolve_model(model_name(card, options)) == (card, options)


def test_options_name_a_model_in_one_order() -> None:
    card, _ = resolve_model("classic")
    assert model_name(card, {"b": True, "a": 2}) == model_name(card, {"a": 2, "b": True}) == "classic/geocut?a=2&b=true"


@pytest.mark.parametrize("name", ["classic?", "classic?rule", "classic?rule=", "classic?=1", "classic?a=1&a=2"])
def test_options_of_another_form_are_refused(name: str) -> None:
    with pytest.raises(BadOption, match=r"is no option; write classic\?OPTION=VALUE"):
        resolve_model(name)


def test_an_unknown_option_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(BadOption, match="model classic/geocut has no option 'rule'; it has progressive_merge"):
        load_model("classic?rule=best")


def test_options_are_part_of_what_a_run_is_of() -> None:
    plain, named = model_identity("classic", None), model_identity("classic?rule=best", None)
    assert plain["id"] == "classic/geocut"
    assert (named["id"], named["options"]) == ("classic/geocut?rule=best", {"rule": "best"})
    assert named == model_identity("classic", None, {"rule": "best"})


def as_third_parties_write_it(card, device="cpu", checkpoint=None, rule="a", fast=False):
    """A loader whose options are not keyword-only."""
    return lambda x, z, pcs, ncs: z["prev_output"]


def test_options_of_a_loader_may_be_positional_and_are_of_their_defaults_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiszoo.registry.load_object", lambda path: as_third_parties_write_it)
    assert load_model("classic?rule=b&fast=true").options == {"rule": "b", "fast": True}
    with pytest.raises(BadOption, match="option 'fast' must be true or false, not False"):
        load_model("classic?fast=False")
    with pytest.raises(BadOption, match="has no option 'slow'; it has rule, fast"):
        load_model("classic?slow=true")
