"""Finding plugins, each by itself, so that a broken one never breaks the tool.

Every entry point of the group `iiszoo` is loaded, its `api_version` checked and its hooks called into a staging list;
only a plugin that got through all of it is committed. Whatever goes wrong is kept with the plugin (`Plugin.error`,
`Plugin.traceback`), reported by `iiszoo plugins`, and raised when something of that plugin is asked for.

`IISZOO_PLUGINS=a,b` selects entry points by name (built-ins are always there); `IISZOO_STRICT_PLUGINS=1` raises the
first failure at once.
"""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal

import click
import pluggy

import iiszoo
from iiszoo import hookspecs
from iiszoo.cards import Card, DatasetCard, ModelCard, RobotCard
from iiszoo.errors import BadOption, PluginError

BUILTIN = "iiszoo"
"""The name under which iiszoo's own models, datasets and robots are listed among the plugins."""

Kind = Literal["model", "dataset", "robot"]
KINDS: dict[Kind, type] = {"model": ModelCard, "dataset": DatasetCard, "robot": RobotCard}


@dataclass
class Plugin:
    """One entry point: where it comes from, what it registered, or why it could not.

    `import_seconds` covers loading the module and calling its hooks.
    """

    name: str
    module: str
    distribution: str
    version: str
    cards: list[Card] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    commands: dict[str, click.Command] = field(default_factory=dict)
    import_seconds: float = 0.0
    error: BaseException | None = None
    traceback: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"

    def claims(self) -> set[tuple[Kind, str]]:
        """The (kind, family) pairs that no other plugin may also register."""
        return {(kind_of(card), card.family) for card in self.cards}

    def break_with(self, error: BaseException) -> None:
        """Record `error`. What had been staged stays readable, so that asking for it can name this plugin."""
        if os.environ.get("IISZOO_STRICT_PLUGINS") == "1":
            raise PluginError(self.failure(error)) from error
        self.error = error
        self.traceback = "".join(traceback.format_exception(error))

    def failure(self, error: BaseException) -> str:
        return f"plugin {self.label} is broken: {type(error).__name__}: {error}"


def kind_of(card: Card) -> Kind:
    """`"model"`, `"dataset"` or `"robot"`."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(card, type_))


@cache
def installed() -> tuple[Plugin, ...]:
    """The built-ins first, then every selected plugin by name, broken ones included. Found once a process."""
    builtin = Plugin(BUILTIN, "iiszoo.builtin", "iiszoo", iiszoo.__version__)
    _load(builtin, lambda: import_module(builtin.module))
    if builtin.error is not None:
        raise builtin.error
    plugins = [builtin]
    for point in _selected(sorted(entry_points(group=hookspecs.ENTRY_POINT_GROUP), key=lambda point: point.name)):
        distribution = point.dist.name if point.dist else "unknown distribution"
        version = point.dist.version if point.dist else "?"
        plugin = Plugin(point.name, point.value, distribution, version)
        _load(plugin, point.load)
        plugins.append(plugin)
    _refuse_double_claims(plugins)
    return tuple(plugins)


def _selected(points: list[EntryPoint]) -> list[EntryPoint]:
    wanted = os.environ.get("IISZOO_PLUGINS")
    if wanted is None:
        return points
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    missing = names - {point.name for point in points}
    if missing:
        there = ", ".join(sorted({point.name for point in points})) or "none"
        raise BadOption(
            f"IISZOO_PLUGINS names {', '.join(sorted(missing))}, which is not installed (installed: {there})"
        )
    return [point for point in points if point.name in names]


def _load(plugin: Plugin, load: Any) -> None:
    start = time.perf_counter()
    try:
        module = load()
        _check_api_version(module)
        _call_hooks(plugin, module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a plugin that calls sys.exit() must not end the tool either
        plugin.break_with(error)
    finally:
        plugin.import_seconds = time.perf_counter() - start


def _check_api_version(module: ModuleType) -> None:
    version = getattr(module, "api_version", None)
    if version is None:
        raise PluginError(
            f"module {module.__name__} states no api_version; add `api_version = {hookspecs.API_VERSION}`"
        )
    if version != hookspecs.API_VERSION:
        raise PluginError(
            f"module {module.__name__} is written for api_version {version!r}, this iiszoo has "
            f"{hookspecs.API_VERSION}; install a release of the plugin or of iiszoo that fits"
        )


def _call_hooks(plugin: Plugin, module: ModuleType) -> None:
    for name in vars(hookspecs):
        if name.startswith("iiszoo_") and hasattr(module, name) and not hasattr(getattr(module, name), "iiszoo_impl"):
            raise PluginError(f"{module.__name__}.{name} lacks the decorator @iiszoo.hookimpl")
    caller = pluggy.PluginManager("iiszoo")
    caller.add_hookspecs(hookspecs)
    caller.register(module, name=plugin.name)
    caller.check_pending()  # a hook that iiszoo does not know is a spelling mistake, not a wish
    staged_commands = click.Group("staged")
    caller.hook.iiszoo_register_models(register=_stager(plugin, "model"))
    caller.hook.iiszoo_register_datasets(register=_stager(plugin, "dataset"))
    caller.hook.iiszoo_register_robots(register=_stager(plugin, "robot"))
    caller.hook.iiszoo_register_commands(cli=staged_commands)
    taken = sorted({*staged_commands.commands} & {*hookspecs.COMMANDS})
    if taken:
        raise PluginError(f"command {taken[0]!r} is iiszoo's own; give the plugin's command another name")
    plugin.commands = dict(staged_commands.commands)


def _stager(plugin: Plugin, kind: Kind) -> Any:
    def register(card: Card, default: bool = False) -> None:
        if not isinstance(card, KINDS[kind]):
            raise TypeError(f"iiszoo_register_{kind}s takes {KINDS[kind].__name__}s, not {type(card).__name__}")
        if any(kind_of(other) == kind and other.id == card.id for other in plugin.cards):
            raise ValueError(f"{kind} {card.id!r} is registered twice")
        if default and kind != "model":
            raise TypeError(f"a {kind} has no variants, so {card.id!r} cannot be a default")
        if default and plugin.defaults.get(card.family):
            raise ValueError(f"family {card.family!r} names two defaults: {plugin.defaults[card.family]} and {card.id}")
        plugin.cards.append(card)
        if default:
            plugin.defaults[card.family] = card.id

    return register


def _refuse_double_claims(plugins: list[Plugin]) -> None:
    """Two plugins that claim one family are both refused, by name; only the built-ins keep theirs."""
    sound = [plugin for plugin in plugins if plugin.error is None]
    for plugin in sound[1:]:
        for kind, family in sorted(plugin.claims()):
            rivals = [other for other in sound if other is not plugin and (kind, family) in other.claims()]
            if rivals and plugin.error is None:
                others = " and ".join(rival.label for rival in rivals)
                plugin.break_with(
                    PluginError(
                        f"{kind} family {family!r} is claimed by {plugin.label} and by {others}; "
                        "uninstall all but one, or select with IISZOO_PLUGINS"
                    )
                )
        rival_commands = {name: other for other in sound if other is not plugin for name in other.commands}
        for name in sorted(plugin.commands):
            if name in rival_commands and plugin.error is None:
                rival = rival_commands[name].label
                plugin.break_with(
                    PluginError(f"command {name!r} is claimed by {plugin.label} and by {rival}; uninstall one of them")
                )
