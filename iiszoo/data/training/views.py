"""Views for training: a crop of an image with its target, resized without keeping the aspect, warped and recoloured.
They use arrays and OpenCV; a view takes about a millisecond.

    view = object_view(image, target, valid, rng, size=(320, 320))

`image` uint8 (H, W, 3), RGB; `target`, `valid` bool (H, W), `valid` False for ignored pixels. A view is None if it
shows too little or too much of the target; the caller then draws another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Rng = np.random.Generator


class View(NamedTuple):
    """`image` uint8 (h, w, 3), `target` bool (h, w), and `valid` bool (h, w), or None if all pixels are valid."""

    image: Image
    target: Mask
    valid: Mask | None


def object_view(
    image: Image,
    target: Mask,
    valid: Mask | None,
    rng: Rng,
    *,
    size: tuple[int, int] = (320, 320),
    near: float = 0.7,
    part: float = 0.0,
    rotation: float = 12.0,
    share: tuple[float, float] = (0.004, 0.85),
    colour: float = 1.0,
) -> View | None:
    """The crop of a zoom, or more of the image around it; the aspect is not kept.

    With probability `near` a box around the object, its sides scaled by exp U(log 1.08, log 2.4), jittered, sometimes
    square, clipped at the image's border; with `part` a box around a pixel of the object's border, 0.25 to 0.7 of the
    object's sides; else the whole image, or a random part of 0.4 to 1 of its sides that contains a pixel of the object.
    Then a rotation by N(0, `rotation`) degrees with probability 0.25, and mirroring with 0.5.

    The target must cover `share` of the view. `colour` scales the probabilities of `recoloured`.
    """
    if not target.any():
        return None
    draw = rng.random()
    if draw < near:
        box = _round_object(target, rng)
    elif draw < near + part:
        box = _round_part(target, rng)
    elif rng.random() < 0.5:
        box = (0.0, 0.0, float(target.shape[0]), float(target.shape[1]))
    else:
        box = _some_part(target, rng)
    turn = float(rng.normal(0, rotation)) if rng.random() < 0.25 else 0.0
    matrix = _matrix(box, size, turn, bool(rng.random() < 0.5))
    seen = _warp(target.view(np.uint8) * np.uint8(255), matrix, size) >= 128
    if not share[0] <= np.count_nonzero(seen) / seen.size <= share[1]:
        return None
    counted = None
    if valid is not None and not valid.all():
        counted = _warp(valid.view(np.uint8) * np.uint8(255), matrix, size) >= 128
    return View(recoloured(_warp(image, matrix, size), rng, colour), seen, counted)


def whole_view(image: Image, target: Mask, valid: Mask | None, rng: Rng, *, size: tuple[int, int]) -> View | None:
    """The whole image, resized without keeping the aspect, mirrored with probability 0.5. Nothing else is random."""
    matrix = _matrix((0.0, 0.0, float(target.shape[0]), float(target.shape[1])), size, 0.0, bool(rng.random() < 0.5))
    seen = _warp(target.view(np.uint8) * np.uint8(255), matrix, size) >= 128
    counted = None if valid is None else _warp(valid.view(np.uint8) * np.uint8(255), matrix, size) >= 128
    return View(_warp(image, matrix, size), seen, counted) if seen.any() else None


def crop_view(
    image: Image,
    target: Mask,
    valid: Mask | None,
    rng: Rng,
    *,
    size: tuple[int, int],
    scale: tuple[float, float] = (0.75, 1.4),
    colour: float = 1.0,
) -> View | None:
    """A crop as in RITM: of `size`, at a scale uniform over `scale`, with a pixel of the object; beyond the image it is
    black and ignored. Mirrored with probability 0.5.
    """
    if not target.any():
        return None
    factor = float(rng.uniform(*scale))
    sides = size[0] / factor, size[1] / factor
    row, col = _pixel(target, rng)
    corner = []
    for at, side, limit in zip((row, col), sides, target.shape, strict=True):
        low, high = (max(0.0, at + 1 - side), min(float(at), limit - side)) if side < limit else (limit - side, 0.0)
        corner.append(float(rng.uniform(min(low, high), max(low, high))))
    box = (corner[0], corner[1], corner[0] + sides[0], corner[1] + sides[1])
    matrix = _matrix(box, size, 0.0, bool(rng.random() < 0.5))
    counted = np.ones(target.shape, bool) if valid is None else valid
    seen, inside = (
        _warp(mask.view(np.uint8) * np.uint8(255), matrix, size, cv2.BORDER_CONSTANT) >= 128
        for mask in (target, counted)
    )
    picture = recoloured(_warp(image, matrix, size, cv2.BORDER_CONSTANT), rng, colour)
    return View(picture, seen, None if inside.all() else inside) if seen.any() else None


def transform_view(
    image: Image,
    target: Mask,
    valid: Mask | None,
    rng: Rng,
    *,
    size: tuple[int, int],
    scale: tuple[float, float] = (0.75, 1.40),
    degrees: float = 10.0,
    horizontal_flip: float = 0.5,
    vertical_flip: float = 0.0,
    colour: float = 0.75,
) -> View | None:
    """`iiszoo.data.transforms.training_transform`, of torchvision's transforms: RITM's, with a rotation."""
    import torch

    from iiszoo.data.region_dataset import transformed
    from iiszoo.data.transforms import training_transform

    transform = training_transform(
        size,
        scale=scale,
        degrees=degrees,
        horizontal_flip=horizontal_flip,
        vertical_flip=vertical_flip,
        colour=colour,
    )
    counted = np.ones(target.shape, bool) if valid is None else valid
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    mask, counts = (torch.from_numpy(np.ascontiguousarray(m)).to(torch.uint8)[None] for m in (target, counted))
    picture, seen, inside = transformed(transform, planes, mask, counts, rng)
    kept, region = inside[0].numpy() != 0, seen[0].numpy() != 0
    shown = np.ascontiguousarray(picture.numpy().transpose(1, 2, 0))
    return View(shown, region, None if kept.all() else kept) if region.any() else None


VIEWS: dict[str, Callable[..., View | None]] = {
    "object": object_view,
    "crop": crop_view,
    "whole": whole_view,
    "transform": transform_view,
}


def recoloured(image: Image, rng: Rng, scale: float = 1.0) -> Image:
    """Contrast 0.7 to 1.35 and brightness +-40 with probability 0.7, channel shifts +-18 with 0.5, grey with 0.1, blur
    with 0.15, noise with 0.1; all probabilities are multiplied by `scale`.
    """
    steps = rng.random(5) < scale * np.array([0.7, 0.5, 0.1, 0.15, 0.1])
    ramp = np.arange(256, dtype=np.float32)[:, None].repeat(3, 1)
    if steps[0]:
        ramp = (ramp - 128) * float(rng.uniform(0.7, 1.35)) + 128 + float(rng.uniform(-40, 40))
    if steps[1]:
        ramp = ramp + rng.uniform(-18, 18, 3).astype(np.float32)
    if steps[0] or steps[1]:
        image = np.asarray(cv2.LUT(image, np.clip(ramp + 0.5, 0, 255).astype(np.uint8)[None]), np.uint8)
    if steps[2]:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None].repeat(3, 2).astype(np.uint8)
    if steps[3]:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4))), np.uint8)
    if steps[4]:
        # slices of one noise row at random offsets: normal numbers per pixel would take longer than all the rest
        noise = (rng.standard_normal(1 << 14) * rng.uniform(2, 10)).astype(np.int16)
        at = rng.integers(0, noise.size - 3 * image.shape[1], image.shape[0])
        rows = noise[at[:, None] + np.arange(3 * image.shape[1])].reshape(image.shape)
        image = np.clip(image.astype(np.int16) + rows, 0, 255).astype(np.uint8)
    return image


Box = tuple[float, float, float, float]
"""(top, left, bottom, right) in pixels; the borders lie between pixels."""


def _extent(target: Mask) -> tuple[int, int, int, int]:
    rows, cols = np.flatnonzero(target.any(1)), np.flatnonzero(target.any(0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def _round_object(target: Mask, rng: Rng) -> Box:
    top, left, bottom, right = _extent(target)
    height, width = bottom - top, right - left
    factor = math.exp(rng.uniform(math.log(1.08), math.log(2.4)))
    sides = np.array([height, width]) * factor
    middle = np.array([top + bottom, left + right]) / 2 + rng.uniform(-0.06, 0.06, 2) * sides
    if rng.random() < 0.35:
        sides[:] = sides.max()
    ends = rng.uniform(-0.08, 0.08, (2, 2)) * sides  # at both ends
    return _cut(middle - sides / 2 + ends[0], middle + sides / 2 + ends[1], target.shape)


def _round_part(target: Mask, rng: Rng) -> Box:
    top, left, bottom, right = _extent(target)
    border = target & ~cv2.erode(target.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    at = np.array(_pixel(border if border.any() else target, rng))
    sides = np.maximum(np.array([bottom - top, right - left]) * rng.uniform(0.25, 0.7), 48.0)
    if rng.random() < 0.35:
        sides[:] = math.sqrt(sides[0] * sides[1])
    middle = at + rng.uniform(-0.25, 0.25, 2) * sides
    return _cut(middle - sides / 2, middle + sides / 2, target.shape)


def _some_part(target: Mask, rng: Rng) -> Box:
    row, col = _pixel(target, rng)
    ends = []
    for at, side in zip((row, col), target.shape, strict=True):
        length = side * rng.uniform(0.4, 1.0)
        low, high = max(0.0, at + 1 - length), min(float(at), side - length)
        first = rng.uniform(low, max(low, high))
        ends.append((first, first + length))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _cut(first: NDArray[Any], last: NDArray[Any], shape: tuple[int, ...]) -> Box:
    """Clip a box at the image's border; its sides stay at least 8 pixels."""
    ends = []
    for low, high, limit in zip(first.tolist(), last.tolist(), shape, strict=True):
        low = min(max(0.0, low), max(0.0, limit - 8.0))
        ends.append((low, min(float(limit), max(high, low + 8.0))))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _pixel(mask: Mask, rng: Rng) -> tuple[int, int]:
    pixels = np.flatnonzero(mask)
    row, col = divmod(int(pixels[rng.integers(pixels.size)]), mask.shape[1])
    return row, col


def _matrix(box: Box, size: tuple[int, int], degrees: float, mirrored: bool) -> NDArray[np.float64]:
    """The matrix, 2 x 3, from pixels (x, y) of the image to the view, for `cv2.warpAffine`."""
    scale_y, scale_x = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # about the box's centre, in the image, so that it rotates before the aspect changes
    x, y = (box[1] + box[3]) / 2, (box[0] + box[2]) / 2
    if mirrored:
        scale_x = -scale_x
    linear = np.array([[scale_x * cos, -scale_x * sin], [scale_y * sin, scale_y * cos]])
    # pixel centres are integers in OpenCV, but at half pixels in a box
    offset = np.array([size[1] / 2, size[0] / 2]) - 0.5 - linear @ np.array([x - 0.5, y - 0.5])
    return np.column_stack((linear, offset))


def _warp(
    picture: NDArray[Any], matrix: NDArray[np.float64], size: tuple[int, int], border: int = cv2.BORDER_REFLECT_101
) -> NDArray[Any]:
    warped: NDArray[Any] = cv2.warpAffine(
        picture, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return warped
