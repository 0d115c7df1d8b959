"""From an id to a card to the loaded thing; an unknown id is answered with what comes near it."""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from iiszoo import plugins
from iiszoo.cards import OBJECT_PATH, DatasetCard, ModelCard, RobotCard
from iiszoo.errors import BadOption, IISZooError, ModelError, PluginError, UnknownId, one_line
from iiszoo.file_names import printable, unescaped

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.protocol import Model, Robot

CardType = TypeVar("CardType", ModelCard, DatasetCard, RobotCard)

MERGE = "progressive_merge"
"""The option that every model has, of its own loader or of `iiszoo.models.merge`: how its answers are merged."""
INITIAL = "initial="
"""The option of every dataset that says which masks its sessions start from (`iiszoo.data.initial_masks`)."""
_NEXT_OPTION = re.compile("&(?=[a-z_]+=)")


class Shelf(Generic[CardType]):
    """All cards of one kind, with the plugin that each came from."""

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
        for card in plugin.cards:
            if isinstance(card, plugins.KINDS[self.kind]):
                self._cards[card.id] = card  # type: ignore[assignment]
                self._origin[card.id] = plugin
                if self.kind == "model" and card.id in plugin.defaults.values():
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

        Raises `PluginError`, from the plugin's own error, where the id belongs to a broken plugin, else `UnknownId`.
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
                f"{self.kind} family {name!r} has no default; name one of {', '.join(card.id for card in variants)}"
            )
        self._raise_if_broken(name)
        raise UnknownId(f"no {self.kind} is called {name!r}{self._suggestion(name)}")

    def _raise_if_broken(self, name: str) -> None:
        family = name.split("/")[0]
        for plugin in self._plugins:
            if plugin.error is not None and (family == plugin.name or (self.kind, family) in plugin.claims()):
                raise PluginError(
                    f"{self.kind} {name!r} cannot be used: {plugin.failure(plugin.error)} "
                    "(`iiszoo plugins` shows the traceback)"
                ) from plugin.error

    def _suggestion(self, name: str) -> str:
        known = sorted({*self._cards, *(card.family for card in self._cards.values())})
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if near:
            return f"; did you mean {' or '.join(near)}?"
        return f"; `iiszoo list {self.kind}s` shows what is installed: {', '.join(known) or 'nothing'}"


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


def resolve_model(model: str) -> tuple[ModelCard, dict[str, Any]]:
    """The card and the options of a model's name, `id` or `id?option=value&option=value` (`sam/vit-b?rule=segnext`).

    A value that reads as a number, true or false is one. Raises `UnknownId`, `PluginError`, or `BadOption` where the
    options are not of that form.
    """
    name, options = options_of(model)
    return registry().models.resolve(name), options


def options_of(model: str) -> tuple[str, dict[str, Any]]:
    """The name of a model or function without its options, and these. Raises as `resolve_model`."""
    name, mark, query = model.partition("?")
    options: dict[str, Any] = {}
    for part in query.split("&") if mark else []:
        key, equals, text = part.partition("=")
        if not key.isidentifier() or not equals or not text or key in options:
            raise BadOption(
                f"model {model!r}: {part!r} is no option; write {name}?OPTION=VALUE&OPTION=VALUE, each once"
            )
        options[key] = _value(text)
    return name, options


def model_name(card: ModelCard, options: dict[str, Any]) -> str:
    """The name by which a model with these options is known: `resolve_model` backwards, options in order."""
    return option_name(card.id, options)


