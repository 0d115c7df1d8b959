"""The configuration of a training run, read from `iiszoo train CONFIG.toml`, as frozen dataclasses.

Each table of the file is a dataclass, and `[[data]]` is a list of them. Unknown keys and values of the wrong type are
rejected.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.errors import BadOption


@dataclass(frozen=True)
class Named:
    """An entry of a registry, by its name, and its keywords: `{name = "disk", radius = 5}`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Weighted(Named):
    """One of several entries: `weight` is its relative probability, or its factor in a sum."""

    weight: float = 1.0


@dataclass(frozen=True)
class NetworkTable:
    """`encoder_weights`: a safetensors file, a name that the library knows ("imagenet"), or "" for random weights.
    `library`: "smp" (segmentation_models_pytorch); "mmseg" (mmsegmentation): `architecture` is a configuration, and
    `encoder_weights` a checkpoint or "pretrained"; "iiszoo" for the network of a model's card: `architecture` is the
    model's id.
    """

    library: str = "smp"
    architecture: str = "unet"
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: str = ""
    fusion: str = "early"
    previous_mask: bool = True
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    options: dict[str, Any] = field(default_factory=dict)
    encoding: Named = field(default_factory=lambda: Named("disk", {"radius": 5}))


@dataclass(frozen=True)
class SightingTable:
    """How a session shows an image: `iiszoo.models.wrappers.description.Sighting`, whose `size` is the view's."""

    expansion: float = 1.4
    min_crop: int = 100
    keep_iou: float = 0.5
    flip: bool = False
    second_look: bool = False
    threshold: float = 0.5


@dataclass(frozen=True)
class DataTable:
    """`dataset`: an id of `iiszoo list datasets`, folder:DIR, labelme:DIR, labels:DIR, coco:FILE; `root`: its place.
    `image_scores`: a file from which images are drawn by (1 - score)^`scores_gamma`
    (`iiszoo.data.training.image_scores`).
    """

    dataset: str
    weight: float = 1.0
    root: str = ""
    image_scores: str = ""
    scores_gamma: float = 1.0
    selector: tuple[Weighted, ...] = (Weighted("random-single"),)


@dataclass(frozen=True)
class ClicksTable:
    """`first`: the clicks before any prediction. `further`: the probabilities of 0, 1, 2, ... further interactions.
    `robot`: who makes those, an id of `iiszoo list robots`; "": RITM's rule, with `depth`. `every_loss`: weights of the
    losses after 0, 1, 2, ... further interactions, all with gradient (CFR-ICL); empty: only the last has one.
    """

    first: Named = field(default_factory=lambda: Named("deep-and-near"))
    further: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    threshold: float = 0.5
    depth: float = 0.5
    robot: str = ""
    second_look: float = 0.0
    every_loss: tuple[float, ...] = ()


@dataclass(frozen=True)
class OptimiserTable:
    """`factors`: on the learning rate of the parameters whose names begin with a prefix, the longest that fits, such as
    {feature_extractor = 0.1}. `drops`: the shares of the run after which the schedule "step" falls to a tenth.
    """

    name: str = "AdamW"
    lr: float = 1e-3
    encoder_lr: float = 0.0
    factors: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 1e-2
    options: dict[str, Any] = field(default_factory=dict)
    warm_up: int = 200
    schedule: str = "cosine"
    drops: tuple[float, ...] = (0.7, 0.9)
    final: float = 0.01
    clip: float = 5.0
    ema: float = 0.999


@dataclass(frozen=True)
class ValidationTable:
    """`held_out`: the share of the images that is never trained on. `times`: validations per run, including one at the
    end; or `every`: steps between them. `limit`: the most sessions. `dataset`: used instead of the held-out images.
    """

    held_out: float = 0.06
    dataset: str = ""
    root: str = ""
    times: int = 5
    every: int = 0
    limit: int = 100
    max_clicks: int = 20
    robot: str = "ritm"
    batch_size: int = 16


@dataclass(frozen=True)
class RunTable:
    """`steps` or `minutes`: the length; with both, whichever comes first. `workers`: -1 for all cores but two.
    `in_memory`: decode the images once. `strategy`, `devices`: Lightning's.
    """

    steps: int = 0
    minutes: float = 0.0
    batch_size: int = 64
    accumulate: int = 1
    workers: int = -1
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    in_memory: bool = False
    log_every: int = 50
    checkpoint_minutes: float = 3.0


@dataclass(frozen=True)
class TrainConfig:
    """`start`: the model, run or file to fine-tune; [network] is then taken from it, unless it is a file of weights
    alone: a state dict that fits [network], or what a network's family starts from (an ImageNet or MAE backbone).
    `auxiliary_loss`: on the auxiliary output of a network that has one, as RITM's.
    """

    data: tuple[DataTable, ...]
    start: str = ""
    network: NetworkTable = field(default_factory=NetworkTable)
    sighting: SightingTable = field(default_factory=SightingTable)
    view: Named = field(default_factory=lambda: Named("object", {"size": (320, 320)}))
    clicks: ClicksTable = field(default_factory=ClicksTable)
    loss: tuple[Weighted, ...] = (Weighted("normalised-focal"),)
    auxiliary_loss: tuple[Weighted, ...] = ()
    optimiser: OptimiserTable = field(default_factory=OptimiserTable)
    validation: ValidationTable = field(default_factory=ValidationTable)
    run: RunTable = field(default_factory=RunTable)

    @property
    def size(self) -> tuple[int, int]:
        size = self.view.options.get("size", (320, 320))
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


