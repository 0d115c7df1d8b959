"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.models.click_options import check_click_limit, crop_target, preset_size
from iiszoo.models.compute import Compute
from iiszoo.models.windows import windows_of
from iiszoo_simpleclick.configs import config_of

if TYPE_CHECKING:
    from iiszoo.models.click_model import ClickModel

SIZES = {"default": 448, "davis": 672}
"""The side of a crop in pixels, by preset: as published for DAVIS and for all other datasets."""


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    preset: str = "default",
    size: int | str | None = None,
    flip: bool = True,
    click_limit: int | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> ClickModel:
    """The model of a card, with the official weights or those of `checkpoint`.

    `preset`: one of `SIZES`. `size`: overrides it with the side of the square, or with "HEIGHTxWIDTH", to which every
    crop is resized whatever its aspect, from the first click on. `flip`, `click_limit`: see `ClickModel`; `runtime`,
    `precision`, `cuda_graphs`: see `iiszoo.models.compute`.

    Raises `WeightsError`, and `BadOption` for an invalid option.
    """
    target = crop_target(preset_size(preset, SIZES) if size is None else size)
    target = target if isinstance(target, tuple) else (target, target)
    windows_of(target, config_of(card.id).vit.patch)
    check_click_limit(click_limit)
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo.models.checkpoints import load_network
    from iiszoo.models.click_model import ClickModel, OnDisks, disk_graph
    from iiszoo.models.zoom import Zoom
    from iiszoo_simpleclick.network import NETWORKS, UNUSED

    networks = {model: build for model, build in NETWORKS.items() if model.startswith(f"{card.family}/")}
    network = load_network(card.id, checkpoint or assets.fetch(card), networks, UNUSED).to(device)
    zoom_in = Zoom(target, skip_clicks=-1)
    on_disks = OnDisks(compute.network(network, disk_graph(5, True, zoom_in, flip)), radius=5)
    return ClickModel(on_disks, zoom_in, flip, click_limit=click_limit)
