"""The options `runtime`, `precision` and `cuda_graphs`: how a model's networks compute.

A loader takes them in two lines, for any network that is called with tensors and returns tensors:

    compute = Compute(device, runtime, precision, cuda_graphs)  # before anything is fetched
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
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        check_runtime(self.runtime, self.device)
        if self.precision not in PRECISIONS:
            raise BadOption(f"option precision={self.precision} is unknown; precisions: {', '.join(PRECISIONS)}")
        if self.precision == "tf32" and not self.device.startswith("cuda"):
            raise BadOption(f"option precision=tf32 exists on CUDA only, not on {self.device}; use float32")
        if self.cuda_graphs and not self.device.startswith("cuda"):
            raise BadOption(f"option cuda_graphs=true needs a CUDA device, not {self.device}; leave it out")
        if self.runtime != TORCH and self.precision != FLOAT32:
            raise BadOption(f"option runtime={self.runtime} leaves no choice of precision; leave one of them out")

    def network(self, network: nn.Module, graph: Graph | None = None) -> Callable[..., Any]:
        """A network that is called like `network`, which is on the device already, and returns float32. It may change
        the type of its weights. `graph` is needed by families with the option `runtime`. Raises as `run_on`.
        """
        if self.runtime != TORCH:
            assert graph is not None, "a family with the option runtime says how its networks are exported"
            return run_on(self.runtime, network, graph)
        from iiszoo.models.cuda_graphs import Graphed
        from iiszoo.models.precision import in_precision

        ready = in_precision(self.precision, network, self.device, graph)
        return Graphed(ready) if self.cuda_graphs else ready
