"""Finding plugins, each in isolation, so that a broken one never breaks the tool.

Every entry point of the group `iiszoo` is loaded, its `api_version` checked (the previous one is accepted with a
warning) and its hooks called into a staging list; a plugin is committed only if all of this succeeds. A failure is
recorded with the plugin (`Plugin.error`, `Plugin.traceback`), reported by `iiszoo plugins`, and raised when something
of that plugin is requested.

`IISZOO_PLUGINS=a,b` selects entry points by name (the built-ins are always loaded); `IISZOO_STRICT_PLUGINS=1` raises
the first failure at once.

Ctrl-C stops the program even while a plugin is imported. A KeyboardInterrupt that a plugin raises itself, without a
SIGINT to this process, breaks the plugin like any other exception. What a plugin prints goes to stderr.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, distributions
from types import ModuleType
from typing import Any, Literal

import click
import pluggy

import iiszoo
from iiszoo import cards, hookspecs
from iiszoo.cards import Card, DatasetCard, ModelCard, RobotCard
from iiszoo.errors import BadOption, PluginError, one_line, with_place
from iiszoo.tracebacks import traceback_of

BUILTIN = "iiszoo"
"""The name under which iiszoo's own models, datasets and robots are listed among the plugins."""

Kind = Literal["model", "dataset", "robot"]
KINDS: dict[Kind, type] = {"model": ModelCard, "dataset": DatasetCard, "robot": RobotCard}

SLOW_SECONDS = 5.0
"""A plugin that takes longer to import is named on stderr, so that the user knows what the wait is for."""


@dataclass
class Plugin:
    """One entry point: where it comes from, what it registered, or why it failed.

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
        """The (kind, family) pairs that no other plugin may register."""
        return {(kind_of(card), card.family) for card in self.cards}

    def break_with(self, error: BaseException) -> None:
        """Record `error`. Staged cards are kept, so that a request for one can name this plugin."""
        if os.environ.get("IISZOO_STRICT_PLUGINS") == "1":
            raise PluginError(self.failure(error)) from error
        self.error = error
        self.traceback = traceback_of(error)

    def failure(self, error: BaseException) -> str:
        return f"plugin {self.label} is broken: {with_place(error)}"


def kind_of(card: Card) -> Kind:
    """`"model"`, `"dataset"` or `"robot"`."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(card, type_))


@cache
def installed() -> tuple[Plugin, ...]:
    """The built-ins first, then every selected plugin by name, broken ones included. Found once per process."""
    builtin = Plugin(BUILTIN, "iiszoo.builtin", "iiszoo", iiszoo.__version__)
    _load(builtin, lambda: import_module(builtin.module))
    if builtin.error is not None:
        raise builtin.error
    plugins = [builtin]
    for found in _selected(sorted(_found(), key=lambda found: found.name)):
        plugin = Plugin(found.name, found.value, found.distribution, found.version)
        _load(plugin, found.load)
        plugins.append(plugin)
    _refuse_double_claims(plugins)
    return tuple(plugins)


@dataclass(frozen=True)
class _Found:
    """An entry point and its distribution; `load` raises if the distribution's entry points cannot be read."""

    name: str
    value: str
    distribution: str
    version: str
    load: Callable[[], Any]


def _found() -> Iterator[_Found]:
    """The entry points of all distributions, each read separately: one with damaged files breaks no other.

    Of two distributions with the same name the first on `sys.path` counts, because it is the one that is imported.
    """
    seen = set()
    for distribution in distributions():
        name, version = _named(distribution)
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        if name != _UNKNOWN:
            seen.add(key)
        try:
            points = [(p.name, p.value, p.load) for p in distribution.entry_points if p.group == _GROUP]
        except Exception as error:  # noqa: BLE001  malformed files raise many kinds of errors
            points = [(p, value, _raiser(name, error)) for p, value in _legible(distribution, error)]
        for point, value, load in points:
            yield _Found(point, value, *_stated(distribution, name, version), load)


def _raiser(distribution: str, error: Exception) -> Callable[[], Any]:
    def load() -> Any:
        raise PluginError(
            f"the file entry_points.txt of {distribution} cannot be read ({one_line(error)}); reinstall it"
        ) from error

    return load


