"""Which values of a mask file are objects and which are ignored: the rule for users' own masks.

docs/datasets.md shows it as a table. Each published dataset has its own rule, in its reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.data.base import Target

UNKNOWN = {(128, 255), (0x8000, 0xFF00), (0x8080, 0xFFFF), (0x8000, 0xFFFF)}
"""(unknown, object): GrabCut's trimaps, in 8 and in 16 bits. The lower is ignored if only these two occur."""
VOID = (0xFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
"""Void beside values of at most half of it: VOC's border, and -1 in unsigned integers."""
VOID_COLOUR = (224, 224, 192)
"""Index 255 of VOC's palette: void beside other colours, in masks saved in colour."""

_LOSSY, _RINGING, _FEW = 31, 3, 16
"""How far black and white may be off: `_LOSSY` in a file with lossy compression; `_RINGING` in one made from such a
file, or scaled or blurred, which has more than `_FEW` values. In any other they are exact."""


class Labels(NamedTuple):
    """`values` integers `(H, W)`; `objects` the values that are objects, in order; `ignore` bool `(H, W)`, or None. A
    colour is one number: its red, green and blue, 16 bits each.
    """

    values: NDArray[Any]
    objects: tuple[int, ...]
    ignore: NDArray[np.bool_] | None
    colours: bool = False

    def name(self, value: int) -> str:
        """How a value is written: `20`, or `128-0-0` for a colour."""
        return "-".join(str(value >> shift & 0xFFFF) for shift in (32, 16, 0)) if self.colours else str(value)

    def all_objects(self) -> Target:
        """All objects as one target."""
        object = self.values != 0
        return Target(object if self.ignore is None else object & ~self.ignore, self.ignore)


def labels_in(pixels: NDArray[Any], palette: NDArray[np.uint8] | None = None, *, lossy: bool = False) -> Labels:
    """The labels of a mask, `pixels` as `iiszoo.data.read.read_mask` returns them: `(H, W)`, or `(H, W, C)`, blue
    first.

    `palette`, uint8 `(N, 3)`: the palette if `pixels` are indices; `lossy`: the file's compression changes values
    (JPEG). Raises `ValueError` that says why the values are not those of a mask.
    """
    if palette is not None and not _black_first(pixels, palette):
        pixels, palette = palette[np.minimum(pixels, len(palette) - 1)][:, :, ::-1], None
    values = _alpha_or_colours(pixels)
    if values.ndim == 3:
        return _coloured(values, lossy)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError("contains values that are not numbers (NaN, infinity)")
        if (values != np.rint(values)).any():
            if values.min() < 0 or values.max() > 1:
                raise ValueError(f"contains fractions from {values.min():g} to {values.max():g}, not from 0 to 1")
            return _binary(values >= 0.5)
        values = values.astype(np.int64)
    elif values.dtype == bool:
        values = values.astype(np.uint8)
    return _grey(values, lossy, indices=palette is not None)


def _grey(values: NDArray[Any], lossy: bool, indices: bool) -> Labels:
    present = [value for value in distinct(values) if value != 0]
    ignore = None
    if present and present[0] < 0:
        ignore, present = values < 0, [value for value in present if value > 0]
    if lossy and len(present) > 1:
        return _binary(_lossy_object(values))
    if tuple(present) in UNKNOWN:
        ignore, present = _also(ignore, values == present[0]), present[1:]
    elif len(present) > 1 and present[-1] in VOID and present[-2] <= present[-1] // 2:
        ignore, present = _also(ignore, values == present[-1]), present[:-1]
    if len(present) > 1 and ignore is None and not indices and present[-1] <= 0xFFFF:
        white = 0xFFFF if present[-1] > 0xFF else 0xFF
        if _soft(values, white, _RINGING if len(present) > _FEW else 0):
            return _binary(values > white // 2)
    return Labels(values, tuple(present), ignore)


def _soft(values: NDArray[Any], white: int, tolerance: int) -> bool:
    """Whether greys, 0 to `white`, are the soft edges of white objects: compression, scaling, blur.

    Then greys lie along edges only: none fills a 3x3 neighbourhood, as a grey does inside a drawn region.
    """
    tolerance *= white // 255
    inner = distinct(values[_inner(values)])
    bright = [value for value in inner if value >= white - tolerance]
    return bool(bright) and all(value <= tolerance for value in inner[: -len(bright)])


def _lossy_object(values: NDArray[Any]) -> NDArray[np.bool_]:
    """The object of a mask in a lossy file. Raises `ValueError` if it has more than black and white."""
    inner = [value for value in distinct(values[_inner(values)]) if _LOSSY < value < 255 - _LOSSY]
    if values.max(initial=0) < 255 - _LOSSY or inner:
        raise ValueError(
            "contains values other than black and white in a file whose compression changes values; save masks as PNG"
        )
    return np.asarray(values >= 128)


def _coloured(pixels: NDArray[Any], lossy: bool) -> Labels:
    """`pixels` `(H, W, 3)`, blue first, with more than one channel in use."""
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 0xFFFF:
        raise ValueError(f"contains colours of {pixels.dtype} values; save it as 8 bits")
    blue, green, red = (pixels[:, :, channel].astype(np.int64) for channel in range(3))
    values = red << 32 | green << 16 | blue
    present = [value for value in distinct(values) if value != 0]
    void = VOID_COLOUR[0] << 32 | VOID_COLOUR[1] << 16 | VOID_COLOUR[2]
    ignore = None
    if void in present and len(present) > 1:
        ignore = values == void
        present.remove(void)
    if len(present) > 1 and ignore is None and pixels.dtype == np.uint8:
        brightness = pixels.max(axis=2)
        inner = np.unique(pixels[_inner(values)], axis=0).astype(int)
        tolerance = _LOSSY if lossy else _RINGING if len(present) > _FEW else 0
        shades = inner[inner.max(axis=1) > tolerance]
        if len(shades) and np.ptp(shades, axis=0).max() <= tolerance:  # of one colour
            return _binary(brightness > shades.max() // 2)
    if lossy:
        raise ValueError("contains several colours in a file whose compression changes values; save masks as PNG")
    return Labels(values, tuple(present), ignore, colours=True)


def _alpha_or_colours(pixels: NDArray[Any]) -> NDArray[Any]:
    """`(H, W)` if one channel says all: greys, one colour channel in use, alpha over a plain colour; else `(H, W, 3)`.
    In all other cases alpha is dropped.
    """
    if pixels.ndim == 2:
        return pixels
    n_colours = 1 if pixels.shape[2] <= 2 else 3
    colours, alpha = pixels[:, :, :n_colours], pixels[:, :, n_colours:]
    if alpha.size and (colours == colours[:1, :1]).all() and (alpha != alpha[:1, :1]).any():
        return alpha[:, :, 0]
    if n_colours == 1 or (colours == colours[:, :, :1]).all():
        return colours[:, :, 0]
    used = [channel for channel in range(3) if colours[:, :, channel].any()]
    return colours[:, :, used[0]] if len(used) == 1 else colours


def _black_first(indices: NDArray[Any], palette: NDArray[np.uint8]) -> bool:
    """Whether a palette's index 0 can be the background; programs that sort palettes by use put black elsewhere."""
    if not palette[:1].any():
        return True
    used = [index for index in distinct(indices) if index < len(palette)]
    return all(palette[index].any() for index in used)


def _inner(values: NDArray[Any]) -> NDArray[np.bool_]:
    """bool `(H, W)`: pixels whose neighbours inside the picture all have their value."""
    same = np.ones(values.shape, bool)
    across = values[:, 1:] == values[:, :-1]
    same[:, 1:] &= across
    same[:, :-1] &= across
    rows = same.copy()  # pixels equal to their neighbours in the row
    down = values[1:] == values[:-1]
    same[1:] &= down & rows[:-1]
    same[:-1] &= down & rows[1:]
    return same


def distinct(values: NDArray[Any]) -> list[int]:
    """The values that occur, in order."""
    if values.dtype == np.uint8 and values.size:
        counts = cv2.calcHist([np.ascontiguousarray(values).reshape(-1, 1)], [0], None, [256], [0, 256])
        return [int(value) for value in np.flatnonzero(counts)]
    return [int(value) for value in np.unique(values)]


def _also(ignore: NDArray[np.bool_] | None, more: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return more if ignore is None else ignore | more


def _binary(object: NDArray[np.bool_]) -> Labels:
    return Labels(object.astype(np.uint8), (1,) if object.any() else (), None)


def several(labels: Labels, longest: int = 8) -> str:
    """The values of several objects, for messages: `20, 149`."""
    names: Sequence[str] = [labels.name(value) for value in labels.objects]
    more = "" if len(names) <= longest else f", ... ({len(names)} of them)"
    return ", ".join(names[:longest]) + more
