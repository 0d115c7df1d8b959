"""What helps to choose a model: each model's card, plugin, weights and figures, whether or not it is installed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from iiszoo import assets, cards, figures, units
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.figures import Measured, Published
from iiszoo.known_plugins import KnownPlugin, known_plugin, known_plugins
from iiszoo.registry import registry

WeightsState = Literal["none", "here", "fetched", "by hand"]
"""Of a model's weights: it needs none; they are on this machine; the first use fetches them; a person must."""


@dataclass(frozen=True)
class Entry:
    """One model. `plugin` is the distribution that registers it; `known` is None for a plugin that is installed but not
    in the directory of known plugins.
    """

    card: ModelCard
    plugin: str
    known: KnownPlugin | None
    installed: bool
    is_default: bool

    @cached_property
    def size(self) -> int | None:
        """The bytes of its weights, rounded if upstream states no more; None if unknown, 0 if it needs none."""
        sizes = [file.shown_size for file in self.card.weights]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @cached_property
    def weights_state(self) -> WeightsState:
        """Whether the weights are here; nothing is hashed or fetched."""
        if not self.card.weights:
            return "none"
        missing = [file for file in self.card.weights if assets.status(self.card, file).state != "present"]
        if not missing:
            return "here"
        return "fetched" if all(file.urls for file in missing) else "by hand"

    def measured(self, dataset: str) -> Measured | None:
        """Its run on a dataset, without options in its name."""
        return next((run for run in figures.measured() if (run.model, run.dataset) == (self.card.id, dataset)), None)

    @cached_property
    def timed(self) -> Measured | None:
        """The run, without options in its name, that states its times: the last of the file."""
        return next((run for run in reversed(figures.measured()) if run.model == self.card.id), None)

    def published(self, dataset: str, metric: str) -> Published | None:
        """The published figure on a dataset: of the model itself, else with the options that its authors chose."""
        return figures.lookup(self.card.id, dataset, metric) or next(
            (row for row in figures.published_of(self.card.id) if (row.dataset, row.metric) == (dataset, metric)), None
        )

    def all_measured(self) -> list[Measured]:
        """Every run, also with options."""
        return [run for run in figures.measured() if run.model.partition("?")[0] == self.card.id]

    def noc(self, metric: str, dataset: str) -> tuple[float | None, float | None]:
        """(measured, published) `noc85` or `noc90` on a dataset."""
        run, row = self.measured(dataset), self.published(dataset, metric)
        return None if run is None else getattr(run, metric), None if row is None else row.value

    def as_json(self) -> dict[str, Any]:
        """The card, and what is known of it here."""
        return {
            **cards.as_json(self.card),
            "plugin": self.plugin,
            "installed": self.installed,
            "is_default": self.is_default,
            "weights_size": self.size,
            "weights_state": self.weights_state,
            "published": [dataclasses.asdict(row) for row in figures.published_of(self.card.id)],
            "measured": [dataclasses.asdict(run) for run in self.all_measured()],
        }


def entries() -> list[Entry]:
    """Every model that is installed or known, by id. Of a family that is installed, the installed models count."""
    shelf = registry().models
    found = [
        Entry(card, shelf.plugin(card).distribution, known_plugin(card.family), True, shelf.is_default(card))
        for card in shelf.cards()
    ]
    families = {entry.card.family for entry in found}
    for plugin in known_plugins():
        if plugin.name not in families:
            for card in plugin.models:
                found.append(Entry(card, plugin.distribution, plugin, False, card.id == plugin.default))
    return sorted(found, key=lambda entry: entry.card.id)


def facts(card: ModelCard) -> dict[str, Any]:
    """What a card says of its model, for people; what is unknown is empty."""
    source = card.upstream
    return {
        "parameters": units.count(card.n_parameters),
        "uses": " and ".join("a mask to correct" if prompt == "mask" else prompt for prompt in card.prompts),
        "threshold": f"object where the probability is above {card.threshold:g}",
        "input size": "" if card.input_size is None else " x ".join(map(str, card.input_size)),
        "memory": units.size(card.memory),
        "precisions": "" if card.precisions == ("float32",) else card.precisions,
        "trained on": card.training_datasets,
        "licence": f"{card.licence}{f'; weights: {card.weights_licence}' if card.weights_licence else ''}",
        "released": card.release_date,
        "homepage": card.homepage,
        "code from": "" if source is None else f"{source.repo} at {source.commit}",
        "notes": card.notes,
    }


def matches(id: str, patterns: tuple[str, ...]) -> bool:
    """Whether an id fits any pattern (`*`, `?`, `[ab]`), or contains one that has no such sign; True without any."""
    return not patterns or any(
        fnmatchcase(id, pattern.lower()) if any(sign in pattern for sign in "*?[") else pattern.lower() in id
        for pattern in patterns
    )


def has_licence(card: ModelCard, text: str) -> bool:
    """Whether the licences of the code and of the weights, if it has any, both contain `text`, in any capitals."""
    licences = [card.licence, *([card.weights_licence] if card.weights else [])]
    return all(text.lower() in licence.lower() for licence in licences)


def sort_key(key: str) -> Callable[[Entry], Any]:
    """A function for `sorted` over entries: `id`, `parameters`, `size`, `encode`, `click`, `noc85:DATASET` or
    `noc90:DATASET` (measured if it was, else published). What is unknown comes last. Raises `BadOption`.
    """
    metric, _, dataset = key.partition(":")
    if key not in _SORTS and (metric not in ("noc85", "noc90") or not dataset):
        raise BadOption(f"models cannot be sorted by {key!r:.60}; sort by {', '.join(_SORTS)} or noc90:DATASET")

    def value(entry: Entry) -> float | None:
        if key in _SORTS:
            return _SORTS[key](entry)
        measured, published = entry.noc(metric, dataset)
        return published if measured is None else measured

    return lambda entry: (value(entry) is None, value(entry) or 0, entry.card.id)


_SORTS: dict[str, Callable[[Entry], float | None]] = {
    "id": lambda entry: None,
    "parameters": lambda entry: entry.card.n_parameters,
    "size": lambda entry: entry.size,
    "encode": lambda entry: entry.timed.init_ms if entry.timed else None,
    "click": lambda entry: entry.timed.click_ms if entry.timed else None,
}
