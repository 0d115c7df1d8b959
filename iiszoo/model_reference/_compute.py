"""How a model computes, chosen by flags of the command line, or by iiszoo itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iiszoo.builtin.models import COMPUTE_OPTIONS
from iiszoo.errors import BadOption
from iiszoo.loader_options import options_of
from iiszoo.model_reference._card import CardReference
from iiszoo.model_reference._reference import ModelReference, ModelSpec
from iiszoo.model_reference._trained import TrainedReference
from iiszoo.models.runtime import ONNX, RUNTIME, is_there
from iiszoo.names import parse_name
from iiszoo.object_path import load_object


def with_flags(model: ModelSpec, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The options that flags of the command line set, None where a flag was not given.

    Raises `BadOption` if the model's name sets another value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    named = parse_name(model).options if isinstance(model, str) and given else {}
    for name, value in given.items():
        if named.get(name, value) != value:
            flag = f"--{name.replace('_', '-')}"
            raise BadOption(f"{model} sets another {name} than {flag} {value}; give only one")
    return given


def takes_runtime(reference: ModelReference) -> bool:
    """Whether the model has the option `runtime`. Raises `BadOption` if its loader cannot be imported."""
    if isinstance(reference, CardReference):
        return RUNTIME in options_of(load_object(reference.card.loader))
    return isinstance(reference, TrainedReference)


def on_fastest_runtime(reference: ModelReference, device: str) -> ModelReference:
    """The model on onnxruntime, if that is installed, the device is the CPU, and neither a name nor a flag has chosen
    how it computes.

    Raises as `takes_runtime`.
    """
    if not isinstance(reference, CardReference | TrainedReference):
        return reference
    if reference.options.keys() & {option.name for option in COMPUTE_OPTIONS}:
        return reference
    if device != "cpu" or not is_there() or not takes_runtime(reference):
        return reference
    return replace(reference, options={**reference.options, RUNTIME: ONNX})
