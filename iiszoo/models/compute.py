"""The options `runtime`, `precision` and `compile`: how a model's networks compute.

A loader takes them in two lines, for any network that is called with tensors and returns tensors:

    compute = Compute(device, runtime, precision, compile)  # before anything is fetched
    network = compute.network(network, image_and_maps(3, "previous probabilities, positive and negative disks"))

`COMPUTE_OPTIONS` are their lines on the card; its `precisions` are those of `PRECISIONS` that the family stands, and no
other is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iiszoo.builtin.models import COMPUTE_OPTIONS as COMPUTE_OPTIONS
from iiszoo.builtin.models import PRECISION_OPTION as PRECISION_OPTION
from iiszoo.builtin.models import PRECISIONS as PRECISIONS
from iiszoo.errors import BadOption
from iiszoo.models.runtime import TORCH, Graph, check_runtime, run_on

if TYPE_CHECKING:
    from torch import nn

FLOAT32 = PRECISIONS[0]


@dataclass(frozen=True)
class Compute:
    """What the options choose, for networks on `device`. Raises `BadOption` for what does not exist there."""

    device: str
    runtime: str = TORCH
    precision: str = FLOAT32
    compile: bool = False

    def __post_init__(self) -> None:
        check_runtime(self.runtime, self.device)
        if self.precision not in PRECISIONS:
            raise BadOption(f"option precision={self.precision} is unknown; precisions: {', '.join(PRECISIONS)}")
        if self.precision == "tf32" and not self.device.startswith("cuda"):
            raise BadOption(f"option precision=tf32 exists on CUDA only, not on {self.device}; use float32")
        if self.runtime != TORCH and (self.precision != FLOAT32 or self.compile):
            raise BadOption(f"option runtime={self.runtime} leaves no choice of precision and compile; leave these out")

    def network(self, network: nn.Module, graph: Graph | None = None) -> Callable[..., Any]:
        """A network that is called like `network`, which is on the device already, and returns float32. `graph` is
        needed by families with the options `runtime` and `compile`.

        Raises `BadOption` if it should be compiled but takes images of any size: each size takes minutes. Raises
        `ModelError` as `run_on`.
        """
        if self.runtime != TORCH and graph is not None:
            return run_on(self.runtime, network, graph)
        if self.compile and graph is not None and {"height", "width"} & set(graph.traced):
            raise BadOption("option compile=true needs crops of one size: give size=HEIGHTxWIDTH too, or leave it out")
        from iiszoo.models.compiled import Compiled
        from iiszoo.models.precision import in_precision

        ready = in_precision(self.precision, network, self.device)
        return Compiled(ready) if self.compile else ready