def _legible(distribution: Distribution, error: Exception) -> list[tuple[str, str]]:
    """Name and value of what look like iiszoo's entry points in a malformed file."""
    try:
        raw = error.object if isinstance(error, UnicodeDecodeError) else None
        text = distribution.read_text("entry_points.txt") or "" if raw is None else raw.decode("utf-8", "replace")
    except Exception:  # noqa: BLE001  nothing is legible, and most distributions do not concern iiszoo
        return []
    _, ours, rest = text.replace("\0", "").partition(f"[{_GROUP}]")
    section = rest.partition("[")[0]
    points = re.findall(r"^[ \t]*([^\s=#;]+)[ \t]*(?:=[ \t]*(.*?))?[ \t\r]*$", section, re.MULTILINE)
    return points or ([(_named(distribution)[0], "")] if ours else [])


_GROUP = hookspecs.ENTRY_POINT_GROUP
_UNKNOWN = "unknown distribution"


def _named(distribution: Distribution) -> tuple[str, str]:
    """Name and version from the directory's name, which needs no readable file."""
    stem = os.path.basename(str(getattr(distribution, "_path", "")))
    name, _, rest = stem.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
    if name and stem.endswith((".dist-info", ".egg-info")):
        return name, rest.partition("-")[0] or "?"
    return _stated(distribution, _UNKNOWN, "?")


def _stated(distribution: Distribution, name: str, version: str) -> tuple[str, str]:
    """Name and version from the distribution's METADATA, else `name` and `version`."""
    try:
        return str(distribution.metadata["Name"] or name), str(distribution.metadata["Version"] or version)
    except Exception:  # noqa: BLE001  absent, not UTF-8, malformed: the directory still names it
        return name, version


def _selected(points: list[_Found]) -> list[_Found]:
    wanted = os.environ.get("IISZOO_PLUGINS")
    if wanted is None:
        return points
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    there = {found.name for found in points}
    missing = names - there
    if missing:
        raise BadOption(
            f"IISZOO_PLUGINS names {', '.join(sorted(missing))}, which is not installed "
            f"(installed: {', '.join(sorted(there)) or 'none'})"
        )
    return [found for found in points if found.name in names]


def _load(plugin: Plugin, load: Any) -> None:
    start = time.perf_counter()
    ctrl_c = _CtrlC()
    try:
        with _watched(plugin), redirect_stdout(sys.stderr), ctrl_c:
            module = load()
            _check_api_version(plugin, module)
            _call_hooks(plugin, module)
    except BaseException as error:  # noqa: BLE001  a plugin that calls sys.exit() must not end the tool either
        if not ctrl_c.pressed:
            plugin.break_with(error)
    finally:
        plugin.import_seconds = time.perf_counter() - start
    if ctrl_c.pressed:  # whatever the plugin did with the exception
        raise KeyboardInterrupt


class _CtrlC:
    """Notes whether SIGINT arrives inside the `with` block, and passes it on.

    This distinguishes the user's Ctrl-C from a KeyboardInterrupt that a plugin raises itself. Only the main thread gets
    signals; in others there is nothing to note.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._before: Any = None

    def __enter__(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        if callable(before) and threading.current_thread() is threading.main_thread():
            self._before = before
            signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_: object) -> None:
        if self._before is not None and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: Any) -> None:
        self.pressed = True
        self._before(number, frame)


@contextmanager
def _watched(plugin: Plugin) -> Iterator[None]:
    """Name the plugin on stderr, during the block, if it takes long."""

    def warn() -> None:
        click.echo(f"plugin {plugin.label} takes more than {SLOW_SECONDS:g} s to import ...", err=True)

    timer = threading.Timer(SLOW_SECONDS, warn)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_api_version(plugin: Plugin, module: ModuleType) -> None:
    """This iiszoo's own `api_version` and the one before it are accepted, the latter with a warning on stderr."""
    version = getattr(module, "api_version", None)
    newest = hookspecs.API_VERSION
    if version is None:
        raise PluginError(f"module {module.__name__} states no api_version; add `api_version = {newest}`")
    if version == newest - 1 and version >= hookspecs.FIRST_API_VERSION:
        click.echo(
            f"plugin {plugin.label} is written for api_version {version}; this iiszoo has {newest} and still loads it, "
            "the next api_version will not: update the plugin",
            err=True,
        )
    elif version != newest:
        raise PluginError(
            f"module {module.__name__} is written for api_version {version!r}, but this iiszoo has {newest}; "
            "install a matching release of the plugin or of iiszoo"
        )


