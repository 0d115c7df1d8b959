"""The files of labelme (github.com/wkentaro/labelme): one JSON file for each image, with its shapes, from version 3 on.

A file contains `shapes` (`label`, `points`, `shape_type`, `group_id`, `mask`), `imagePath` from its own folder,
`imageHeight`, `imageWidth` and `imageData` (the image itself in base64, or null). Files of version 3 lack shape types
(polygons), groups and sizes. X-AnyLabeling writes the same; its `rotation` is a turned rectangle, and its rectangles
have four points.

Areas are drawn as COCO's polygons (`iiszoo.data.outlines`), so that a file and its conversion to COCO give the same
targets. labelme's own `shape_to_mask` also fills the pixels under an outline, which makes objects about half a pixel
larger on every side.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iiszoo.data import file_checks, outlines
from iiszoo.data.outlines import RunLengths
from iiszoo.errors import DatasetError

IGNORED, BACKGROUND = "__ignore__", "_background_"
"""Labels with a meaning in labelme's own conversions: -1 and 0."""

_POLYGONS = ("polygon", "rectangle", "oriented_rectangle", "rotation")
_AREAS = (*_POLYGONS, "circle", "mask")
_NO_AREAS = ("point", "points", "line", "linestrip")
_FLAT = 0.02
"""Pixels between a circle and the polygon that is drawn for it, at most."""
_MOST_CORNERS = 10_000


@dataclass(frozen=True)
class Shape:
    """One entry of `shapes`, the `number`th of its file, from 1; `points` and `mask` as in the file. `is_area`: it has
    pixels, or is of a kind that is not known.
    """

    number: int
    label: str
    group: Any
    kind: str
    points: Any
    mask: Any

    @property
    def is_area(self) -> bool:
        return self.kind not in _NO_AREAS

    @property
    def is_object(self) -> bool:
        return self.is_area and self.label not in (IGNORED, BACKGROUND)

    def __str__(self) -> str:
        return f"shape {self.number} ({ascii(self.label)[1:-1]:.40})"


@dataclass(frozen=True)
class LabelmeFile:
    """`image_path` as written, "" if there is none; `stated_size` (rows, columns) as written; `embeds`: the file
    contains the image too.
    """

    path: Path
    image_path: str
    stated_size: tuple[Any, Any]
    embeds: bool
    shapes: tuple[Shape, ...]


def read(path: Path) -> LabelmeFile | None:
    """A labelme file; None for the JSON of another kind. Raises `DatasetError` naming the file and the shape."""
    found = file_checks.json_in(path)
    if not isinstance(found, dict) or not {"shapes", "imagePath", "imageData"} & found.keys():
        return None
    shapes = found.get("shapes")
    if not isinstance(shapes, list):
        raise DatasetError(f"{path}: its shapes are {outlines.kind_of(shapes)}; expected a list")
    image_path = found.get("imagePath") or ""
    if not isinstance(image_path, str):
        raise DatasetError(f"{path}: its imagePath is {outlines.kind_of(image_path)}; expected text")
    if image_path.lower().endswith(".json"):  # labelme 4 could write the name of the file itself
        image_path = ""
    stated = (found.get("imageHeight"), found.get("imageWidth"))
    return LabelmeFile(
        path,
        image_path,
        stated,
        bool(found.get("imageData")),
        tuple(_shape(path, n, s) for n, s in enumerate(shapes, 1)),
    )


def embedded_image(path: Path) -> bytes:
    """The bytes of the image in a labelme file. Raises `DatasetError` naming the file."""
    found = file_checks.json_in(path)
    try:
        return _decoded(found.get("imageData") if isinstance(found, dict) else None)
    except ValueError as error:
        raise DatasetError(f"{path}: its imageData {error}") from error


def instances(shapes: tuple[Shape, ...]) -> list[list[Shape]]:
    """The shapes of each object, in the order of their first shapes: those with one label and one `group_id` are one
    object, and one without a group is an object of its own, as in labelme's `shapes_to_label`.
    """
    found: dict[Any, list[Shape]] = {}
    for shape in shapes:
        if shape.is_object:
            key = shape.number if shape.group is None else (shape.label, str(shape.group))
            found.setdefault(key, []).append(shape)
    return list(found.values())


