"""Options in a model's name: `sam/vit-b?rule=segnext`."""

from __future__ import annotations

from typing import Any

import pytest

from iiszoo.errors import BadOption
from iiszoo.loading import load_model
from iiszoo.model_reference import resolve
from iiszoo.registry import resolve_model


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
    assert (card.id, found.id, found.options) == (id, id, options)
    assert resolve_model(str(found)) == (card, found)


def test_options_name_a_model_in_one_order() -> None:
    assert resolve("classic?b=true&a=2").name == resolve("classic?a=2&b=true").name == "classic/geocut?a=2&b=true"


@pytest.mark.parametrize("name", ["classic?", "classic?rule", "classic?rule=", "classic?=1", "classic?a=1&a=2"])
def test_options_of_another_form_are_refused(name: str) -> None:
    with pytest.raises(BadOption, match=r"is not a valid option; write classic\?OPTION=VALUE"):
        resolve_model(name)


def test_an_unknown_option_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(BadOption, match="model classic/geocut has no option 'rule'; it has progressive_merge"):
        load_model("classic?rule=best")


def test_options_are_part_of_what_a_run_is_of() -> None:
    plain, named = resolve("classic").identity(), resolve("classic?rule=best").identity()
    assert plain["id"] == "classic/geocut"
    assert (named["id"], named["options"]) == ("classic/geocut?rule=best", {"rule": "best"})
    assert named == resolve("classic", options={"rule": "best"}).identity()


def as_third_parties_write_it(card, device="cpu", checkpoint=None, rule="a", fast=False):
    """A loader whose options are not keyword-only."""
    return lambda x, z, pcs, ncs: z["prev_output"]


def test_options_of_a_loader_may_be_positional_and_are_of_their_defaults_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iiszoo.model_reference._card.load_object", lambda path: as_third_parties_write_it)
    assert load_model("classic?rule=b&fast=true").options == {"rule": "b", "fast": True}
    with pytest.raises(BadOption, match="option 'fast' must be true or false, not 'False'"):
        load_model("classic?fast=False")
    with pytest.raises(BadOption, match="has no option 'slow'; it has rule, fast"):
        load_model("classic?slow=true")