def _call_hooks(plugin: Plugin, module: ModuleType) -> None:
    for name in vars(hookspecs):
        if name.startswith("iiszoo_") and hasattr(module, name) and not hasattr(getattr(module, name), "iiszoo_impl"):
            raise PluginError(f"{module.__name__}.{name} lacks the decorator @iiszoo.hookimpl")
    caller = pluggy.PluginManager("iiszoo")
    caller.add_hookspecs(hookspecs)
    caller.register(module, name=plugin.name)
    caller.check_pending()  # an unknown hook is a misspelt one
    staged_commands = click.Group("staged")
    caller.hook.iiszoo_register_models(register=_stager(plugin, "model"))
    caller.hook.iiszoo_register_datasets(register=_stager(plugin, "dataset"))
    caller.hook.iiszoo_register_robots(register=_stager(plugin, "robot"))
    caller.hook.iiszoo_register_commands(cli=staged_commands)
    plugin.commands = _checked_commands(dict(staged_commands.commands))


def _checked_commands(commands: dict[str, Any]) -> dict[str, click.Command]:
    """The commands, if `iiszoo --help` can show each. Raises `PluginError`, naming the command that is wrong."""
    for name, command in commands.items():
        if not isinstance(name, str) or not re.fullmatch(r"[^\W_][\w.-]*", name):
            raise PluginError(f"a command cannot be called {name!r:.80}; use letters, digits, '-', '_' and '.'")
        if name in hookspecs.COMMANDS:
            raise PluginError(f"command {name!r} is iiszoo's own; give the plugin's command another name")
        if not isinstance(command, click.Command):
            raise PluginError(f"command {name!r} must be a click command, not of type {type(command).__name__}")
        try:
            sound = isinstance(command.get_short_help_str(), str) and isinstance(command.hidden, bool)
        except Exception as error:
            raise PluginError(f"the help of command {name!r} cannot be read: {with_place(error)}") from error
        if not sound:
            raise PluginError(f"command {name!r}: help must be a string, and hidden True or False")
    return commands


def _stager(plugin: Plugin, kind: Kind) -> Any:
    ids = set()

    def register(card: Card, default: bool = False) -> None:
        if not isinstance(card, KINDS[kind]):
            raise TypeError(f"iiszoo_register_{kind}s takes {KINDS[kind].__name__}s, not {type(card).__name__}")
        card = cards.plain(card, KINDS[kind])
        if card.id in ids:
            raise ValueError(f"{kind} {card.id!r} is registered twice")
        if default and kind != "model":
            raise TypeError(f"a {kind} has no variants, so {card.id!r} cannot be a default")
        if default and plugin.defaults.get(card.family):
            raise ValueError(f"family {card.family!r} names two defaults: {plugin.defaults[card.family]} and {card.id}")
        ids.add(card.id)
        plugin.cards.append(card)
        if default:
            plugin.defaults[card.family] = card.id

    return register


def _refuse_double_claims(plugins: list[Plugin]) -> None:
    """Refuse, by name, all plugins that claim the same family or command; only the built-ins keep theirs."""
    sound = [plugin for plugin in plugins if plugin.error is None]
    claims: dict[tuple[str, str], list[Plugin]] = {}
    for plugin in sound:
        for kind, family in plugin.claims():
            claims.setdefault((f"{kind} family", family), []).append(plugin)
        for name in plugin.commands:
            claims.setdefault(("command", name), []).append(plugin)
    for (what, name), rivals in sorted(claims.items()):
        for plugin in rivals[1:] if rivals[0] is sound[0] else rivals:
            if len(rivals) > 1 and plugin.error is None:
                others = " and ".join(rival.label for rival in rivals if rival is not plugin)
                plugin.break_with(
                    PluginError(
                        f"{what} {name!r} is claimed by {plugin.label} and by {others}; uninstall all but one, or "
                        "select with IISZOO_PLUGINS"
                    )
                )
