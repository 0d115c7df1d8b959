"""Configurations from TOML files and plain data. Unknown keys and values of the wrong type are rejected."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.engine.training.config import Named, TrainConfig, Weighted
from iiszoo.errors import BadOption

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
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise BadOption(f"{source}: {key_path} must be of type {hint.__name__}, not {value!r}")
    return value


def _is_factor(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0
