"""A network whose kernels are replayed as one CUDA graph: at small batches a GPU mostly waits for their launches.

A graph is made for inputs of one shape and replays exactly its kernels. Batches are therefore filled up to 1, 2, 4, ...
pictures, and a shape gets a graph when it comes a second time: crops of all sizes, as RITM's, come and go.

Source: PyTorch's notes on CUDA graphs (`torch.cuda.graph`): some eager calls on a side stream before the capture.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

MOST = 24
"""Graphs that are kept, the latest used; each has memory for its inputs and answers, and all share the rest."""
_WARM_UP = 3
_Shapes = tuple[torch.Size, ...]


@dataclass(frozen=True)
class _Graph:
    """A captured call: what is written into `inputs` is what `replay` computes `answer` of."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    answer: Any


class Graphed:
    """`network`, called like it with tensors on one CUDA device, all with the batch as leading axis."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._graphs: OrderedDict[_Shapes, _Graph] = OrderedDict()
        self._seen: OrderedDict[_Shapes, None] = OrderedDict()
        self._pool: Any = None
        self._lock = Lock()

    def __call__(self, *inputs: Tensor) -> Any:
        """The network's answer; a copy, since all graphs share their memory."""
        n = inputs[0].shape[0]
        full = filled(inputs, 1 << (n - 1).bit_length())
        shapes = tuple(values.shape for values in full)
        with self._lock:
            graph = self._graphs.get(shapes)
            if graph is None and shapes not in self._seen:
                _remember(self._seen, shapes, None)
                return self.network(*inputs)
            graph = graph or self._captured(full)
            _remember(self._graphs, shapes, graph)
            for kept, values in zip(graph.inputs, full, strict=True):
                kept.copy_(values)
            graph.graph.replay()
            return first(graph.answer, n)

    def _captured(self, inputs: tuple[Tensor, ...]) -> _Graph:
        kept = tuple(values.clone() for values in inputs)
        with torch.no_grad():
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP):
                    self.network(*kept)
            torch.cuda.current_stream().wait_stream(side)
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                answer = self.network(*kept)
        return _Graph(graph, kept, answer)


def _remember(table: OrderedDict[_Shapes, Any], shapes: _Shapes, value: Any) -> None:
    """Put an entry last in the table, and drop the one that was used longest ago."""
    table[shapes] = value
    table.move_to_end(shapes)
    if len(table) > MOST:
        table.popitem(last=False)


def filled(inputs: tuple[Tensor, ...], n: int) -> tuple[Tensor, ...]:
    """The batch, with its first picture repeated at the end until it has n."""
    missing = n - inputs[0].shape[0]
    if missing == 0:
        return inputs
    return tuple(torch.cat((values, values[:1].expand(missing, *values.shape[1:]))) for values in inputs)


def first(answer: Any, n: int) -> Any:
    """Copies of the answers to the first n pictures; an answer is a tensor or several."""
    if isinstance(answer, Tensor):
        return answer[:n].clone()
    return type(answer)(first(part, n) for part in answer)
