"""A trained network named by its path: a safetensors file, or the directory of a run of `iiszoo train`.

Standard library only: this module is imported wherever a model is named.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from iiszoo.errors import WeightsError
from iiszoo.file_names import unescaped

ENTRY = "iiszoo"
"""Key in a safetensors file's metadata: JSON that describes the network and its training."""
_MOST_HEADER = 100_000_000


def named_file(model: str) -> Path | None:
    """The weights file that a model's name means; None if it does not name one, as an id does not.

    A name that ends in `.safetensors` means that file, whether or not it exists. The directory of a training run means
    its best network, or its last one if nothing was validated. Options (`?flip=true`) may follow.
    """
    path = Path(unescaped(model.partition("?")[0])).expanduser()
    if path.suffix == ".safetensors":
        return path
    if not (path / "config.json").is_file():
        return None
    networks = [path / f"{name}.safetensors" for name in ("best", "last")]
    return next((file for file in networks if file.is_file()), networks[1])


def facts_of(path: Path) -> dict[str, Any]:
    """The description in a file that `iiszoo train` wrote; no weights are read. Raises `WeightsError`."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MOST_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        metadata = header.get("__metadata__", {})
    except FileNotFoundError as error:
        run = path.parent
        hint = f"; the training run {run} has not saved a network yet" if (run / "config.json").is_file() else ""
        raise WeightsError(f"there is no file {path}{hint}") from error
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}") from error
    if ENTRY not in metadata:
        raise WeightsError(f"{path} does not describe its network: it was not written by `iiszoo train`")
    try:
        facts: dict[str, Any] = json.loads(metadata[ENTRY])
    except ValueError as error:
        raise WeightsError(f"{path} does not describe its network: {error}") from error
    return facts
