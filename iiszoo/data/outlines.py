"""COCO's segmentations, in any form that tools write, as run lengths drawn by pycocotools.

Run lengths (RLE) are always compressed and canonical: `{"size": [H, W], "counts": bytes}`, where only the first run may
have length 0, so that equal masks have equal run lengths. Only `drawn` decodes them: everything else takes memory and
time in proportion to the outline's length, not the image's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Counts = NDArray[np.int64]

RunLengths = dict[str, Any]

EXPECTED = (
    'expected a list of polygons [[x1, y1, x2, y2, ...], ...] or run lengths {"size": [H, W], "counts": [...] or "..."}'
)
FARTHEST = 1e5
"""Polygons with points beyond this many pixels (and twice the image's longer side) are refused as a mistake."""
_LONGEST_UNCLIPPED = 2e5
_LONGEST = 4e6
"""Pixels along a polygon: pycocotools walks along every edge in fifths of a pixel, 16 bytes each, and crashes if memory
runs out."""
_MARGIN = 2
_AT_ONCE = 32


def run_lengths(segmentation: Any, size: tuple[int, int]) -> RunLengths:
    """The mask of a segmentation on `size` (rows, columns); empty for None, [], and polygons without area.

    Polygons may be lists of numbers, lists of pairs, or a single one without the list around it; numbers may be text or
    whole floats; run lengths may be in a list, whose members are united. Raises `ValueError` for anything else; its
    message is a clause for the middle of a sentence.
    """
    from pycocotools import mask as rle

    if segmentation is None:
        return _compressed([size[0] * size[1]], size)
    if isinstance(segmentation, dict):
        return _from_counts(segmentation, size)
    if not isinstance(segmentation, list):
        raise ValueError(f"it is {kind_of(segmentation)}")
    parts: list[RunLengths] = []
    polygons: list[list[float]] = []
    for part in _parts(segmentation, size):
        if isinstance(part, dict):
            parts.append(_from_counts(part, size))
        elif len(points := _points(part, size)) >= 3:  # fewer have no area
            polygons.append(points.ravel().tolist())
    parts += rle.frPyObjects(polygons, *size) if polygons else []
    return united(parts, size)


def united(masks: Sequence[RunLengths], size: tuple[int, int]) -> RunLengths:
    """The union of masks; empty if there are none."""
    from pycocotools import mask as rle

    if not masks:
        return _compressed([size[0] * size[1]], size)
    while len(masks) > 1:  # as a tree: one by one, time would grow with the square of their number
        masks = [rle.merge(list(masks[k : k + _AT_ONCE])) for k in range(0, len(masks), _AT_ONCE)]
    return _compressed(canonical(counts_in(masks[0]["counts"])).tolist(), size)


def drawn(mask: RunLengths) -> NDArray[np.bool_]:
    """The pixels of a mask: bool `(H, W)`, row by row."""
    import numpy as np
    from pycocotools import mask as rle

    rows, columns = mask["size"]
    x, y, width, height = (int(value) for value in rle.toBbox(mask))
    pixels = np.zeros((rows, columns), bool)
    box = slice(y, y + height), slice(x, x + width)
    pixels[box] = rle.decode(mask)[box]  # pycocotools decodes column by column; most of an image lies outside the box
    return pixels


def of_pixels(mask: NDArray[np.bool_]) -> RunLengths:
    """The run lengths of a mask, bool `(H, W)`."""
    import numpy as np
    from pycocotools import mask as rle

    found: RunLengths = rle.encode(np.asfortranarray(mask, np.uint8))
    return found


def counts_in(text: str | bytes) -> Counts:
    """The run lengths of a compressed string: groups of five bits, lowest first; from the fourth run on, differences to
    the run two before (pycocotools, `rleFrString`). Raises `ValueError` if it is not such a string.
    """
    import numpy as np

    try:
        content = text if isinstance(text, bytes) else text.encode("ascii")
    except UnicodeEncodeError as error:
        raise ValueError("its counts are not compressed run lengths") from error
    digits = np.frombuffer(content, np.uint8).astype(np.int64) - 48
    last = (digits & 32) == 0
    ends = np.flatnonzero(last)
    if not digits.size or not ((digits >= 0) & (digits < 64)).all() or not last[-1]:
        raise ValueError("its counts are not compressed run lengths")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError("its counts contain numbers too large for any image")
    place = np.arange(digits.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((digits & 31) << (5 * place), starts)
    values -= np.where(digits[ends] & 16, 1 << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def canonical(counts: Counts) -> Counts:
    """The same runs, with no run of length 0 except the first. `counts` are >= 0."""
    import numpy as np

    runs = np.flatnonzero(counts > 0)
    if not runs.size:
        return counts[:1]
    of_object = runs % 2
    starts = np.flatnonzero(np.diff(of_object, prepend=-1))
    joined = np.add.reduceat(counts[runs], starts)
    return np.concatenate(([0], joined)) if of_object[0] else joined


def whole_number(value: Any) -> int | None:
    """An integer, also one written as text or as a float; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text) if text.lstrip("+-").isdecimal() else whole_number(float(text))
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return ascii(value) if len(ascii(value)) <= 40 else f"{ascii(value)[:37]}..."


def _parts(segmentation: list[Any], size: tuple[int, int]) -> list[Any]:
    """The polygons and run lengths in a list, which may itself be a single polygon."""
    if not segmentation or isinstance(segmentation[0], dict):
        return segmentation
    if not isinstance(segmentation[0], list):
        counts = [whole_number(value) for value in segmentation]
        known = [count for count in counts if count is not None]
        if len(known) == len(counts) and sum(known) == size[0] * size[1] and max(known) > max(size):
            raise ValueError("it could be a polygon or the counts of run lengths")
        return [segmentation]
    if len(segmentation) >= 3 and all(isinstance(part, list) and len(part) == 2 for part in segmentation):
        return [segmentation]  # points of one polygon: polygons of one point each mean nothing
    return segmentation


def _points(polygon: Any, size: tuple[int, int]) -> Points:
    """`(N, 2)`, x and y, such that pycocotools can draw them."""
    import numpy as np

    if not isinstance(polygon, list):
        raise ValueError(f"one of its polygons is {kind_of(polygon)}")
    numbers = polygon
    if any(isinstance(point, list) for point in polygon):
        if not all(isinstance(point, list) and len(point) == 2 for point in polygon):
            raise ValueError("the points of a polygon are not all pairs of x and y")
        numbers = [value for point in polygon for value in point]
    if len(numbers) % 2:
        raise ValueError(f"a polygon has {len(numbers)} numbers, an odd number, but each point has x and y")
    if not set(map(type, numbers)) <= {int, float}:
        numbers = [_number(value) for value in numbers]
    try:
        points = np.array(numbers, np.float64).reshape(-1, 2)
    except OverflowError:
        points = np.full((1, 2), np.inf)
    farthest = max(FARTHEST, 2 * max(size))
    if not np.isfinite(points).all():
        raise ValueError("a polygon has points that are not finite numbers")
    if np.abs(points).max(initial=0) > farthest:
        raise ValueError(f"a polygon has points far outside the image, beyond {farthest:g} pixels")
    if _length(points) > _LONGEST_UNCLIPPED:
        points = clipped(points, size)
    if _length(points) > _LONGEST:
        raise ValueError(f"a polygon is longer than {_LONGEST:.0f} pixels, which cannot be drawn")
    return points


def _number(value: Any) -> float:
    """A number, also one written as text."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"a polygon has {kind_of(value)} instead of a number") from error


def _length(points: Points) -> float:
    """The pixels that pycocotools walks along the polygon."""
    import numpy as np

    return float(np.abs(points - np.roll(points, -1, axis=0)).max(axis=1, initial=0).sum()) + 0.2 * len(points)


def clipped(points: Points, size: tuple[int, int]) -> Points:
    """A polygon that covers the same pixels of the image, without points much farther out than `_MARGIN`.

    Edges are split at the margin, and what is beyond is moved onto it: there pycocotools counts no crossing in x, and
    moves any in y to the image's border. The grid is that of fifths of a pixel to which pycocotools rounds all points.
    Edges that are not split are drawn the same, others up to one such step away.
    """
    import numpy as np

    corners = _fifths(points)
    low, high = _fifths(np.array([[-_MARGIN, -_MARGIN], [size[1] + _MARGIN, size[0] + _MARGIN]], np.float64))
    along = np.roll(corners, -1, axis=0) - corners
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.concatenate([(low - corners) / along, (high - corners) / along], axis=1)
    at = np.sort(np.where((at > 0) & (at < 1), at, 0.0), axis=1)  # at 0: the corner itself again
    split = np.rint(corners[:, None] + at[:, :, None] * along[:, None])
    path = np.concatenate([corners[:, None], split], axis=1).reshape(-1, 2).clip(low, high)
    return at_fifths(path[(path != np.roll(path, 1, axis=0)).any(axis=1)])


def _fifths(points: Points) -> Points:
    """The grid points to which pycocotools rounds, by truncation towards 0."""
    import numpy as np

    grid: Points = np.trunc(5 * points + 0.5)
    return grid


def at_fifths(grid: Points) -> Points:
    """Points that pycocotools rounds to these, counted in fifths of a pixel."""
    import numpy as np

    return np.where(grid < 0, grid - 1, grid) / 5


def _from_counts(segmentation: RunLengths, size: tuple[int, int]) -> RunLengths:
    import numpy as np

    if not {"size", "counts"} <= segmentation.keys():
        raise ValueError("it is an object without size and counts")
    stated = segmentation["size"]
    if not isinstance(stated, list) or [whole_number(value) for value in stated] != list(size):
        shown = "x".join(map(str, stated)) if isinstance(stated, list) and len(stated) == 2 else kind_of(stated)
        raise ValueError(f"its size is {shown:.80}")
    counts = segmentation["counts"]
    if isinstance(counts, str | bytes):
        runs = counts_in(counts)
    elif isinstance(counts, list):
        known = [whole_number(value) for value in counts]
        if None in known:
            raise ValueError(f"its counts contain {kind_of(counts[known.index(None)])}, not only whole numbers")
        try:
            runs = np.array(known, np.int64)
        except OverflowError as error:
            raise ValueError("its counts contain numbers too large for any image") from error
    else:
        raise ValueError(f"its counts are {kind_of(counts)}")
    n_pixels = size[0] * size[1]
    if (runs < 0).any():
        raise ValueError("its run lengths are not all 0 or more")
    if (runs > n_pixels).any() or runs.sum() != n_pixels:
        total = sum(runs.tolist())  # of any size
        raise ValueError(f"its run lengths add up to {total} pixels, but the image has {n_pixels}")
    return _compressed(canonical(runs).tolist(), size)


def _compressed(counts: list[int], size: tuple[int, int]) -> RunLengths:
    from pycocotools import mask as rle

    found: RunLengths = rle.frPyObjects({"size": list(size), "counts": counts}, *size)
    return found
