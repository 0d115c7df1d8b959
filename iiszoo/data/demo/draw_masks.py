"""Rasterise polygons.json to masks/: the demo outlines were drawn by hand; this only fills them.

Points are (col, row) in pixels with (0, 0) the upper left corner of the image, so that pixel (r, c) covers [c, c + 1] x
[r, r + 1]. An object has `exterior` and `holes` (lists of rings; a ring is a list of points or an ellipse), may lie
`behind` other objects (which are cut out of its mask), and may have an uncertain border (`ignore`: strokes of `width`
pixels along `path`, value 128).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
SUB = 8  # subpixels per side: a pixel is object if at least half of it is inside


def ring_points(ring: Any) -> list[Any]:
    """The ring's points (col, row); an ellipse becomes a polygon of 180 sides."""
    if isinstance(ring, list):
        return ring
    (cx, cy), (a, b), turn = ring["centre"], ring["semi_axes"], math.radians(ring["angle"])
    cos, sin = math.cos(turn), math.sin(turn)
    steps = [(a * math.cos(t * math.pi / 90), b * math.sin(t * math.pi / 90)) for t in range(180)]
    return [(cx + u * cos - v * sin, cy + u * sin + v * cos) for u, v in steps]


def fill(size: Sequence[int], rings: Sequence[Any] = (), strokes: Sequence[Any] = ()) -> Any:
    """Bool array (H, W): the pixels at least half covered by rings and strokes."""
    canvas = Image.new("1", (size[0] * SUB, size[1] * SUB))
    draw = ImageDraw.Draw(canvas)
    for ring in rings:
        draw.polygon([(x * SUB - 0.5, y * SUB - 0.5) for x, y in ring_points(ring)], fill=1)
    for stroke in strokes:
        path = [(x * SUB, y * SUB) for x, y in stroke["path"]]
        draw.line(path, fill=1, width=stroke["width"] * SUB, joint="curve")
    return np.asarray(canvas, bool).reshape(size[1], SUB, size[0], SUB).mean((1, 3)) >= 0.5


def mask(name: str, objects: dict[str, Any]) -> Any:
    """uint8 array (H, W) of one object: 0 background, 128 ignore, 255 object."""
    spec = objects[name]
    inside = fill(spec["size"], spec["exterior"]) & ~fill(spec["size"], spec.get("holes", []))
    for other in spec.get("behind", []):
        inside &= mask(other, objects) != 255
    unsure = fill(spec["size"], strokes=spec.get("ignore", []))
    return np.where(unsure, 128, np.where(inside, 255, 0)).astype(np.uint8)


if __name__ == "__main__":
    objects = json.loads((HERE / "polygons.json").read_text())["objects"]
    for name in objects:
        Image.fromarray(mask(name, objects)).save(HERE / "masks" / f"{name}.png", optimize=True)
