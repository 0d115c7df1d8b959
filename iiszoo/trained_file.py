"""A trained network named by where it lies: a safetensors file, or the directory of a run of `iiszoo train`.

Standard library only: whether a name means a file is asked wherever models are named.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from iiszoo.errors import WeightsError
from iiszoo.file_names import unescaped

ENTRY = "iiszoo"
"""Of a safetensors file's metadata: JSON that says what network it holds and how it was trained."""
_MOST_HEADER = 100_000_000


def named_file(model: str) -> Path | None:
    """The weights file that a model's name means; None where it names none, such as an id.

    A name that ends in `.safetensors` means that file, whether it exists or not. The directory of a training run
    means its best network, or its last one where nothing was validated. Options (`?flip=true`) may follow.
    """
    place = Path(unescaped(model.partition("?")[0])).expanduser()
    if place.suffix == ".safetensors":
        return place
    if not (place / "config.json").is_file():
        return None
    networks = [place / f"{name}.safetensors" for name in ("best", "last")]
    return next((file for file in networks if file.is_file()), networks[1])


def facts_of(path: Path) -> dict[str, Any]:
    """What a file that `iiszoo train` wrote says of its network; no weights are read. Raises `WeightsError`."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MOST_HEADER:
                raise ValueError("its header would be too long")
            header = json.loads(file.read(length))
        metadata = header.get("__metadata__", {})
    except FileNotFoundError as error:
        run = path.parent
        hint = f"; the training run {run} has not saved a network yet" if (run / "config.json").is_file() else ""
        raise WeightsError(f"there is no file {path}{hint}") from error
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}") from error
    if ENTRY not in metadata:
        raise WeightsError(f"{path} does not say what network it holds: it was not written by `iiszoo train`")
    try:
        facts: dict[str, Any] = json.loads(metadata[ENTRY])
    except ValueError as error:
        raise WeightsError(f"{path} does not say what network it holds: {error}") from error
    return facts
