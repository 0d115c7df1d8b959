"""The names of the directories of a run and of a model."""

from __future__ import annotations

import hashlib

_LONGEST_NAME = 100
"""Bytes of a model's or dataset's name in a directory's name: two of them and a hash fit every file system."""


def slug(model: str, dataset: str) -> str:
    """The directory name of a run inside the output directory, unique to the run even if case is ignored.

    `family-variant--dataset` if that identifies the names; a hash of the names follows if they had to be changed or
    cut, or contain ambiguous hyphens.
    """
    name = f"{plain_name(model)}--{plain_name(dataset)}"
    exact = _names(model) and plain_name(dataset) == dataset and "--" not in dataset
    return name if exact and name == name.lower() else f"{name}-{_digest(model, dataset)}"


def model_slug(model: str) -> str:
    """The name of a model's directory, by the same rule: `family-variant`, or that and a hash."""
    name = plain_name(model)
    return name if _names(model) and name == name.lower() else f"{name}-{_digest(model)}"


def _names(model: str) -> bool:
    """Whether its plain name tells which model it is."""
    name = plain_name(model)
    return name == model.replace("/", "-", 1) and "-" not in model.partition("/")[0] and "--" not in name


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def plain_name(text: str) -> str:
    """A valid directory name for any text: the text itself if it is one."""
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in text)
    return plain.encode()[:_LONGEST_NAME].decode("utf-8", "ignore").strip("-.") or "_"
