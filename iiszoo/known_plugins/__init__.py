"""Plugins that are known to exist, installed or not: one JSON file each, beside this one.

The files of iiszoo's own plugins are written by `docs/write_tables.py`. A third party's plugin is added by sending such
a file: name, distribution, requirement, summary, homepage, default, and its models' cards as `iiszoo list models
--json` prints them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iiszoo.cards import ModelCard, from_json


@dataclass(frozen=True)
class KnownPlugin:
    """A plugin and its models. `name` is its family, `requirement` what pip installs (`iiszoo[ritm]`), `default` the id
    that the family's name means.
    """

    name: str
    distribution: str
    requirement: str
    summary: str
    homepage: str
    default: str
    models: tuple[ModelCard, ...]

    @property
    def names(self) -> set[str]:
        """What its models are called: the family's name and their ids."""
        return {self.name, *(card.id for card in self.models)}

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f'pip install "{self.requirement}"'


@cache
def known_plugins() -> tuple[KnownPlugin, ...]:
    """All of them, by name."""
    return tuple(_read(file) for file in sorted(Path(__file__).parent.glob("*.json")))


def known_plugin(name: str) -> KnownPlugin | None:
    """The one whose family is `name`, or that of a model's id."""
    family = name.partition("/")[0]
    return next((plugin for plugin in known_plugins() if plugin.name == family), None)


def _read(file: Path) -> KnownPlugin:
    values: dict[str, Any] = json.loads(file.read_text("utf-8"))
    cards = tuple(from_json(ModelCard, card) for card in values.pop("models"))
    return KnownPlugin(**values, models=cards)