def option_name(name: str, options: dict[str, Any]) -> str:
    """`name?option=value&option=value`, options in order; those that `name` has already stay."""
    name, there = options_of(name)
    options = {**there, **options}
    said = [
        f"{key}={json.dumps(value) if isinstance(value, bool) else value}" for key, value in sorted(options.items())
    ]
    return f"{name}?{'&'.join(said)}" if said else name


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def load_object(path: str) -> Any:
    """Import what `"package.module:name"` names. Raises `BadOption` where that cannot be done."""
    module, _, name = path.partition(":")
    try:
        imported = import_module(module)
    except Exception as error:
        raise BadOption(f"{path!r} cannot be imported: {one_line(error)}") from error
    if not hasattr(imported, name):
        near = difflib.get_close_matches(name, dir(imported), n=1)
        raise BadOption(f"module {module!r} has no {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return getattr(imported, name)


def is_function(model: str | Callable[..., Any]) -> bool:
    """Whether this names a bare function or is a callable itself, and so is no id."""
    return not isinstance(model, str) or OBJECT_PATH.match(model.partition("?")[0]) is not None


def check_merge_rule(rule: Any) -> None:
    """Raise `BadOption` unless `rule` is one by which answers can be merged."""
    if rule not in ("published", "mended"):
        raise BadOption(f"option {MERGE} must be 'published' or 'mended', not {rule!r}; leave it out for no merge")


def load_model(
    model: str | Callable[..., Any], checkpoint: str | Path | None = None, device: str = "cpu", **options: Any
) -> Model:
    """A model of the standard format (`init_z`, `__call__`, `card`).

    `model` is an id (`sam`, `sam/vit-b`), with options (`sam/vit-b?rule=segnext`) or without,
    `"package.module:function"`, or any callable of the standard format. `checkpoint` is a file of own weights of the
    same architecture; `options`, and those of the id, go to the card's loader. `progressive_merge`, `"published"` or
    `"mended"`, is an option of every model (`iiszoo.models.merge`), and the only one of a bare function.
    Raises `UnknownId`, `PluginError`, `WeightsError`, or `BadOption` (a device that is absent, an unknown option).
    """
    from iiszoo.protocol import as_model

    check_device(device)
    if is_function(model):
        name, named = options_of(model) if isinstance(model, str) else (function_name(model), {})
        options = {**named, **options}
        merge = options.pop(MERGE, None)
        function = load_object(name) if isinstance(model, str) else model
        if checkpoint is not None or options:
            raise BadOption(f"{name} is a bare function: it takes neither a checkpoint nor options but {MERGE}")
        if inspect.isclass(function):
            function = function()
        if not callable(function):
            raise BadOption(f"{name} is not callable, so it cannot be a model")
        return _merging(as_model(function, name=name, device=device), merge)
    card, named = resolve_model(str(model))
    options = {**named, **options}
    if checkpoint is not None and not Path(checkpoint).is_file():
        raise BadOption(f"checkpoint {checkpoint} does not exist")
    loader = load_object(card.loader)
    merge = None if MERGE in _own_options(loader) else options.pop(MERGE, None)
    check_options(card, options)
    try:
        loaded = loader(card, device=device, checkpoint=checkpoint, **options)
    except IISZooError:
        raise
    except Exception as error:
        asked = {"checkpoint": checkpoint, **options} if checkpoint else options
        if asked:
            raise BadOption(f"model {card.id} cannot be loaded with {', '.join(asked)}: {one_line(error)}") from error
        raise ModelError(f"model {card.id} cannot be loaded: {one_line(error)}") from error
    complete = as_model(loaded, name=model_name(card, options), card=card, device=device)
    complete.checkpoint, complete.options = Path(checkpoint) if checkpoint else None, options
    return _merging(complete, merge)


def _merging(model: Model, rule: Any) -> Model:
    """The model, with its answers merged unless `rule` is None."""
    if rule is None:
        return model
    wrapped: Model = load_object("iiszoo.models.merge:merging")(model, rule)
    return wrapped


def _own_options(loader: Callable[..., Any]) -> dict[str, Any]:
    """The options that a loader names, with their defaults."""
    _, *parameters = inspect.signature(loader).parameters.values()  # the first is the card
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.name not in ("device", "checkpoint")
        and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }


def check_options(card: ModelCard, options: dict[str, Any]) -> None:
    """Raise `BadOption` for an option that a model does not have, or whose value is not of its default's kind.

    Its loader is imported for that, and not called: values are looked at when the model is loaded.
    """
    loader = load_object(card.loader)
    known = _own_options(loader)
    parameters = inspect.signature(loader).parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    for name, value in options.items():
        if name not in known and name != MERGE and not takes_any:
            has = f"it has {', '.join(dict.fromkeys([*known, MERGE]))}"
            raise BadOption(f"model {card.id} has no option {name!r}; {has}")
        if isinstance(known.get(name), bool) and not isinstance(value, bool):
            raise BadOption(f"model {card.id}: option {name!r} must be true or false, not {value}")


