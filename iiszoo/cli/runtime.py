"""The option that chooses what computes a model's network (`iiszoo.models.runtime`)."""

from __future__ import annotations

import click

from iiszoo.models.runtime import RUNTIMES

runtime_option = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="What computes the network: torch, or onnx for onnxruntime, faster on a CPU.  [without it: the model's "
    "option runtime, mostly torch]",
)