def covered(file: LabelmeFile, wanted: list[Shape], size: tuple[int, int]) -> RunLengths:
    """The union of shapes on `size` (rows, columns), each without the `_background_` that follows it in the file, where
    later shapes lie over earlier ones. Raises `DatasetError` naming file and shape.
    """
    behind = [shape for shape in file.shapes if shape.label == BACKGROUND and shape.is_area]
    parts = []
    for shape in wanted:
        part = _outline(file, shape, size)
        above = [_outline(file, other, size) for other in behind if other.number > shape.number]
        if above:
            part = outlines.of_pixels(outlines.drawn(part) & ~outlines.drawn(outlines.united(above, size)))
        parts.append(part)
    return outlines.united(parts, size)


def _shape(path: Path, number: int, entry: Any) -> Shape:
    if not isinstance(entry, dict):
        raise DatasetError(
            f"{path}: shape {number} is {outlines.kind_of(entry)}; expected an object with label and points"
        )
    kind = entry.get("shape_type") or "polygon"
    label = "" if entry.get("label") is None else str(entry["label"])
    return Shape(number, label, entry.get("group_id"), str(kind), entry.get("points"), entry.get("mask"))


def _outline(file: LabelmeFile, shape: Shape, size: tuple[int, int]) -> RunLengths:
    try:
        if shape.kind == "mask":
            return _painted(file.path, shape, size)
        return outlines.run_lengths([_polygon(shape)], size)
    except ValueError as error:
        raise DatasetError(f"{file.path}: {shape} cannot be drawn: {error}") from error


def _polygon(shape: Shape) -> list[Any]:
    """The corners of a shape. Raises `ValueError`."""
    points = shape.points
    if shape.kind not in _AREAS:
        raise ValueError(f"its shape_type is {shape.kind!r:.40}; expected one of {', '.join(_AREAS + _NO_AREAS)}")
    if not isinstance(points, list):
        raise ValueError(f"its points are {outlines.kind_of(points)}; expected a list of [x, y]")
    if shape.kind == "circle":
        (x, y), (at_x, at_y) = _two(shape)
        radius = math.hypot(at_x - x, at_y - y)
        if not math.isfinite(radius):
            raise ValueError("its points are not finite numbers")
        angle = math.acos(1 - min(_FLAT / radius, 1)) if radius else math.pi
        corners = min(max(12, math.ceil(math.pi / angle)), _MOST_CORNERS) if angle else _MOST_CORNERS
        turns = [2 * math.pi * k / corners for k in range(corners)]
        return [[x + radius * math.cos(turn), y + radius * math.sin(turn)] for turn in turns]
    if shape.kind == "rectangle" and len(points) != 4:
        (left, top), (right, bottom) = _two(shape)
        return [[left, top], [right, top], [right, bottom], [left, bottom]]
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise ValueError("its points are not all pairs of x and y")
    return points


def _two(shape: Shape) -> list[tuple[float, float]]:
    """The two points of a rectangle, a circle or a mask's box. Raises `ValueError`."""
    try:
        (left, top), (right, bottom) = shape.points
        return [(float(left), float(top)), (float(right), float(bottom))]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the points of a {shape.kind} are two pairs of numbers, [[x, y], [x, y]]") from error


def _painted(path: Path, shape: Shape, size: tuple[int, int]) -> RunLengths:
    """A shape of the kind `mask`: a picture of its box, whose corners belong to it; what is not 0 is the object."""
    import numpy as np

    from iiszoo.data.read import read_mask

    box = _two(shape)
    if not all(math.isfinite(value) and abs(value) <= outlines.FARTHEST for point in box for value in point):
        raise ValueError("its box lies far outside the image, or is not made of finite numbers")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in box)
    try:
        content = _decoded(shape.mask)
    except ValueError as error:
        raise ValueError(f"its mask {error}") from error
    pixels = read_mask(path / f"shape {shape.number}", content)
    if pixels.ndim != 2:
        raise ValueError(f"its mask has {pixels.shape[2]} channels; expected one")
    if pixels.shape != (bottom - top + 1, right - left + 1):
        raise ValueError(
            f"its mask has {pixels.shape[0]}x{pixels.shape[1]} pixels (rows x columns), but its box "
            f"{bottom - top + 1}x{right - left + 1}"
        )
    mask = np.zeros(size, bool)
    first_row, first_column = max(top, 0), max(left, 0)
    inside = mask[first_row : max(bottom + 1, 0), first_column : max(right + 1, 0)]
    inside[:] = pixels[first_row - top :, first_column - left :][: inside.shape[0], : inside.shape[1]] != 0
    return outlines.of_pixels(mask)


def _decoded(text: Any) -> bytes:
    """Bytes in base64. Raises `ValueError` that says what it is instead."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"is {outlines.kind_of(text)}; expected a picture in base64")
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"is not valid base64 ({error})") from error
