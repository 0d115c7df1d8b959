"""Evaluation protocols, named and hashed: who clicks, how often, and when a mask is good enough."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from iiszoo import files, units
from iiszoo.errors import BadOption, UnknownId

MOST_CLICKS = 1000
"""Far more than any evaluation uses; every curve, chart and session is built for `max_clicks` clicks."""
LONGEST_NAME = 1000
"""Characters."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """The rules of an evaluation. `threshold` None: the model's own, as its card states. `resize` "none", the only
    value so far: every model gets the image at its own size and is scored at it.
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
        for rule, kind in _TYPES.items():
            value = getattr(self, rule)
            if value is None and rule == "threshold":
                continue
            if type(value) not in ((int, float) if kind is float else (kind,)):
                raise BadOption(f"{rule} must be of type {kind.__name__}, not {_shown(value)}")
            if kind is float and abs(value) < 2**53:
                object.__setattr__(self, rule, float(value))  # 1 and 1.0 are one rule, with one hash
        if self.max_clicks < 1:
            raise BadOption(f"max_clicks must be at least 1, not {_shown(self.max_clicks)}")
        if self.max_clicks > MOST_CLICKS:
            raise BadOption(f"max_clicks must be at most {MOST_CLICKS}, not {_shown(self.max_clicks)}")
        if not 0 < self.target_iou <= 1:
            raise BadOption(f"target_iou must be above 0 and at most 1, not {_shown(self.target_iou)}")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise BadOption(f"threshold must lie between 0 and 1, not {_shown(self.threshold)}")
        for rule, number in (("seed", self.seed), ("robot_version", self.robot_version)):
            if not 0 <= number < 2**63:
                raise BadOption(f"{rule} must be from 0 to 2^63 - 1, not {_shown(number)}")
        for rule, words in (("name", self.name), ("robot", self.robot)):
            if not words.strip():
                raise BadOption(f"{rule} must not be empty")
            if len(words) > LONGEST_NAME:
                raise BadOption(f"{rule} must have at most {LONGEST_NAME} characters, not {len(words)}")
        if self.resize != "none":
            raise BadOption(f"resize rule {self.resize!r:.60} is unknown; 'none' is the only one so far")

    @property
    def hash(self) -> str:
        """12 hex digits over everything but the name: equal hashes mean comparable numbers."""
        rules = {key: value for key, value in asdict(self).items() if key != "name"}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "hash": self.hash}

    def resolved(self, threshold: float) -> ResolvedProtocol:
        """The protocol for a model whose own threshold is `threshold`."""
        rules = {**asdict(self), "threshold": threshold if self.threshold is None else self.threshold}
        return ResolvedProtocol(**rules)

    def sentence(self) -> str:
        """The rules, for people."""
        threshold = "the model's own" if self.threshold is None else self.threshold
        clicks = f"at most {units.number_of(self.max_clicks, 'click')}"
        return f"robot {self.robot}, {clicks}, until IoU {self.target_iou:.2f}, threshold {threshold}"


@dataclass(frozen=True)
class ResolvedProtocol(EvaluationProtocol):
    """The evaluation protocol of one run; nothing is left to the model."""

    threshold: float = 0.5

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ResolvedProtocol:
        """The inverse of `as_json`. Raises `BadOption` if a rule is missing, unknown or out of range."""
        rules = {key: value for key, value in values.items() if key != "hash"}
        odd = sorted({field.name for field in fields(cls)} ^ set(rules))
        if odd:
            raise BadOption(f"{odd[0]!r:.60} is {'unknown' if odd[0] in rules else 'missing'}")
        return cls(**rules)


def _shown(value: object) -> str:
    """A value for a sentence, cut if it is long."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; deep nesting
        return f"such a large {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(EvaluationProtocol)}
_TYPES["threshold"] = float


PRESETS = {
    preset.name: preset
    for preset in (
        EvaluationProtocol("standard"),
        # RITM and SimpleClick count a pixel as object above 0.49 (RITM b9b4460, evaluate_model.py's default)
        EvaluationProtocol("ritm", threshold=0.49),
        # runs until IoU 0.95, so that NoC@95 is known too; the clicks up to 0.90 equal those of `standard`
        EvaluationProtocol("noc95", target_iou=0.95),
        # SegNext's evaluation (4c45ce8, evaluate_model.py --print-ious), for NoC@90, NoC@95, NoF@95 and the mean IoU
        # after five clicks: sessions go on until the mask is perfect, so that IoU@5 is that of the fifth click
        EvaluationProtocol("hq", target_iou=1.0),
    )
}


def load_protocol(protocol: str | EvaluationProtocol, **changes: Any) -> EvaluationProtocol:
    """A preset by name, a TOML file with any of the fields, or a protocol itself, overridden by `changes` not None.

    A changed protocol is named `NAME+`. Raises `UnknownId` or `BadOption`.
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
        raise UnknownId(
            f"no evaluation protocol is called {name!r}; presets: {', '.join(PRESETS)}; or give a FILE.toml"
        )
    return PRESETS[name]


def _from_file(path: Path) -> EvaluationProtocol:
    values = files.read_toml(path, "evaluation protocol")
    known = [rule for rule in _TYPES if rule != "robot_version"]  # the robot's own
    for key in values:
        if key not in known:
            raise BadOption(f"evaluation protocol {path}: unknown field {key!r:.60}; fields: {', '.join(known)}")
    try:
        return EvaluationProtocol(**{"name": path.stem, **values})
    except BadOption as error:
        raise BadOption(f"evaluation protocol {path}: {error}") from error
