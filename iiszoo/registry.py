"""Finding the card of an id; the error for an unknown id names the nearest ones."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Generic, TypeVar

from iiszoo import own_files, plugins
from iiszoo.cards import DatasetCard, ModelCard, RobotCard
from iiszoo.errors import BadOption, PluginError, UnknownId
from iiszoo.known_plugins import known_plugin, known_plugins
from iiszoo.names import Name, parse_name

CardType = TypeVar("CardType", ModelCard, DatasetCard, RobotCard)


class Shelf(Generic[CardType]):
    """All cards of one kind, with the plugin that registered each."""

    def __init__(self, kind: plugins.Kind, installed: tuple[plugins.Plugin, ...]) -> None:
        self.kind = kind
        self._plugins = installed
        self._cards: dict[str, CardType] = {}
        self._defaults: dict[str, str] = {}
        self._origin: dict[str, plugins.Plugin] = {}
        for plugin in installed:
            if plugin.error is None:
                self._put(plugin)

    def _put(self, plugin: plugins.Plugin) -> None:
        defaults = {*plugin.defaults.values()}
        for card in plugin.cards:
            if isinstance(card, plugins.KINDS[self.kind]):
                self._cards[card.id] = card  # type: ignore[assignment]
                self._origin[card.id] = plugin
                if self.kind == "model" and card.id in defaults:
                    self._defaults[card.family] = card.id

    def cards(self) -> list[CardType]:
        """Every card, sorted by id."""
        return [self._cards[id] for id in sorted(self._cards)]

    def plugin(self, card: CardType) -> plugins.Plugin:
        """The plugin that registered `card`."""
        return self._origin[card.id]

    def is_default(self, card: CardType) -> bool:
        """Whether `card` is what its family's name alone resolves to."""
        return self._defaults.get(card.family) == card.id

    def resolve(self, name: str) -> CardType:
        """The card of an id; a family's name resolves to its default, or to its only variant.

        Raises `PluginError`, caused by the plugin's own error, if the id belongs to a broken plugin, else `UnknownId`.
        """
        if name in self._cards:
            return self._cards[name]
        if name in self._defaults:
            return self._cards[self._defaults[name]]
        variants = [card for card in self.cards() if card.family == name]
        if len(variants) == 1:
            return variants[0]
        if variants:
            raise UnknownId(
                f"{self.kind} family {name!r} has no default; name one of {_some([card.id for card in variants])}"
            )
        self._raise_if_broken(name)
        self._raise_if_absent(name)
        raise UnknownId(unknown(self.kind, name, self.names(), f"iiszoo list {self.kind}s"))

    def names(self) -> list[str]:
        """Every name that `resolve` knows, and those of known plugins that are not installed."""
        names = {*self._cards, *(card.family for card in self._cards.values())}
        return sorted(names.union(*(known.names for known in known_plugins())) if self.kind == "model" else names)

    def _raise_if_broken(self, name: str) -> None:
        family = name.split("/")[0]
        for plugin in self._plugins:
            if plugin.error is not None and (family == plugin.name or (self.kind, family) in plugin.claims()):
                raise PluginError(
                    f"{self.kind} {name!r} cannot be used: {plugin.failure(plugin.error)} "
                    "(`iiszoo plugins` shows the traceback)"
                ) from plugin.error

    def _raise_if_absent(self, name: str) -> None:
        known = known_plugin(name)
        if self.kind == "model" and known is not None and name in known.names:
            selected = " or not selected by IISZOO_PLUGINS" if "IISZOO_PLUGINS" in os.environ else ""
            raise UnknownId(
                f"model {name!r} needs the plugin {known.distribution}, which is not installed{selected}; "
                f"run `{known.install}`"
            )


def unknown(what: str, name: str, names: Sequence[str], listed: str) -> str:
    """The sentence for a name that no `what` has: the three nearest of `names`, and the command that lists all."""
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
    hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
    return f"no {what} is called {name!r:.100}; {hint}`{listed}` shows all"


def _some(names: list[str]) -> str:
    """The first names, and the number of the others."""
    left = len(names) - 8
    return ", ".join(names[:8]) + (f" and {left} more" if left > 0 else "")


@dataclass(frozen=True)
class Registry:
    """What is installed, by kind."""

    models: Shelf[ModelCard]
    datasets: Shelf[DatasetCard]
    robots: Shelf[RobotCard]


@cache
def registry() -> Registry:
    """The registry of this process, built once from `plugins.installed()`."""
    installed = plugins.installed()
    return Registry(Shelf("model", installed), Shelf("dataset", installed), Shelf("robot", installed))


def resolve_model(model: str) -> tuple[ModelCard, Name]:
    """The card of a model's name, and the name with the card's own id (`sam?rule=segnext` is `sam/vit-b?rule=segnext`).

    Raises `UnknownId`, `PluginError`, or `BadOption` if the name does not have the form `id?option=value`.
    """
    return _resolve(registry().models, model)


def resolve_dataset(dataset: str) -> tuple[DatasetCard, Name]:
    """The card of a dataset's name, `id[:ARGUMENT][?option=value]`, and the name. Raises as `resolve_model`."""
    try:
        return _resolve(registry().datasets, dataset)
    except UnknownId:
        if not (meant := own_files.meant_by(dataset)):
            raise
        raise UnknownId(f"no dataset is called {dataset!r}; {meant}") from None


def resolve_robot(robot: str) -> tuple[RobotCard, Name]:
    """The card of a robot's name, `id[:ARGUMENT]`, and the name. Raises as `resolve_model`."""
    try:
        card, name = _resolve(registry().robots, robot)
    except UnknownId as error:
        if ":" not in robot:
            raise
        raise UnknownId(f"{error}; a robot that is MODULE:FUNCTION needs --robot-python PATH") from None
    if name.options:
        raise BadOption(f"robot {card.id!r} takes no options; write it without '?{robot.partition('?')[2]}'")
    return card, name


def _resolve(shelf: Shelf[CardType], text: str) -> tuple[CardType, Name]:
    name = parse_name(text)
    card = shelf.resolve(name.id)
    takes_argument = not isinstance(card, ModelCard) and card.takes_argument
    if ":" in text.partition("?")[0] and not takes_argument:
        raise BadOption(f"{shelf.kind} {card.id!r} takes no argument; write it without ':{name.argument}'")
    if takes_argument and not name.argument and isinstance(card, DatasetCard):
        raise BadOption(f"dataset {card.id!r} needs an argument: {card.id}:DIR")
    return card, replace(name, id=card.id)
