"""A card whose values are of the wrong types is refused where it is made, by a sentence that names card and field."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from iiszoo.cards import Archive, Card, DatasetCard, ModelCard, Option, RobotCard, Source, Weights, check_types, plain

FIELDS: dict[type, dict[str, Any]] = {
    ModelCard: {"id": "toy/small", "loader": "toy:load", "summary": "", "licence": "MIT"},
    DatasetCard: {"id": "toy", "loader": "toy:load", "summary": "", "licence": "MIT", "layout": ""},
    RobotCard: {"id": "toy", "loader": "toy:load", "summary": ""},
    Weights: {"filename": "a.pth"},
    Archive: {"filename": "a.zip"},
    Option: {"name": "reach", "meaning": ""},
    Source: {"repo": "https://example.org/a", "commit": "c0ffee"},
}


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError


ODD: list[Any] = [3, True, 0.5, b"x", ["a"], {"a": 1}, object(), Unspeakable(), ("a", 3), (None,), [], {1}, str]
TEXTS = ["id", "loader", "summary", "licence", "paper", "layout", "homepage", "shares_root", "notes", "weights_licence",
         "upstream_loader", "network", "citation", "release_date", "filename", "into", "repo", "commit",
         "page", "name", "meaning"]  # fmt: skip
WRONG = {
    "sha256": ODD,
    "fingerprint": ODD,
    "size": [*ODD[1:], "1 MB", 1.0],
    "about_size": [*ODD[1:], "1 MB", 1.0],
    "default": [b"x", ["a"], {"a": 1}, object(), Unspeakable(), ("a", 3), str],
    "options": ["reach", None, [Option("reach", "")], ("reach",), (Weights("a.pth"),), {"reach": 1}],
    "n_parameters": [*ODD[1:], "4 M", 4e6],
    "n_samples": [*ODD[1:], "50"],
    "memory": [*ODD[1:], "4 GB", 1e9],
    "input_size": [3, [448, 448], "448", (448, "448"), (4.5, 2), (True, 2)],
    "gated": [None, 0, 1, "yes"],
    "precisions": ["float32", None, ["float32"], ("float8",), (3,)],
    "version": [*ODD[1:], None, "1"],
    "ragged": [None, 0, 1, "yes", ()],
    "embedded": [None, 0, 1, "yes"],
    "takes_argument": [None, 0, 1, "yes"],
    "threshold": [None, "0.5", True, (0.5,), object()],
    "tolerance": [None, "0.001", True, (0.5,), object()],
    "urls": ["https://example.org/a", None, ["https://example.org/a"], (3,), (b"x",), 3],
    "training_datasets": ["sbd", None, ["sbd"], (3,), {"sbd"}],
    "prompts": ["clicks", None, ["clicks"], ("boxes",), (3,), ([],)],
    "weights": [Weights("a.pth"), None, [Weights("a.pth")], ("a.pth",), (Archive("a.zip"),), {"a.pth"}],
    "archives": [Archive("a.zip"), None, [Archive("a.zip")], ("a.zip",), (Weights("a.pth"),)],
    "upstream": ["https://example.org/a", (), {"repo": "a"}, Weights("a.pth"), Source],
}
WRONG.update({name: [None, *ODD] for name in TEXTS})
CASES = [
    (kind, field.name, value)
    for kind in FIELDS
    for field in dataclasses.fields(kind)
    for value in WRONG[field.name]
]  # fmt: skip


def test_the_table_has_every_field() -> None:
    assert {field.name for kind in FIELDS for field in dataclasses.fields(kind)} == {*WRONG}
    assert len(CASES) > 300


def make(kind: type, **values: Any) -> Any:
    """A source is checked as the upstream of a card; one that stands alone by `iiszoo.upstream`, which clones it."""
    made = kind(**values)
    return ModelCard(**{**FIELDS[ModelCard], "upstream": made}) if kind is Source else made


@pytest.mark.parametrize("kind", FIELDS)
def test_a_wrong_type_is_named_with_card_and_field(kind: type) -> None:
    for of, name, value in CASES:
        if of is kind:
            with pytest.raises(TypeError) as error:
                make(kind, **{**FIELDS[kind], name: value})
            message = str(error.value)
            assert message.startswith(f"{kind.__name__}")
            first = next(iter(FIELDS[kind]))
            assert name == first or str(FIELDS[kind][first]) in message
            assert f": {name} must be " in message
            assert type(value).__name__ in message or value is None
            assert len(message) < 300
            assert "\n" not in message


@pytest.mark.parametrize("kind", [ModelCard, DatasetCard, RobotCard])
def test_a_card_that_got_round_its_checks_does_not_get_further(kind: Any) -> None:
    for of, name, value in CASES:
        if of is kind:
            card = kind(**FIELDS[kind])
            object.__setattr__(card, name, value)
            for check in (check_types, lambda card: plain(card, kind)):
                with pytest.raises(TypeError):
                    check(card)


def test_what_is_right_stays_right() -> None:
    card = ModelCard(
        "toy/small", "toy:load", "s", "MIT", "p", (Weights("a.pth", ("https://example.org/a",), "a" * 64, 5),), "CC0",
        Source("r", "c"), "toy:up", 5, ("clicks", "mask"), True, 0.4, ("sbd",), "n",
    )  # fmt: skip
    again = plain(card, ModelCard)
    assert again == card
    assert again is not card
    assert again.weights[0] is not card.weights[0]
    assert ModelCard(**{**FIELDS[ModelCard], "n_parameters": None, "upstream": None}).upstream is None


@dataclasses.dataclass(frozen=True)
class Special(ModelCard):
    extra: int = 3

    @property
    def family(self) -> str:
        raise RuntimeError("no family")


def test_a_card_of_a_class_of_its_own_is_taken_as_what_it_must_be() -> None:
    card: Card = plain(Special(**FIELDS[ModelCard]), ModelCard)
    assert type(card) is ModelCard
    assert card.family == "toy"


def test_ten_thousand_cards_are_made_and_checked_in_no_time() -> None:
    began = time.process_time()
    for n in range(10_000):
        plain(ModelCard(**{**FIELDS[ModelCard], "id": f"toy/{n}"}), ModelCard)
    assert time.process_time() - began < 10
