"""A trace: what one session left behind. Every metric is a function of traces."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class Trace:
    """One sample's session.

    `iou[k]` is the IoU after interaction k; `clicks[k]` its clicks, `[row, col, positive]`; `initial_iou` that of the
    mask before the first; `boundary_iou` and `initial_boundary_iou` the same of Boundary IoU ([] and None in a trace
    that was written before it was measured). `model_seconds[k]` is the model call's time divided by the sessions that
    shared it, `robot_seconds[k]` the time of choosing and scoring; `init_seconds` the image's encoding and
    `load_seconds` its reading, divided by the samples of the image that shared them. `final_mask` is the last
    prediction, packed (`pack_mask`). `error` is set where the model failed: such a sample counts as a failure in every
    metric.
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

    def to_line(self) -> str:
        """One line of JSON, without the newline."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Trace:
        """Raises `ValueError` or `TypeError` where the line is not a trace."""
        return cls(**json.loads(line))

    def results(self) -> dict[str, Any]:
        """The trace without its times: what must not depend on machine, batch, workers or interruptions."""
        return {key: value for key, value in asdict(self).items() if not key.endswith("_seconds")}


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """A bool mask `(H, W)` as base64 of zlib of its row-major bits."""
    import numpy as np

    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 6)).decode()


def unpack_mask(packed: str, size: list[int]) -> NDArray[np.bool_]:
    """The inverse of `pack_mask`; `size` is `[H, W]`."""
    import numpy as np

    bits = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
    return np.unpackbits(bits, count=size[0] * size[1]).reshape(size).astype(bool)
