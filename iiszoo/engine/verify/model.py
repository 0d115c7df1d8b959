"""The model of a run, found here: the same code, and weights of the same sha256."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iiszoo import assets, files
from iiszoo.cards import TOLERANCE, ModelCard
from iiszoo.engine.verify.findings import Finding, other
from iiszoo.errors import BadOption, IISZooError
from iiszoo.model_reference import CardReference, ModelReference, TrainedReference, resolve
from iiszoo.names import parse_name
from iiszoo.object_path import is_function
from iiszoo.registry import resolve_model
from iiszoo.remote import Interpreter
from iiszoo.trained_file import named_file

CODE = "code"
WEIGHTS = "weights"
_STATED = re.compile(r"(.+) sha256 ([0-9a-f]{64})")
_CHECKPOINT = "checkpoint"
"""What an identity calls a file that was given for the card's own."""


@dataclass(frozen=True)
class FoundModel:
    """`reference` is None if there is not the same model here; `threshold` is the model's own, None if unknown."""

    reference: ModelReference | None = None
    threshold: float | None = None
    tolerance: float = TOLERANCE
    findings: list[Finding] = field(default_factory=list)


def find_model(
    stated: dict[str, Any], ran_elsewhere: bool, checkpoint: Path | None, interpreter: Interpreter | None
) -> FoundModel:
    """The model that a run's identity states. `checkpoint`: a file with its weights, for those that are in no cache;
    `ran_elsewhere`: it ran in another interpreter. Nothing is fetched, and nothing loaded. Raises an `IISZooError` if
    `interpreter` cannot be used, or has no such model.
    """
    weights = {found[1]: found[2] for line in stated.get("weights", []) if (found := _STATED.fullmatch(line))}
    if ran_elsewhere and interpreter is None:
        return _missing(CODE, f"{stated['id']} ran in another interpreter; give --python PATH to replay samples")
    if interpreter is not None:  # what was asked for and cannot be used is an error, not something that is missing
        return _of_identity(resolve(stated["id"], checkpoint, None, interpreter), stated)
    try:
        if is_function(stated["id"]):
            return _of_identity(resolve(stated["id"]), stated)
        if (file := _trained_file(stated["id"], weights, checkpoint)) is not None:
            return _of_file(file, stated, weights)
        return _of_card(stated, weights, checkpoint)
    except IISZooError as error:
        return _missing(CODE, str(error))


def _missing(check: str, text: str) -> FoundModel:
    return FoundModel(findings=[Finding(check, "unchecked", text)])


def _code(here: str, stated: str) -> Finding:
    """Whether the code is the same. Another version need not matter, and the replay shows whether it does; another
    hash of a file means another model.
    """
    if here == stated:
        return Finding(CODE, "agrees", stated)
    if "sha256" in here and "sha256" in stated:
        return Finding(CODE, "differs", f"the model's file is {other(stated, here)} here")
    return Finding(CODE, "unchecked", f"made with {stated}; here is {here}")


def _of_identity(reference: ModelReference, stated: dict[str, Any]) -> FoundModel:
    """A model that states its weights itself: of another interpreter, or a function, which has none."""
    here = reference.identity()
    code = _code(str(here.get("code")), stated["code"])
    ours, theirs = here.get("weights"), stated.get("weights", [])
    if ours is None:
        text = f"{reference.name} lacks its weights in that interpreter; fetch them there"
        return FoundModel(None, reference.threshold, findings=[code, Finding(WEIGHTS, "unchecked", text)])
    weights = Finding(WEIGHTS, "agrees", "; ".join(theirs) or "none")
    if ours != theirs:
        weights = Finding(WEIGHTS, "differs", f"they are {other(theirs, ours)} here")
    same = "differs" not in (code.status, weights.status)
    return FoundModel(reference if same else None, reference.threshold, findings=[code, weights])


