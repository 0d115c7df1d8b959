"""The two networks apart, each computing as the model's options choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from iiszoo.models.click_model import EXAMPLE, disk_usage
from iiszoo.models.compute import Compute
from iiszoo.models.runtime import Graph, Values
from iiszoo.models.zoom import Zoom
from iiszoo_focalclick.networks import REFINER_DISK_RADIUS, FocalClick


@dataclass(frozen=True)
class Parts:
    """See `FocalClick`."""

    disk_radius: int
    coarse: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    refine: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class Coarse(nn.Module):
    """`FocalClick.coarse` alone."""

    def __init__(self, network: FocalClick) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.coarse(image, maps)


def parts_of(network: FocalClick, side: int, compute: Compute) -> Parts:
    """Both parts of `network`, for crops of `side` x `side`. Raises as `Compute.network`."""
    coarse, refine = graphs(network, side)
    return Parts(
        network.disk_radius,
        compute.network(Coarse(network).train(network.training), coarse),
        compute.network(network.refiner, refine),
    )


def graphs(network: FocalClick, side: int) -> tuple[Graph, Graph]:
    """How `FocalClick.coarse` and `FocalClick.refine` are exported."""
    square, small = (side, side), (side // (8 if network.halve else 4),) * 2
    channels = network.refiner.refine_fusion.conv.in_channels
    logits = Values(("batch", 1, *square), "of the object in the target crop; their sigmoid is its probability")
    features = Values(("batch", channels, *small), "of the target crop, for the refiner")
    maps = "previous probabilities, disks of the positive, of the negative clicks"
    coarse = Graph(
        "coarse",
        {
            "image": Values(("batch", 3, *square), "the target crop, resized: RGB in [0, 1]"),
            "maps": Values(("batch", 3, *square), maps),
        },
        {"logits": logits, "features": features},
        {"batch": 2},
        disk_usage(network.disk_radius, Zoom(square), flip=False),
        EXAMPLE,
    )
    refine = Graph(
        "refiner",
        {
            "crop": Values(("batch", 3, *square), "the focus crop, resized: RGB in [0, 1]"),
            "disks": Values(("batch", 2, *square), "disks of the positive, of the negative clicks in the focus crop"),
            "features": features,
            "logits": logits,
            "boxes": Values(
                ("batch", 4), "the focus crop as x1, y1, x2, y2 in pixels of the target crop, unrounded", exact=True
            ),
        },
        {"refined": Values(("batch", 1, *square), "logits of the object in the focus crop")},
        {"batch": 2},
        {"encoding": "disk", "radius": REFINER_DISK_RADIUS},
    )
    return coarse, refine
