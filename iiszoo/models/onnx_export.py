"""A network as an ONNX file: exported once into the cache, and compared with the network before it is kept.

torch's exporter by tracing is used (`dynamo=False`): it takes seconds and needs `onnx` alone. The newer one took more
than eight minutes for `smp/unet-lite0` (torch 2.14). What tracing can get wrong, a size or a branch that becomes a
constant, the comparison at other sizes finds.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo import __version__, files
from iiszoo.assets import cache_root
from iiszoo.errors import ModelError, one_line
from iiszoo.models.exactness import TOLERANCE, apart
from iiszoo.models.onnx_network import OnnxNetwork
from iiszoo.models.runtime import RUNTIME, TORCH, Graph, example_inputs

OPSET = 17
_LARGEST = 2_000_000_000
"""Bytes of weights; an ONNX file is one protobuf message of at most 2 GiB."""


_DAY = 86_400
_KEPT = 7 * _DAY
"""Seconds since the last use after which a file of other code is deleted. Not at once: another environment may share
the cache, or a running process open its file again.
"""


def exported(network: nn.Module, graph: Graph) -> Path:
    """The network's file in the cache, `onnx/WEIGHTS-CODE.onnx`, exported first if it is not there.

    WEIGHTS and CODE are as in `fingerprint`. Files of the same WEIGHTS and other CODE that nobody has used for a week
    are deleted. A file's modification time is that of its last use, to the day. Raises `ModelError` as `export` does,
    and `OSError`.
    """
    key = fingerprint(network, graph)
    place = cache_root() / "onnx" / f"{key}.onnx"
    if _unused_for(place) < _DAY:
        return place
    try:
        with files.locked(place.with_name(f"{key.partition('-')[0]}.lock")):  # what is used and what is deleted
            if place.is_file():  # another process may have written it meanwhile
                os.utime(place)
            else:
                files.replace_bytes(place, export(network, graph))
            _delete_outdated(place)
    except OSError:
        if not place.is_file():  # in a cache that cannot be written, a file that is there is good
            raise
    return place


def _delete_outdated(place: Path) -> None:
    """Delete files of the same weights that other code has exported, if they have not been used for long."""
    for other in place.parent.glob(f"{place.name.partition('-')[0]}-*.onnx"):
        if other != place and _unused_for(other) > _KEPT:
            other.unlink(missing_ok=True)


def _unused_for(place: Path) -> float:
    """Seconds since a file was used; infinite if there is none."""
    try:
        return time.time() - place.stat().st_mtime
    except OSError:
        return math.inf


def export(network: nn.Module, graph: Graph) -> bytes:
    """The content of the ONNX file of a network, which is put into evaluation mode.

    Raises `ModelError` if the network is too large, cannot be traced, or answers differently on onnxruntime.
    """
    from iiszoo.models.onnx_forms import in_fast_forms  # imports onnx, which running a file does not need

    instead = f"use {RUNTIME}={TORCH}"
    size = sum(value.numel() * value.element_size() for value in network.parameters())
    if size > _LARGEST:
        raise ModelError(
            f"{type(network).__name__} has {size / 1e9:.1f} GB of weights, more than fit into one ONNX file; {instead}"
        )
    network.eval()  # all its parts: the exporter puts them back into the mode of the outermost one
    named = {
        name: {axis: size for axis, size in enumerate(values.shape) if isinstance(size, str)}
        for name, values in {**graph.inputs, **graph.outputs}.items()
    }
    inputs = example_inputs(graph, graph.traced)
    arrays = {name: value.numpy() for name, value in zip(graph.inputs, inputs, strict=True)}
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
            file = Path(folder) / "network.onnx"
            warnings.simplefilter("ignore")  # the exporter's age, and every size that tracing fixes
            torch.onnx.export(
                network,
                inputs,
                file,
                input_names=[*graph.inputs],
                output_names=[*graph.outputs],
                dynamic_axes=named,
                opset_version=OPSET,
                dynamo=False,
            )
            content = in_fast_forms(file, arrays if graph.sized_but_for_batch else None)
    except Exception as error:  # whatever tracing meets in the network
        raise ModelError(
            f"{type(network).__name__} cannot be exported to ONNX: {one_line(error)}; {instead}"
        ) from error
    _compare(network, graph, content, instead)
    return content


def _compare(network: nn.Module, graph: Graph, content: bytes, instead: str) -> None:
    """Raise `ModelError` unless both answer alike, at sizes that were not traced."""
    sizes = {axis: size + (32 if size >= 32 else 1) for axis, size in graph.traced.items()}
    inputs = example_inputs(graph, sizes)
    with torch.no_grad():
        wanted = network(*inputs)
    wanted = (wanted,) if isinstance(wanted, Tensor) else wanted
    for one_by_one in {False, graph.sized_but_for_batch}:
        try:
            found = OnnxNetwork(content, tuple(graph.inputs), one_by_one)(*inputs)
        except Exception as error:  # onnxruntime has classes of its own
            raise ModelError(
                f"{type(network).__name__} does not run on onnxruntime at the sizes {sizes}: {one_line(error)}; "
                f"{instead}"
            ) from error
        found = (found,) if isinstance(found, Tensor) else found
        for name, one, other in zip(graph.outputs, wanted, found, strict=True):
            fault = _difference(one, other)
            if fault:
                raise ModelError(
                    f"{type(network).__name__} on onnxruntime: {name} {fault} at the sizes {sizes}; {instead}"
                )


def _difference(wanted: Tensor, found: Tensor) -> str:
    """How an answer differs, in words; empty if it does not."""
    if wanted.shape != found.shape:
        return f"has the shape {tuple(found.shape)}, not {tuple(wanted.shape)},"
    off = apart(wanted, found)
    return "" if off <= TOLERANCE else f"is off by {off:.2g}"


def fingerprint(network: nn.Module, graph: Graph) -> str:
    """WEIGHTS-CODE, hexadecimal: all that determines the exported file, as far as the network itself tells.

    WEIGHTS covers weights, buffers and settings of every module of the network, and the graph; CODE the files that
    define the modules' classes, those beside this one, and the versions of iiszoo and torch.
    """
    digest = hashlib.sha256(repr(_form(graph)).encode())
    code = hashlib.sha256(repr((__version__, torch.__version__, OPSET)).encode())
    sources = {str(file) for file in Path(__file__).parent.glob("*.py")}
    for name, part in network.named_modules():
        kind = type(part)
        settings = sorted((key, value) for key, value in vars(part).items() if key != "training" and _plain(value))
        digest.update(repr((name, kind.__module__, kind.__qualname__, settings)).encode())
        if kind.__module__.partition(".")[0] != "torch":
            sources.add(inspect.getsourcefile(kind) or "")
    for source in sorted(filter(None, sources)):
        code.update(Path(source).read_bytes())
    for name, value in _values(network):
        digest.update(repr((name, value.dtype, tuple(value.shape))).encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return f"{digest.hexdigest()[:40]}-{code.hexdigest()[:20]}"


def _form(graph: Graph) -> tuple[Any, ...]:
    """What the file itself depends on; words may change."""
    shapes = [(name, values.shape) for part in (graph.inputs, graph.outputs) for name, values in part.items()]
    return graph.name, shapes, sorted(graph.traced.items())


def _values(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()  # also those that are not in the state dict


def _plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str)