def _trained_file(id: str, weights: Mapping[str, str], checkpoint: Path | None) -> Path | None:
    """The file of a network of `iiszoo train`; None if the model is none. Raises `BadOption` if it is not here."""
    named = named_file(id)
    if named is None and not (set(weights) <= {"best.safetensors", "last.safetensors"} and weights):
        return None
    file = checkpoint or named
    if file is None or not file.is_file():
        wanted = ", ".join(f"{name} of sha256 {sha256}" for name, sha256 in weights.items())
        raise BadOption(f"the trained network {id} is not here; give --checkpoint FILE, {wanted}")
    return file


def _of_file(file: Path, stated: dict[str, Any], weights: Mapping[str, str]) -> FoundModel:
    name = parse_name("model" + "".join(stated["id"].partition("?")[1:]))
    called = stated["id"].partition("?")[0]
    reference = TrainedReference(file, called, name.options)
    code = _code(str(reference.identity()["code"]), stated["code"])
    (wanted,) = weights.values() if len(weights) == 1 else ("",)
    weight = _of_sha256(str(file), files.sha256(file)[0], wanted)
    if weight.status == "differs":
        return FoundModel(findings=[code, weight])
    return FoundModel(reference, reference.threshold, findings=[code, weight])


def _of_card(stated: dict[str, Any], weights: Mapping[str, str], checkpoint: Path | None) -> FoundModel:
    card, _ = resolve_model(stated["id"])
    reference = resolve(stated["id"], checkpoint)
    assert isinstance(reference, CardReference)
    code = _code(str(reference.identity()["code"]), stated["code"])
    if checkpoint is not None:
        found = [_of_checkpoint(checkpoint, card, weights)]
    elif _CHECKPOINT in weights:
        text = f"a checkpoint of sha256 {weights[_CHECKPOINT]}; give that file with --checkpoint FILE"
        found = [Finding(WEIGHTS, "unchecked", text)]
    else:
        found = _in_cache(card, weights)
    whole = all(finding.status == "agrees" for finding in found)
    return FoundModel(reference if whole else None, card.threshold, card.tolerance, [code, *found])


def _of_checkpoint(checkpoint: Path, card: ModelCard, weights: Mapping[str, str]) -> Finding:
    if len(weights) != 1:
        what = f"has {len(weights)} files of weights" if weights else "has no weights"
        return Finding(WEIGHTS, "unchecked", f"{card.id} {what}, so that --checkpoint cannot stand for them")
    return _of_sha256(str(checkpoint), files.sha256(checkpoint)[0], *weights.values())


def _in_cache(card: ModelCard, weights: Mapping[str, str]) -> list[Finding]:
    """The files of the card, hashed again: what the cache says of them could be old."""
    unstated = [file.filename for file in card.weights if file.filename not in weights]
    unknown = [name for name in weights if name not in {file.filename for file in card.weights}]
    found = [Finding(WEIGHTS, "differs", f"the run states no {name}, which {card.id} has") for name in unstated]
    found += [Finding(WEIGHTS, "differs", f"the run states {name}, which {card.id} does not have") for name in unknown]
    for file in card.weights:
        if file.filename in unstated:
            continue
        wanted = weights[file.filename]
        path = assets.path(card, file)
        if path.is_file():
            found.append(_of_sha256(file.filename, files.sha256(path)[0], wanted))
        elif file.sha256 not in (None, wanted):
            text = f"{file.filename} has sha256 {wanted} in the run, but {file.sha256} on the card of {card.id}"
            found.append(Finding(WEIGHTS, "differs", text))
        else:
            text = f"{file.filename} is not in the cache; `iiszoo weights get {card.id}` fetches it"
            found.append(Finding(WEIGHTS, "unchecked", text))
    return found or [Finding(WEIGHTS, "agrees", "none")]


def _of_sha256(name: str, here: str, wanted: str) -> Finding:
    if here == wanted:
        return Finding(WEIGHTS, "agrees", f"{name} sha256 {here}")
    return Finding(WEIGHTS, "differs", f"{name} has sha256 {wanted or 'unknown'} in the run, but {here} here")