_CHECKS: tuple[tuple[str, str, typing.Callable[[Any], bool], str], ...] = (
    ("run", "batch_size", lambda v: v >= 1, "at least 1"),
    ("run", "accumulate", lambda v: v >= 1, "at least 1"),
    ("run", "steps", lambda v: v >= 0, "0 (no limit) or more"),
    ("run", "minutes", lambda v: v >= 0, "0 (no limit) or more"),
    ("run", "log_every", lambda v: v >= 1, "at least 1"),
    ("validation", "held_out", lambda v: 0 <= v < 1, "0 or more and below 1"),
    ("validation", "max_clicks", lambda v: v >= 1, "at least 1"),
    ("clicks", "further", lambda v: len(v) > 0 and min(v) >= 0 and sum(v) > 0, "probabilities of 0, 1, 2, ..."),
    ("clicks", "further", lambda v: len(v) <= 20, "at most 20 numbers"),
    ("clicks", "every_loss", lambda v: not v or (min(v) >= 0 and v[-1] > 0), "weights of 0 or more, the last above 0"),
    ("optimiser", "lr", lambda v: v > 0, "above 0"),
    ("optimiser", "factors", lambda v: all(_is_factor(f) for f in v.values()), "numbers of 0 or more by prefix"),
    ("optimiser", "drops", lambda v: list(v) == sorted(v) and all(0 < d < 1 for d in v), "rising, between 0 and 1"),
    ("optimiser", "ema", lambda v: 0 <= v < 1, "0 or more and below 1"),
    ("optimiser", "schedule", lambda v: v in ("cosine", "constant", "step"), "cosine, constant or step"),
)


def read(path: Path) -> TrainConfig:
    """The configuration of a TOML file. Raises `BadOption` naming the file, the key and what is accepted."""
    values = files.read_toml(path, "configuration")
    return from_data(values, str(path))


def from_data(values: Mapping[str, Any], source: str) -> TrainConfig:
    """The configuration from plain data. Raises `BadOption` naming `source`."""
    config: TrainConfig = _table(TrainConfig, values, f"configuration {source}", "")
    for table, key, right, wanted in _CHECKS:
        value = getattr(getattr(config, table), key)
        if not right(value):
            raise BadOption(f"configuration {source}: {table}.{key} must be {wanted}, not {value!r}")
    if not config.data:
        raise BadOption(f"configuration {source}: [[data]] is empty; name a dataset to train on")
    clicks = config.clicks
    if clicks.every_loss and len(clicks.every_loss) != len(clicks.further):
        raise BadOption(
            f"configuration {source}: clicks.every_loss has {len(clicks.every_loss)} weights, but clicks.further has "
            f"{len(clicks.further)} probabilities; give one weight for each"
        )
    return config


def as_data(config: TrainConfig) -> dict[str, Any]:
    """Plain data from which `from_data` restores the configuration."""

    def plain(value: Any) -> Any:
        if isinstance(value, Named):
            weight = {"weight": value.weight} if isinstance(value, Weighted) else {}
            return {"name": value.name, **weight, **plain(value.options)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, list | tuple):
            return [plain(entry) for entry in value]
        return {key: plain(entry) for key, entry in value.items()} if isinstance(value, dict) else value

    data: dict[str, Any] = plain(config)
    return data


def _table(kind: Any, values: Any, source: str, key_path: str) -> Any:
    if not isinstance(values, Mapping):
        raise BadOption(f"{source}: {key_path} must be a table, not {values!r:.60}")
    if issubclass(kind, Named):
        return _named(kind, values, source, key_path)
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    arguments = {}
    for key, value in values.items():
        here = f"{key_path}.{key}" if key_path else key
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
            raise BadOption(f"{source}: {here} is unknown; {hint}")
        arguments[key] = _value(hints[key], value, source, here)
    for f in dataclasses.fields(kind):
        absent = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if absent and f.name not in arguments:
            table = f" of [[{key_path}]]" if key_path else ""
            raise BadOption(f"{source}: {f.name}{table} is missing")
    return kind(**arguments)


def _named(kind: Any, values: Mapping[str, Any], source: str, key_path: str) -> Any:
    if not isinstance(values.get("name"), str):
        raise BadOption(f"{source}: {key_path} must have a name, such as {{name = ...}}, not {dict(values)!r:.60}")
    options = {
        key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key not in ("name", "weight")
    }
    if kind is Weighted:
        return Weighted(values["name"], options, _value(float, values.get("weight", 1.0), source, f"{key_path}.weight"))
    return Named(values["name"], {**options, **({"weight": values["weight"]} if "weight" in values else {})})


def _value(hint: Any, value: Any, source: str, key_path: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, str) and issubclass(hint, Named):  # type: ignore[arg-type]
            value = {"name": value}
        return _table(hint, value, source, key_path)
    if origin is tuple:
        values = value if isinstance(value, list | tuple) else [value]
        if inner[-1] is not Ellipsis and len(values) != len(inner):
            raise BadOption(f"{source}: {key_path} must be {len(inner)} numbers, not {value!r}")
        return tuple(_value(inner[0], entry, source, key_path) for entry in values)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise BadOption(f"{source}: {key_path} must be a table, not {value!r:.60}")
        return dict(value)
    if origin is types.UnionType:  # pragma: no cover  no field has this type
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise BadOption(f"{source}: {key_path} must be of type {hint.__name__}, not {value!r}")
    return value


def _is_factor(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def choose(known: Mapping[str, Any], name: str, what: str) -> Any:
    """One entry of a registry. Raises `BadOption` listing the known names."""
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BadOption(f"there is no {what} {name!r}; {hint}known: {', '.join(known)}")
    return known[name]
