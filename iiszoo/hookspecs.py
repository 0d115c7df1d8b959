"""The plugin contract, on one page.

A plugin is a pip package with one entry point in the group `iiszoo`, named after its family:

    [project.entry-points.iiszoo]
    mymodel = "iiszoo_mymodel"

That module states the version of this contract and implements any of the hooks:

    api_version = 1

    @iiszoo.hookimpl
    def iiszoo_register_models(register):
        register(ModelCard(id="mymodel/small", loader="iiszoo_mymodel.network:load", ...), default=True)

It must be cheap to import: cards only, no torch, no numpy. Everything heavy lives behind a card's `loader`. A hook that
raises breaks its own plugin and nothing else. A plugin of the previous `api_version` still loads, with one warning that
names it. iiszoo's own models, datasets and robots use the same hooks
(`iiszoo.builtin`).
"""

from __future__ import annotations

from collections.abc import Callable

import click
import pluggy

from iiszoo.cards import DatasetCard, RobotCard

API_VERSION = 1
FIRST_API_VERSION = 1
"""No plugin was ever written for an earlier one."""
ENTRY_POINT_GROUP = "iiszoo"

COMMANDS = (
    "annotate", "average", "bench", "campaign", "check", "data", "export", "list", "new", "plugins", "report",
    "results", "segment", "show", "train", "upstream", "weights",
)  # fmt: skip
"""iiszoo's own commands, each in `iiszoo.cli.NAME`; a plugin cannot take one of these names."""

hookspec = pluggy.HookspecMarker("iiszoo")
hookimpl = pluggy.HookimplMarker("iiszoo")


@hookspec
def iiszoo_register_models(register: Callable[..., None]) -> None:
    """Call `register(card, default=False)` for each `ModelCard`; `default=True` names the family's default variant."""


@hookspec
def iiszoo_register_datasets(register: Callable[[DatasetCard], None]) -> None:
    """Call `register(card)` for each `DatasetCard`."""


@hookspec
def iiszoo_register_robots(register: Callable[[RobotCard], None]) -> None:
    """Call `register(card)` for each `RobotCard`."""


@hookspec
def iiszoo_register_commands(cli: click.Group) -> None:
    """Add click commands to `cli`, the `iiszoo` program; names of iiszoo's own commands are refused."""
