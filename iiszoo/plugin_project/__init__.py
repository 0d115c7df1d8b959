"""`iiszoo new`: writes a complete, working project of a plugin: an example to start from, or a trained network."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import jinja2

import iiszoo
from iiszoo import files, hookspecs, plugins
from iiszoo.errors import BadOption
from iiszoo.trained_file import facts_of, named_file

_TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_PLACES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
    "package.py": "{package}/__init__.py",
    "cards.py": "{package}/cards.py",
    "model.py": "{package}/model.py",
    "test_model.py": "tests/test_model.py",
}
"""The path of each file of the template."""
_TRAINED = {
    "pyproject.toml": "pyproject.toml",
    "trained_README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
    "package.py": "{package}/__init__.py",
    "trained_cards.py": "{package}/cards.py",
    "trained_test_model.py": "tests/test_model.py",
}
"""The same, for the plugin of a trained network."""


def write(name: str, place: Path, trained: str = "") -> list[Path]:
    """Write the project of a plugin whose family is `name` to the directory `place`; returns its files.

    `trained`: the directory of a training run, or its safetensors file, whose network becomes the plugin's model.

    Raises `WeightsError` if there is no such network, and `BadOption` if the name cannot be used or is taken, or if
    `place` is not empty: nothing is ever overwritten.
    """
    _check_name(name)
    package = f"iiszoo_{name.replace('-', '_')}"
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE), keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    values: dict[str, Any] = {
        "name": name,
        "package": package,
        "distribution": f"iiszoo-{name}",
        "api_version": hookspecs.API_VERSION,
        "iiszoo_version": iiszoo.__version__,
        "extra": "",
    }
    weights = _weights_of(trained) if trained else None
    if weights is not None:
        values |= _facts(weights)
    templates.filters["tojson"] = _literal
    texts = {
        place / to.format(package=package): templates.get_template(f"{source}.jinja").render(values)
        for source, to in (_PLACES if weights is None else _TRAINED).items()
    }
    try:
        if place.exists() and any(place.iterdir()):
            raise BadOption(f"{place} is not empty, and nothing is overwritten; give another --dir")
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        if weights is not None:
            shutil.copyfile(weights, place / package / f"{name}.safetensors")
            return [*texts, place / package / f"{name}.safetensors"]
    except OSError as error:
        raise BadOption(f"{place} cannot be written: {error.strerror or error}; give another --dir") from error
    return list(texts)


def _weights_of(trained: str) -> Path:
    file = named_file(trained)
    if file is None:
        raise BadOption(f"{trained} is neither the directory of a training run nor a .safetensors file of one")
    return file


def _facts(weights: Path) -> dict[str, Any]:
    """The values of the templates for a trained network."""
    facts = facts_of(weights)
    network, training = facts.get("network", {}), facts.get("training", {})
    architecture, encoder = str(network.get("architecture", "")), str(network.get("encoder", ""))
    sha256, size = files.sha256(weights)
    datasets = [str(dataset) for dataset in training.get("datasets", [])]
    validation = training.get("validation")
    notes = [f"Trained for {training.get('step')} steps of {training.get('batch_size')} on {', '.join(datasets)}. "]
    if validation:
        notes.append(
            f"NoC@85/90 on its validation set: {validation['noc85']:.2f}/{validation['noc90']:.2f}, "
            f"IoU after 1/5 clicks: {validation['iou1']:.3f}/{validation['iou5']:.3f}."
        )
    else:
        notes.append("It was not validated in training.")
    lines = textwrap.wrap("".join(notes), 96, drop_whitespace=False, break_long_words=False)
    return {
        "variant": re.sub(r"[^a-z0-9.+-]+", "-", architecture.lower().rpartition("/")[2]).strip("-.+") or "trained",
        "summary": f"{architecture}{f' on {encoder}' if encoder else ''}, trained by iiszoo train",
        "extra": "[mmseg]" if network.get("library") == "mmseg" else "",
        "sha256": sha256,
        "size": size,
        "prompts": '("clicks", "mask")' if network.get("previous_mask", True) else '("clicks",)',
        "threshold": facts.get("sighting", {}).get("threshold", 0.5),
        "training_datasets": _tuple(sorted({dataset for dataset in datasets if ":" not in dataset})),
        "notes": lines,
        "notes_literal": f"({''.join(f'{chr(10)}            {_literal(line)}' for line in lines)}\n        )",
        "trained": validation is not None,
    }


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _tuple(names: list[str]) -> str:
    return f"({', '.join(map(_literal, names))}{',' if len(names) == 1 else ''})"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadOption(
            f"{name!r} cannot name a plugin: it becomes a model's family and part of a module's name, so use words "
            "of lower-case letters and digits, joined by '-', such as my-model"
        )
    for plugin in plugins.installed():
        if name == plugin.name or ("model", name) in plugin.claims():
            raise BadOption(f"the name {name!r} is taken by the plugin {plugin.label}; choose another")
