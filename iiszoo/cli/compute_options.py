"""The options that choose how a model's networks compute (`iiszoo.models.compute`)."""

from __future__ import annotations

import click

from iiszoo.builtin.models import PRECISIONS
from iiszoo.models.runtime import RUNTIMES

runtime_option = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="What computes the network: torch, or onnx for onnxruntime, faster on a CPU.  [without it: the model's "
    "option runtime, mostly torch]",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="How exactly the network computes: coarser is faster on a GPU.  [without it: the model's option precision, "
    "mostly float32]",
)
cuda_graphs_option = click.option(
    "--cuda-graphs",
    is_flag=True,
    default=None,
    help="Launch all kernels of a call at once: faster on a GPU with few sessions per call.",
)
