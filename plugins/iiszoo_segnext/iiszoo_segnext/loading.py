"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.models.compute import Compute

if TYPE_CHECKING:
    from iiszoo_segnext.model import SegNext
    from iiszoo_segnext.network import NetworkConfig, SegNextNetwork


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> SegNext:
    """The model of a card, with the official weights or those of `checkpoint`.

    `runtime`, `precision`, `cuda_graphs`: see `iiszoo.models.compute`. Raises `WeightsError`, and `BadOption` for an
    invalid option.
    """
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo.models.checkpoints import load_network
    from iiszoo_segnext.network import CONFIGS, NETWORKS, UNUSED

    network = load_network(card.id, checkpoint or assets.fetch(card), NETWORKS, UNUSED)
    return model_of(network, CONFIGS[card.id], compute)


def model_of(network: SegNextNetwork, config: NetworkConfig, compute: Compute) -> SegNext:
    """The model with a network of these sizes, its weights loaded."""
    from iiszoo_segnext.graphs import decoder_graph, encoder_graph
    from iiszoo_segnext.model import SegNext
    from iiszoo_segnext.network import Decoder

    network = network.to(compute.device).eval().requires_grad_(False)
    encoder = compute.network(network.backbone, encoder_graph(config))
    return SegNext(encoder, compute.network(Decoder(network).eval(), decoder_graph(config)))
