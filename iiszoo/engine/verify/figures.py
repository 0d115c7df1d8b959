"""The figures of `summary.json`, derived again from the traces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iiszoo import units
from iiszoo.engine.runs import json_values, store
from iiszoo.engine.runs.summary import summarise
from iiszoo.engine.runs.trace import Trace
from iiszoo.engine.verify.findings import Finding, agreed, other
from iiszoo.errors import RunError

CHECK = "figures"
_CLOSE = 1e-9
"""Relative: another numpy may add in another order."""
_NOT_DERIVED = ("provenance", "times.invocations")


def check_figures(directory: Path, identity: dict[str, Any], traces: Sequence[Trace]) -> list[Finding]:
    """Whether every figure of the run's summary follows from its traces, and what it repeats of the identity is so."""
    path = directory / store.SUMMARY
    try:
        stored = store.read_json(path)
        if stored is None:
            reason = f"there is no {store.SUMMARY}: the run was stopped before it was written, or it was deleted"
            return [Finding(CHECK, "unchecked", reason)]
        skipped = json_values.table_of(json_values.text)(stored.get("skipped", {}), "skipped")
    except RunError as error:
        return [Finding(CHECK, "differs", str(error).partition(";")[0])]
    except ValueError as error:
        return [Finding(CHECK, "differs", f"{path} is damaged ({error})")]
    derived = _leaves(summarise(identity, traces, skipped))
    there = {name: value for name, value in _leaves(stored).items() if not name.startswith(_NOT_DERIVED)}
    found = [*_compared(there, derived), *_repeated(stored.get("provenance", {}), identity)]
    return agreed(
        CHECK,
        found,
        f"{units.number_of(len(derived), 'value')} of {store.SUMMARY} follow from "
        f"{units.number_of(len(traces), 'trace')}",
    )


def _compared(there: dict[str, Any], derived: dict[str, Any]) -> Iterator[Finding]:
    for name, value in derived.items():
        if name not in there:
            yield Finding(CHECK, "unchecked", f"{name} is not in {store.SUMMARY}: an older iiszoo wrote it")
        elif not _equal(there[name], value):
            yield Finding(CHECK, "differs", f"{name} is {other(there[name], value)} follows from the traces")
    unknown = sorted(there.keys() - derived.keys())
    if unknown:
        what = f"{unknown[0]}{f' and {len(unknown) - 1} more' if unknown[1:] else ''}"
        yield Finding(CHECK, "unchecked", f"{what} in {store.SUMMARY} cannot be derived by this iiszoo")


def _repeated(provenance: Any, identity: dict[str, Any]) -> Iterator[Finding]:
    there = _leaves(provenance)
    for name, value in _leaves(identity).items():
        if name in there and not _equal(there[name], value):
            yield Finding(CHECK, "differs", f"{name} is {other(there[name], value)} in {store.IDENTITY}")


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """The values of nested objects and lists, by path: `metrics.iou[3]`."""
    if isinstance(value, dict) and value:
        parts = [_leaves(item, f"{name}.{key}" if name else key) for key, item in value.items()]
    elif isinstance(value, list) and value:
        parts = [_leaves(item, f"{name}[{i}]") for i, item in enumerate(value)]
    else:
        return {name: value}
    return {path: leaf for part in parts for path, leaf in part.items()}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, int | float) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-12)
    return type(a) is type(b) and bool(a == b)
