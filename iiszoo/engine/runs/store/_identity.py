"""What a run is: `run.json`. Two runs of one identity have the same results, so one may go on with the other's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.dataset_identity import name_of
from iiszoo.engine.runs.json_values import list_of, table, text, whole
from iiszoo.engine.runs.store._json_file import read_json
from iiszoo.errors import BadOption, RunError
from iiszoo.names import parse_name

IDENTITY = "run.json"
FORMAT = 2
"""Version of the trace and run.json formats; part of a run's identity."""

_CHECKED_IDENTITY = json_values.record(
    {
        "format": whole(FORMAT, FORMAT),
        "model": json_values.record({"id": text, "code": text}, {"options": table, "weights": list_of(text)}),
        "protocol": json_values.record({"hash": text}),
        "dataset": json_values.record({"id": text, "n_samples": whole(1, 2**31), "fingerprint": text}),
    },
    {"initial": json_values.record({"what": text, "fingerprint": text})},
)


def read_identity(directory: Path) -> dict[str, Any]:
    """The identity of the run in `directory`. Raises `RunError` if there is none, or a damaged one."""
    identity = read_json(directory / IDENTITY)
    if identity is None:
        raise RunError(f"{directory} contains no run (no {IDENTITY})")
    if identity.get("format") != FORMAT:
        found = identity.get("format")
        newer = "; install a newer iiszoo to read it" if type(found) is int and found > FORMAT else ""
        shown = json_values.shortened(found)
        raise RunError(f"{directory} was written by another version of iiszoo (format {shown}, not {FORMAT}){newer}")
    try:
        checked: dict[str, Any] = _CHECKED_IDENTITY(identity, "")
        rules = ResolvedProtocol.from_json(checked["protocol"])
        if rules.hash != checked["protocol"]["hash"]:
            raise ValueError(f"protocol.hash must be {rules.hash} for its rules")
        parse_name(name_of(checked))
    except (BadOption, ValueError) as error:
        raise RunError(f"{directory / IDENTITY} is damaged ({error}); repeat the run") from error
    return checked


def run_hash(identity: dict[str, Any]) -> str:
    """16 hex digits over a run's identity, apart from its protocol's name."""
    return hashlib.sha256(json.dumps(nameless_rules(identity), sort_keys=True).encode()).hexdigest()[:16]


def nameless_rules(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity without its protocol's name, which identifies nothing."""
    rules = identity.get("protocol")
    if not isinstance(rules, dict):
        return identity
    return {**identity, "protocol": {rule: value for rule, value in rules.items() if rule != "name"}}


def differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two identities, one phrase per value: `protocol.max_clicks: 20 there, 10 now`.

    Only what `ours` has is compared, at every level: it lacks what is not known yet.
    """
    found = []
    for key in sorted(ours):
        now, there = ours[key], theirs.get(key)
        if isinstance(now, dict) and isinstance(there, dict):
            found += differences(now, there, f"{prefix}{key}.")
        elif now != there:
            found.append(f"{prefix}{key}: {json.dumps(there)} there, {json.dumps(now)} now")
    return found


def without_identity(directory: Path) -> RunError:
    return RunError(f"{directory} contains samples but no {IDENTITY}; start over with --overwrite or another --out")
