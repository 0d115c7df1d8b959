"""The option `runtime`: what computes a model's networks, torch or onnxruntime.

Loaders take it together with `precision` and `cuda_graphs` (`iiszoo.models.compute`). With `runtime=onnx` the network
is exported to an ONNX file once (`iiszoo.models.onnx_export`), and `iiszoo export` needs nothing more from a family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.builtin.models import RUNTIME_OPTION
from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from torch import Tensor, nn

RUNTIME = RUNTIME_OPTION.name
TORCH, ONNX = "torch", "onnx"
RUNTIMES = (TORCH, ONNX)
_PACKAGES = ("onnx", "onnxruntime")
BATCH = "batch"
"""The name of the axis along which elements are independent of each other."""


@dataclass(frozen=True)
class Values:
    """An input or output of a network, float32: `shape`, in which a named axis may have any size, and its meaning.

    `exact`: an input that is not rounded to a short precision, such as coordinates.
    """

    shape: tuple[int | str, ...]
    meaning: str
    exact: bool = False

    def sized(self, sizes: Mapping[str, int]) -> list[int]:
        """The shape at these sizes of the named axes."""
        return [sizes[size] if isinstance(size, str) else size for size in self.shape]


@dataclass(frozen=True)
class Graph:
    """A network, or a part of one, as it is exported: inputs in the order of the call, outputs in that of the answer.

    `traced`: the size of each named axis at which the network is traced; its answers are compared at other sizes.
    For those who use the file without iiszoo: `usage`, how clicks enter and so on, as JSON values, and `example`, a
    Python program that `iiszoo export` puts into its README (that of a model's first graph).
    """

    name: str
    inputs: Mapping[str, Values]
    outputs: Mapping[str, Values]
    traced: Mapping[str, int]
    usage: Mapping[str, Any] = field(default_factory=dict)
    example: Path | None = None

    @property
    def sized_but_for_batch(self) -> bool:
        """Whether `BATCH` is the first axis of each input and output, and all others have one size."""
        shapes = [values.shape for values in (*self.inputs.values(), *self.outputs.values())]
        return all(first == BATCH and not any(isinstance(n, str) for n in rest) for first, *rest in shapes)


def example_inputs(graph: Graph, sizes: Mapping[str, int], device: str = "cpu") -> tuple[Tensor, ...]:
    """Inputs for one call of the network: random numbers from 0 to 1, always the same; `sizes` of the named axes."""
    import torch

    random = torch.Generator().manual_seed(0)
    return tuple(torch.rand(values.sized(sizes), generator=random).to(device) for values in graph.inputs.values())


def check_runtime(runtime: str, device: str) -> None:
    """Raise `BadOption` for an unknown runtime, one that is not installed, or a device that it does not have."""
    if runtime not in RUNTIMES:
        raise BadOption(f"option {RUNTIME}={runtime} is unknown; runtimes: {', '.join(RUNTIMES)}")
    if runtime == TORCH:
        return
    if device != "cpu":
        raise BadOption(
            f"option {RUNTIME}={ONNX} runs on the CPU only, not on {device}; use --device cpu, or leave it out"
        )
    lacking = [name for name in _PACKAGES if find_spec(name) is None]
    if lacking:
        raise BadOption(
            f"option {RUNTIME}={ONNX} needs {' and '.join(lacking)}, not installed here: "
            'pip install "iiszoo[onnx]", or leave it out'
        )


def is_there() -> bool:
    """Whether onnxruntime can be used here."""
    return all(find_spec(name) is not None for name in _PACKAGES)


def run_on(runtime: str, network: nn.Module, graph: Graph) -> Callable[..., Any]:
    """The network itself, or with `runtime` "onnx" one that is called like it.

    Raises `ModelError` if the network cannot be exported, or answers differently when it is.
    """
    if runtime == TORCH:
        return network
    from iiszoo.models.onnx_export import exported
    from iiszoo.models.onnx_network import OnnxNetwork

    file = exported(network, graph)
    found = _recording.get()
    if found is not None:
        found.append((graph, file))
    return OnnxNetwork(file, tuple(graph.inputs), graph.sized_but_for_batch)


@contextmanager
def recording() -> Iterator[list[tuple[Graph, Path]]]:
    """The ONNX files that models use which are loaded meanwhile, in the order of loading."""
    found: list[tuple[Graph, Path]] = []
    token = _recording.set(found)
    try:
        yield found
    finally:
        _recording.reset(token)


_recording: ContextVar[list[tuple[Graph, Path]] | None] = ContextVar("recording", default=None)


def image_and_maps(
    n_maps: int,
    maps: str,
    *,
    usage: Mapping[str, Any] | None = None,
    example: Path | None = None,
    size: tuple[int, int] | None = None,
) -> Graph:
    """The graph of a network `network(image, maps) -> logits`, all of the image's size; `size`: the only one it takes.

    `maps`: what the channels of the maps are, in words; `usage`, `example`: see `Graph`.
    """
    rows, columns = size or ("height", "width")
    return Graph(
        "network",
        {
            "image": Values(("batch", 3, rows, columns), "RGB in [0, 1]"),
            "maps": Values(("batch", n_maps, rows, columns), maps),
        },
        {"logits": Values(("batch", 1, rows, columns), "of the object; their sigmoid is its probability")},
        {"batch": 2, "height": 96, "width": 128} if size is None else {"batch": 2},
        usage or {},
        example,
    )
