"""The rules of an evaluation, named and hashed: who clicks, how often, and when a mask is good enough."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.errors import BadOption, UnknownId

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class EvaluationProtocol:
    """`threshold` None means the model's own, as its card states it. `resize` "none": every model sees the image at its
    own size, and is scored there; it is the only rule so far.
    """

    name: str = "standard"
    robot: str = "ritm"
    robot_version: int = 1
    max_clicks: int = 20
    target_iou: float = 0.90
    threshold: float | None = None
    seed: int = 0
    resize: str = "none"

    def __post_init__(self) -> None:
        if self.max_clicks < 1:
            raise BadOption(f"max_clicks must be at least 1, not {self.max_clicks}")
        if not 0 < self.target_iou <= 1:
            raise BadOption(f"target_iou must lie above 0 and at most at 1, not {self.target_iou}")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise BadOption(f"threshold must lie between 0 and 1, not {self.threshold}")
        if self.resize != "none":
            raise BadOption(f"resize rule {self.resize!r} is not known; 'none' is the only one so far")

    @property
    def hash(self) -> str:
        """12 hex digits over everything but the name: equal hashes mean comparable numbers."""
        rules = {key: value for key, value in asdict(self).items() if key != "name"}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "hash": self.hash}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EvaluationProtocol:
        return cls(**{key: value for key, value in values.items() if key != "hash"})


PRESETS = {
    preset.name: preset
    for preset in (
        EvaluationProtocol("standard"),
        # RITM and SimpleClick count a pixel as object above 0.49 (RITM b9b4460, evaluate_model.py's default)
        EvaluationProtocol("ritm", threshold=0.49),
        # runs until IoU 0.95, so that NoC@95 is known too; the clicks up to 0.90 are those of `standard`
        EvaluationProtocol("noc95", target_iou=0.95),
    )
}


def load_protocol(protocol: str | EvaluationProtocol, **changes: Any) -> EvaluationProtocol:
    """A preset by name, a TOML file with any of the fields, or a protocol as it is; `changes` not None go on top.

    A changed preset is called `NAME+`. Raises `UnknownId` or `BadOption`.
    """
    if isinstance(protocol, str):
        protocol = _named(protocol)
    wanted = {key: value for key, value in changes.items() if value is not None}
    changed = replace(protocol, **wanted)
    return changed if changed == protocol else replace(changed, name=f"{protocol.name}+")


def _named(name: str) -> EvaluationProtocol:
    if name.endswith(".toml"):
        return _from_file(Path(name))
    if name not in PRESETS:
        raise UnknownId(f"no protocol is called {name!r}; presets: {', '.join(PRESETS)}; or give a FILE.toml")
    return PRESETS[name]


def _from_file(path: Path) -> EvaluationProtocol:
    try:
        values = tomllib.loads(files.read_text(path))
    except OSError as error:
        raise BadOption(f"protocol file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of TOML, or of UTF-8
        raise BadOption(f"protocol file {path} is not valid TOML: {error}") from error
    types = {field.name: type(field.default) for field in fields(EvaluationProtocol)} | {"threshold": float}
    del types["robot_version"]  # the robot's own
    for key, value in values.items():
        if key not in types:
            raise BadOption(f"protocol file {path}: unknown field {key!r}; fields: {', '.join(types)}")
        if types[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not types[key]:
            raise BadOption(f"protocol file {path}: {key} must be of type {types[key].__name__}, not {value!r}")
    try:
        return EvaluationProtocol(**{"name": path.stem, **values})
    except BadOption as error:
        raise BadOption(f"protocol file {path}: {error}") from error
