"""The name of a run's directory."""

from __future__ import annotations

import hashlib

_LONGEST_NAME = 100
"""Bytes of a model's or dataset's name in a directory's name: two of them and a hash fit every file system."""


def slug(model: str, dataset: str) -> str:
    """The directory name of a run inside the output directory, unique to the run even if case is ignored.

    `family-variant--dataset` if that identifies the names; a hash of the names follows if they had to be changed or
    cut, or contain ambiguous hyphens.
    """
    plain = plain_name(model), plain_name(dataset)
    name = "--".join(plain)
    exact = plain == (model.replace("/", "-", 1), dataset) and "-" not in model.partition("/")[0]
    if exact and not any("--" in part for part in plain) and name == name.lower():
        return name
    digest = hashlib.sha256(f"{model}\0{dataset}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}-{digest[:8]}"


def plain_name(text: str) -> str:
    """A valid directory name for any text: the text itself if it is one."""
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in text)
    return plain.encode()[:_LONGEST_NAME].decode("utf-8", "ignore").strip("-.") or "_"
