"""SAM's two networks, as they are exported and compiled."""

from __future__ import annotations

from pathlib import Path

from iiszoo.models.runtime import Graph, Values
from iiszoo_sam.preprocess import FRAME, LOW_RES

EMBEDDING = (256, 64, 64)
ENCODER = Graph(
    "encoder",
    {
        "frame": Values(
            (1, 3, FRAME, FRAME),
            "the image, 8-bit RGB, its longer side scaled to 1024 by Pillow's bilinear filter, minus (123.675, 116.28, "
            "103.53), divided by (58.395, 57.12, 57.375), then padded with 0 at the bottom and right",
        )
    },
    {"embedding": Values((1, *EMBEDDING), "serves all clicks on the image")},
    {},
    {"input_size": [FRAME, FRAME]},
    Path(__file__).with_name("onnx_example.py"),
)
DECODER = Graph(
    "decoder",
    {
        "embedding": Values(("batch", *EMBEDDING), "the encoder's output"),
        "coords": Values(("batch", "points", 2), "clicks as (x, y) in pixels of the frame"),
        "labels": Values(("batch", "points"), "1 for a positive click, 0 for a negative one"),
        "mask": Values(("batch", 1, LOW_RES, LOW_RES), "logits of the previous answer, or 0"),
        "has_mask": Values(("batch",), "1 if there is a previous answer, else 0"),
    },
    {
        "logits": Values(("batch", 4, LOW_RES, LOW_RES), "of the whole frame: the single mask, then three candidates"),
        "quality": Values(("batch", 4), "predicted IoU of each"),
    },
    {"batch": 2, "points": 3},
    {"encoding": "points"},
)
