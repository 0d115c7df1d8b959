"""A trace: what one session leaves behind. Every metric is a function of traces."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.json_values import flag, list_of, optional, real, text, tuple_of, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class Trace:
    """One sample's session.

    `iou[k]` is the IoU after interaction k; `clicks[k]` its clicks, `[row, col, positive]`; `initial_iou` the IoU
    before the first; `boundary_iou` and `initial_boundary_iou` the same for Boundary IoU ([] and None in a trace that
    was written before it was measured). `model_seconds[k]` is the model call's time divided by the sessions that share
    it, `robot_seconds[k]` the time of choosing clicks and scoring; `init_seconds` the image's encoding and
    `load_seconds` its reading, divided by the samples of the image that share them. `final_mask` is the last
    prediction, packed (`pack_mask`). `error` is set if the model failed: the sample then counts as a failure in every
    metric. `traceback` is that of what the model's code raised, if it raised (`iiszoo.tracebacks`). `proposal` is what
    is known, in a campaign, of the proposal that the session started from (`iiszoo.engine.campaign.proposals`).
    `unrecorded` is how many of the clicks a robot that replays recorded ones had to make up (`recorded`).
    """

    sample: str
    index: int
    size: list[int]
    initial_iou: float = 0.0
    iou: list[float] = field(default_factory=list)
    clicks: list[list[list[int]]] = field(default_factory=list)
    model_seconds: list[float] = field(default_factory=list)
    robot_seconds: list[float] = field(default_factory=list)
    init_seconds: float = 0.0
    load_seconds: float = 0.0
    final_mask: str = ""
    error: str | None = None
    initial_boundary_iou: float | None = None
    boundary_iou: list[float] = field(default_factory=list)
    traceback: str | None = None
    proposal: dict[str, Any] | None = None
    unrecorded: int | None = None

    def to_line(self) -> str:
        """One line of JSON, without the newline; `proposal` and `unrecorded` only where they are known."""
        known = {
            name: value for name, value in vars(self).items() if value is not None or name not in _LEFT_OUT_IF_UNKNOWN
        }
        return json.dumps(known, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Trace:
        """Raises `ValueError` if the line is not a trace, naming what is missing, unknown or out of range."""
        return cls.from_values(json_values.parse(line.encode("utf-8", "surrogatepass")))

    @classmethod
    def from_values(cls, values: Any) -> Trace:
        """From a line parsed by `json_values.parse`; `run`, the hash of the run it belongs to, is left out."""
        found = _CHECKED(values, "")
        found.pop("run", None)
        unknown = sorted(set(found) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"{json_values.shortened(unknown[0])} is not a field of a trace")
        return cls(**found)

    def results(self) -> dict[str, Any]:
        """The trace without times and traceback: what must not depend on machine, batch, workers or interruptions."""
        return {key: value for key, value in _timeless(asdict(self)).items() if key != "traceback"}


_LEFT_OUT_IF_UNKNOWN = ("proposal", "unrecorded")


def _timeless(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _timeless(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if not key.endswith("_seconds")
    }


_LARGEST = 2**31 - 1
_IOU, _PIXEL, _SECONDS = real(0, 1), whole(0, _LARGEST), real(0, 1e12)
_CHECKED = json_values.record(
    {"sample": text, "index": whole(0, _LARGEST), "size": tuple_of(whole(1, _LARGEST), whole(1, _LARGEST))},
    {
        "initial_iou": _IOU,
        "iou": list_of(_IOU),
        "clicks": list_of(list_of(tuple_of(_PIXEL, _PIXEL, whole(0, 1)))),
        "model_seconds": list_of(_SECONDS),
        "robot_seconds": list_of(_SECONDS),
        "init_seconds": _SECONDS,
        "load_seconds": _SECONDS,
        "final_mask": text,
        "error": optional(text),
        "initial_boundary_iou": optional(_IOU),
        "boundary_iou": list_of(_IOU),
        "traceback": optional(text),
        "unrecorded": optional(whole(0, _LARGEST)),
        "proposal": optional(
            json_values.record(
                {"empty": flag, "confidence": optional(real(0, 1)), "mask": text},
                {
                    "checkpoint": text,
                    "n_images": whole(1, _LARGEST),
                    "predict_seconds": _SECONDS,
                    "training_seconds": _SECONDS,
                    "test_iou": optional(_IOU),
                },
            )
        ),
    },
)


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """A bool mask `(H, W)` as base64 of zlib of its row-major bits."""
    import numpy as np

    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 6)).decode()


def unpack_mask(packed: str, size: list[int]) -> NDArray[np.bool_]:
    """The inverse of `pack_mask`; `size` is `[H, W]`. Raises `ValueError` if it is not a mask of that size."""
    import numpy as np

    n_pixels = size[0] * size[1]
    n_bytes = -(-n_pixels // 8)
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(packed), n_bytes + 1)  # it may unpack to anything
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) != n_bytes:
        raise ValueError(f"it does not contain {n_pixels} pixels")
    return np.unpackbits(np.frombuffer(content, np.uint8), count=n_pixels).reshape(size).astype(bool)
