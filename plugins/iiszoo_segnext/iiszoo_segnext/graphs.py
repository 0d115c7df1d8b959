"""SegNext's two networks, as they are exported and compiled."""

from __future__ import annotations

from pathlib import Path

from iiszoo.models.runtime import Graph, Values
from iiszoo_segnext.frame import FRAME, LOW_RES, RADIUS
from iiszoo_segnext.network import NetworkConfig


def encoder_graph(config: NetworkConfig) -> Graph:
    """Of a `SegNextNetwork`'s backbone."""
    return Graph(
        "encoder",
        {
            "frame": Values(
                (1, 3, FRAME, FRAME),
                "the image, RGB in [0, 1], minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225), then resized "
                "to 1024 x 1024 whatever its aspect, bilinear and not antialiased",
            )
        },
        {"features": Values((1, *_features(config)), "serve all clicks on the image")},
        {},
        {"input_size": [FRAME, FRAME]},
        Path(__file__).with_name("onnx_example.py"),
    )


def decoder_graph(config: NetworkConfig) -> Graph:
    """Of a `Decoder`."""
    return Graph(
        "decoder",
        {
            "features": Values(("batch", *_features(config)), "the encoder's output"),
            "maps": Values(
                ("batch", 3, FRAME, FRAME),
                "previous probabilities, resized like the image; disks of the positive, of the negative clicks",
            ),
        },
        {
            "logits": Values(
                ("batch", 1, LOW_RES, LOW_RES),
                "of the whole frame; bilinear to 1024 x 1024 with aligned corners, then to the image without",
            )
        },
        {"batch": 2},
        {"encoding": "disk", "radius": RADIUS},
    )


def _features(config: NetworkConfig) -> tuple[int, int, int]:
    side = FRAME // config.vit.patch
    return config.vit.dim, side, side
