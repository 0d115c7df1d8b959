"""A model's networks for other programs: ONNX files, what they expect in metadata.json, a README with an example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iiszoo import __version__, files
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.model_reference import CardReference, ModelReference, ModelSpec, resolve, takes_runtime
from iiszoo.models.runtime import ONNX, RUNTIME, Graph, Values, recording
from iiszoo.names import parse_name

METADATA, README = "metadata.json", "README.md"
_WRITTEN_BY = "iiszoo export"


def export_onnx(model: ModelSpec, directory: Path, checkpoint: Path | None = None) -> list[Path]:
    """Write the ONNX files of a model, its metadata and README into `directory`; returns the files' paths.

    An earlier export in it is replaced, other files stay. Raises `BadOption` if one of them is in the way or the model
    has no networks to export, whatever loading the model raises, and `OSError`.
    """
    _refuse_others(directory)
    reference = resolve(model, checkpoint, {RUNTIME: ONNX})
    if not takes_runtime(reference):
        raise BadOption(f"model {resolve(model).name} cannot be exported: {_why_not(reference)}")
    reference = reference.fetch()
    with recording() as parts:
        loaded = reference.load()
    names = [f"{graph.name}.onnx" for graph, _ in parts]
    for name in [*names, README]:
        _refuse_strange(directory, name)
    networks = [_facts(graph, file) for graph, file in parts]
    metadata = {
        "written_by": f"{_WRITTEN_BY}, iiszoo {__version__}",
        "model": str(parse_name(reference.name).without(RUNTIME)),
        **_origin(loaded.card),
        "weights": reference.identity().get("weights", []),
        "threshold": reference.threshold,
        "networks": networks,
    }
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (_, file) in zip(names, parts, strict=True):
        files.replace_bytes(directory / name, file.read_bytes())
        written.append(directory / name)
    files.replace_text(directory / METADATA, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    files.replace_text(directory / README, _readme(metadata, parts[0][0].example))
    return [*written, directory / METADATA, directory / README]


def _why_not(reference: ModelReference) -> str:
    card = reference.card if isinstance(reference, CardReference) else None
    if card is not None and any(file.filename.endswith(".onnx") for file in card.weights):
        return f"its weights are ONNX files already, at `iiszoo weights path {card.id}`"
    return f"it has no option {RUNTIME}"


def _refuse_others(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise BadOption(f"{directory} is a file; give a directory")


def _refuse_strange(directory: Path, name: str) -> None:
    """Raise `BadOption` if there is a file of this name that no earlier export wrote."""
    if not (directory / name).exists():
        return
    try:
        earlier = json.loads(files.read_text(directory / METADATA))
        ours = str(earlier["written_by"]).startswith(_WRITTEN_BY)
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise BadOption(f"{directory / name} is not from an earlier export and would be lost; give another directory")


def _origin(card: ModelCard | None) -> dict[str, Any]:
    if card is None:
        return {"licence": "of the weights: yours, trained by `iiszoo train`"}
    source = card.upstream
    return {
        "summary": card.summary,
        "licence": card.licence,
        "weights_licence": card.weights_licence,
        "paper": card.paper,
        "source": "" if source is None else f"{source.repo} at {source.commit}, {source.licence}",
    }


def _facts(graph: Graph, file: Path) -> dict[str, Any]:
    return {
        "file": f"{graph.name}.onnx",
        "sha256": files.sha256(file)[0],
        "inputs": {name: _described(values) for name, values in graph.inputs.items()},
        "outputs": {name: _described(values) for name, values in graph.outputs.items()},
        "usage": dict(graph.usage),
    }


def _described(values: Values) -> dict[str, Any]:
    return {"shape": list(values.shape), "type": "float32", "meaning": values.meaning}


def _readme(metadata: dict[str, Any], example: Path | None) -> str:
    parts: list[str] = [
        f"# {metadata['model']}",
        f"ONNX files, written by {metadata['written_by']}. {metadata.get('summary', '')}".strip(),
        f"Licence: {metadata['licence']}"
        + (f"; weights: {metadata['weights_licence']}" if metadata.get("weights_licence") else "")
        + f". Object: where the probability is above {metadata['threshold']:g}. All of this, for programs, is in "
        f"`{METADATA}`.",
    ]
    for network in metadata["networks"]:
        parts.append(f"## {network['file']}")
        parts.append(_table(network))
    if example is not None:
        parts += ["## Example", "With `pip install numpy pillow onnxruntime`, in this directory:"]
        parts.append(f"```python\n{example.read_text(encoding='utf-8')}```")
    return "\n\n".join(parts) + "\n"


def _table(network: dict[str, Any]) -> str:
    rows: list[Sequence[str]] = [("", "name", "shape, float32", "meaning"), ("---",) * 4]
    for kind in ("input", "output"):
        for name, values in network[f"{kind}s"].items():
            rows.append((kind, f"`{name}`", " x ".join(map(str, values["shape"])), values["meaning"]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