def load_dataset(dataset: str, root: str | Path | None = None) -> EvaluationDataset:
    """A dataset for evaluation, `id[:ARGUMENT][?option=value&option=value]`: `grabcut`, `folder:DIR?objects=values`.

    In ARGUMENT a `?` is written `%3F`, and bytes of a name that are not UTF-8 are written as `iiszoo.file_names` has
    it. Every dataset has the option `initial`, the masks that its sessions start from: `masks:DIR`, or
    `perturb:seed=0,iou=0.75-0.85` (`iiszoo.data.initial_masks`); others go to its loader. `root` is the dataset's own
    directory, or one that holds it under its id. Raises `UnknownId`, `BadOption` or `DatasetError`.
    """
    plain, initial = split_initial(dataset)
    if initial:
        started: EvaluationDataset = load_object("iiszoo.data.initial_masks:start_from")(
            load_dataset(plain, root), initial
        )
        return started
    card = dataset_card(plain)
    place, mark, query = plain.partition("?")
    argument = place.partition(":")[2]
    if card.takes_argument != bool(argument):
        raise BadOption(
            f"dataset {card.id!r} needs an argument: {card.id}:DIR"
            if card.takes_argument
            else f"dataset {card.id!r} takes no argument; write it without ':{argument}'"
        )
    loader = load_object(card.loader)
    known = [name for name in inspect.signature(loader).parameters if name not in ("card", "root", "argument")]
    arguments: dict[str, str] = {"argument": unescaped(argument)} if argument else {}
    for part in _NEXT_OPTION.split(query) if mark else []:
        name, equals, value = part.partition("=")
        if name not in known or not equals or name in arguments:
            raise BadOption(
                f"dataset {dataset!r}: {part!r} is not an option of {card.id}, or is given twice; it has "
                f"{', '.join([*known, 'initial'])} (a ? in the name of a directory is written %3F)"
            )
        arguments[name] = value
    loaded: EvaluationDataset = loader(card, root=Path(root) if root else None, **arguments)
    if argument:
        loaded.name = plain
    return loaded


def dataset_card(dataset: str) -> DatasetCard:
    """The card of a dataset's name, without its argument and options. Raises `UnknownId` or `PluginError`."""
    return registry().datasets.resolve(re.split("[:?]", dataset, maxsplit=1)[0])


def split_initial(dataset: str) -> tuple[str, str]:
    """A dataset's name without the masks that its sessions start from, and what says which these are ("": its own).

    The name has no byte that is not UTF-8. Raises `BadOption` where they are said twice.
    """
    place, mark, query = printable(dataset).partition("?")
    options = _NEXT_OPTION.split(query) if mark else []
    said = [option.removeprefix(INITIAL) for option in options if option.startswith(INITIAL)]
    if len(said) > 1:
        raise BadOption(f"dataset {place}: initial masks are said twice, {' and '.join(said)}; give one of them")
    others = [option for option in options if not option.startswith(INITIAL)]
    return f"{place}?{'&'.join(others)}" if others else place, said[0] if said else ""


def with_initial(dataset: str, initial: str) -> str:
    """`split_initial` backwards."""
    return f"{dataset}{'&' if '?' in dataset else '?'}{INITIAL}{initial}"


def load_robot(robot: str) -> Robot:
    """A robot (simulated user): an id, or `id:argument` for those that take one (`noisy-ritm:sigma=0.3`).

    Raises `UnknownId`, or `BadOption` where the argument cannot be used.
    """
    name, colon, argument = robot.partition(":")
    card = registry().robots.resolve(name)
    if colon and not card.takes_argument:
        raise BadOption(f"robot {card.id!r} takes no argument; write it without ':{argument}'")
    loaded: Robot = load_object(card.loader)(card, **({"argument": argument} if card.takes_argument else {}))
    return loaded


def robot_version(robot: str) -> int:
    """The version of a robot's clicks: its card's, or that of the loaded robot where it is made of others (`mix`).

    Raises as `load_robot` does.
    """
    card = registry().robots.resolve(robot.partition(":")[0])
    if not card.takes_argument and ":" not in robot:
        return card.version
    return int(getattr(load_robot(robot), "version", card.version))


def function_name(model: str | Callable[..., Any]) -> str:
    """`module:qualified name` of a bare function, or of an object's class."""
    if isinstance(model, str):
        return model
    qualified = getattr(model, "__qualname__", type(model).__qualname__)
    return f"{getattr(model, '__module__', None) or type(model).__module__}:{qualified}"


def check_device(device: str) -> None:
    """Raise `BadOption` unless torch has this device here."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise BadOption(f"device {device!r} is not one that torch knows: cpu, cuda, cuda:0, mps") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(wanted.type, False):
        raise BadOption(f"device {device!r} was asked for, but torch finds no such device here; use --device cpu")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise BadOption(f"device {device!r} was asked for, but there are {torch.cuda.device_count()} CUDA devices")
