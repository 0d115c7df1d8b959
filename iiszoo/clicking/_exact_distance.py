"""The error pixel farthest from the border of its error, by exact squared Euclidean distance, without a distance map.

The RITM robot needs the maxima of two distance maps, and where the greater one is first reached. Two whole maps answer
that and 800,000 questions that nobody asked. Here instead:

1. One pass over the masks finds the bounding box and the size of the false negatives and of the false positives. They
   bound the distances from above: the error with the higher bound is searched first, the other only if it can win yet.
2. Two passes over the bounding box, down and up, give `g`: the distance of each pixel to the nearest pixel of its own
   column that is not such an error. Integers, vectorised over the columns.
3. The squared distance of pixel (r, c) is the minimum over all columns c' of (c - c')^2 + g(r, c')^2 (the row pass of
   Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012). It is worked out only for pixels
   that can beat the best so far: rows and pixels are sifted by `g` first, and a column c' that rules one pixel out
   rules out all within sqrt(best - g(r, c')^2) of it, which are jumped over.

All distances are integers: OpenCV's float transform breaks ties by its rounding errors and is no reference here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_UINT8, _UINT16, _UINT32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32)
_FALSE_NEGATIVE = 0
_FALSE_POSITIVE = 1


def farthest_error(
    target: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    ignore: NDArray[np.uint8] | None,
    clicked: NDArray[np.int64],
) -> tuple[int, int, int]:
    """The error pixel farthest from the border of its error, with ties broken as RITM's clicker breaks them.

    Args:
        target, prediction: (H, W) uint8, C-contiguous; object is what is not 0.
        ignore: (H, W) uint8, not 0 where a pixel counts neither way; or None.
        clicked: (n, 2) int64 rows (row, column): pixels that cannot be chosen. They do not change any distance.

    Returns:
        (row, column, squared distance), Python ints; (-1, -1, 0) where nothing can be chosen. A false positive wins a
        tie against a false negative; among equals the first pixel in row-major order wins.
    """
    height, width = target.shape
    # A distance along a column is at most (H + 1) / 2, as there is a border at both ends; and there must be room for
    # one more. Small types because most of the time goes into moving these arrays.
    dtype = _UINT8 if height < 509 else _UINT16 if height < 131_069 else _UINT32
    in_columns = np.zeros((2, width), _UINT16 if height < 509 else _UINT32)
    n_bytes = height * width * dtype.itemsize
    memory = borrow(n_bytes)
    g = memory[:n_bytes].view(dtype)
    found: tuple[int, int, int] = _farthest_error(target, prediction, ignore, clicked, in_columns, g)
    give_back(memory)
    return found


_spare: list[NDArray[np.uint8]] = []


def borrow(n_bytes: int) -> NDArray[np.uint8]:
    """`n_bytes` or more of uninitialised memory, uint8, to be given back.

    Fresh memory of an image's size comes from the operating system page by page, which takes as long as the whole
    search: so it is kept for the next call. Safe in threads and in nested calls: what is lent is not in the list, and
    list.pop and list.append are atomic.
    """
    try:
        memory = _spare.pop()
    except IndexError:
        return np.empty(n_bytes, np.uint8)
    return memory if memory.size >= n_bytes else np.empty(n_bytes, np.uint8)


def give_back(memory: NDArray[np.uint8]) -> None:
    """Memory that an exception keeps from being given back is merely lost to the next call."""
    _spare.append(memory)


# Below, `g` is an unsigned array (h, w) over the bounding box of one error, and `needed` a squared distance: nothing
# less is looked for. Several loops are written apart, or on slices, because that is what the compiler vectorises.


@njit(nogil=True)
def _count(target: Array, prediction: Array, ignore: Array | None, in_columns: Array, in_rows: Array) -> None:
    """Fill `in_columns` (2, W), zeros before: how many pixels of each error; and `in_rows` (2, H): 1 where any."""
    height, width = target.shape
    fn_columns, fp_columns = in_columns[0], in_columns[1]
    for r in range(height):
        t, p = target[r], prediction[r]
        fn_row, fp_row = np.uint8(0), np.uint8(0)
        if ignore is None:
            for c in range(width):
                fn = np.uint8((t[c] != 0) & (p[c] == 0))
                fp = np.uint8((t[c] == 0) & (p[c] != 0))
                fn_row |= fn
                fp_row |= fp
                fn_columns[c] += fn
                fp_columns[c] += fp
        else:
            void = ignore[r]
            for c in range(width):
                fn = np.uint8((t[c] != 0) & (p[c] == 0) & (void[c] == 0))
                fp = np.uint8((t[c] == 0) & (p[c] != 0) & (void[c] == 0))
                fn_row |= fn
                fp_row |= fp
                fn_columns[c] += fn
                fp_columns[c] += fp
        in_rows[_FALSE_NEGATIVE, r] = fn_row
        in_rows[_FALSE_POSITIVE, r] = fp_row


@njit(nogil=True)
def _extent(counts: Array) -> tuple[int, int, int]:
    """(first, last, total): where the first and the last value above 0 are, -1 where there is none, and the sum."""
    first, last, total = -1, -1, 0
    for i in range(counts.shape[0]):
        if counts[i] > 0:
            last = i
            if first < 0:
                first = i
            total += int(counts[i])
    return first, last, total


@njit(nogil=True)
def _upper_bound(height: int, width: int, count: int) -> int:
    """No pixel of an error of `count` pixels in a box of that size has a greater squared distance; 0 for no error."""
    if count == 0:
        return 0
    # No error touches the box from outside: half of the shorter side, rounded up, is the most there can be.
    half = (min(height, width) + 1) // 2
    # A distance d takes every pixel closer than d; as unit squares these cover a disk of radius d - sqrt(1/2).
    radius = math.sqrt(count / math.pi) + 0.70711
    return min(half * half, int(radius * radius) + 1)


@njit(nogil=True)
def _column_distances(
    target: Array, prediction: Array, ignore: Array | None, error: int, top: int, left: int, g: Array, row_max: Array
) -> None:
    """Fill `g` (h, w), whose corner is at (`top`, `left`) of the masks, and the maxima of its rows, `row_max` (h,)."""
    height, width = g.shape
    if error == _FALSE_POSITIVE:
        target, prediction = prediction, target
    one = g.dtype.type(1)
    zero = g.dtype.type(0)
    # Downwards a run may outgrow the type: it stops at the maximum, and there the distance upwards is the lesser one.
    almost = g.dtype.type(np.iinfo(g.dtype).max - 1)
    run = np.zeros(width, g.dtype)
    for i in range(height):
        t = target[top + i][left : left + width]
        p = prediction[top + i][left : left + width]
        row = g[i]
        if ignore is None:
            for c in range(width):
                run[c] = min(run[c], almost) + one if (t[c] != 0) & (p[c] == 0) else zero
                row[c] = run[c]
        else:
            void = ignore[top + i][left : left + width]
            for c in range(width):
                run[c] = min(run[c], almost) + one if (t[c] != 0) & (p[c] == 0) & (void[c] == 0) else zero
                row[c] = run[c]

    # Below the last row lies the border. It is done apart: one loop for it and the others takes ten times as long.
    row = g[height - 1]
    row_max[height - 1] = 0
    for c in range(width):
        row[c] = min(row[c], one)
        row_max[height - 1] |= row[c]
    for j in range(1, height):
        i = height - 1 - j
        row, below = g[i], g[i + 1]
        most = g.dtype.type(0)
        for c in range(width):
            d = min(row[c], g.dtype.type(below[c] + g.dtype.type(1)))
            row[c] = d
            most = max(most, d)
        row_max[i] = most


@njit(nogil=True)
def _is_clicked(clicked: Array, r: int, c: int) -> bool:
    for i in range(clicked.shape[0]):  # noqa: SIM110 (numba has no any() of a generator)
        if clicked[i, 0] == r and clicked[i, 1] == c:
            return True
    return False


@njit(nogil=True)
def _root(square: int) -> int:
    """The greatest integer whose square is at most `square`."""
    return int(math.sqrt(float(square)))  # exact below 2^52


@njit(nogil=True)
def _root_up(square: int) -> int:
    """The least integer whose square is at least `square`."""
    root = _root(square)
    return root if root * root == square else root + 1


@njit(nogil=True)
def _square_at(row: Array, c: int, enough: int) -> int:
    """The squared distance at column c of a row of `g`; if it is less than `enough`, anything less than `enough`."""
    width = row.shape[0]
    square = int(row[c]) * int(row[c])
    k = 1
    while k * k < square and square >= enough:
        d = int(row[c - k]) if c - k >= 0 else 0
        square = min(square, k * k + d * d)
        d = int(row[c + k]) if c + k < width else 0
        square = min(square, k * k + d * d)
        k += 1
    return square


@njit(nogil=True)
def _lower_bound(g: Array, row_max: Array, needed: int, clicked: Array, top: int, left: int) -> int:
    """`needed`, or the greatest squared distance on a coarse grid, if that is more."""
    height, width = g.shape
    step = max(8, int(row_max.max()) // 4)
    for r in range(step // 2, height, step):
        if int(row_max[r]) * int(row_max[r]) <= needed:
            continue
        row = g[r]
        for c in range(step // 2, width, step):
            if int(row[c]) * int(row[c]) > needed:
                square = _square_at(row, c, needed + 1)
                if square > needed and not _is_clicked(clicked, top + r, left + c):
                    needed = square
    return needed


@njit(nogil=True)
def _sift_row(row: Array, needed: int, span: int, maybe: Array) -> bool:
    """Whether any column of a row of `g` stands up to five of the columns that could rule it out.

    Those that do are marked in `maybe`, at index column - `span`. The five are the column itself, the two `span` away
    and the two half as far. In noise hardly any column is left for the search proper, which is not vectorised.
    """
    n = row.shape[0] - 2 * span
    half = (span + 1) // 2
    centre, far_left, far_right = row[span : span + n], row[:n], row[2 * span : 2 * span + n]
    half_left, half_right = row[span - half : span - half + n], row[span + half : span + half + n]
    least = row.dtype.type(_root_up(needed))
    at_half = row.dtype.type(_root_up(needed - half * half))
    at_span = row.dtype.type(_root_up(needed - span * span))
    for i in range(n):
        maybe[i] = (
            (centre[i] >= least)
            & (far_left[i] >= at_span)
            & (far_right[i] >= at_span)
            & (half_left[i] >= at_half)
            & (half_right[i] >= at_half)
        )
    some = np.uint8(0)
    for i in range(n):
        some |= maybe[i]
    return bool(some)


@njit(nogil=True)
def _search_row(row: Array, needed: int, clicked: Array, r: int, left: int, maybe: Array) -> tuple[int, int]:
    """(square, column) of the first maximum, not clicked, of a row of `g`; (0, -1) if it is less than `needed` (>= 1).

    The row begins at (`r`, `left`) of the image; beyond both its ends lies the border. `maybe` (w,) uint8 is scratch.
    """
    width = row.shape[0]
    best, best_c = 0, -1
    # Column c + k or c - k rules c out if k^2 + g^2 < needed. Up to k = span one with g = 0 does, and so the border.
    span = _root(needed - 1)
    if 2 * span >= width or not _sift_row(row, needed, span, maybe):
        return best, best_c
    first = span
    c = first
    while c < width - span:
        if c < span:  # which has grown
            c = span
            continue
        if not maybe[c - first]:
            c += 1
            continue
        # What rules c out also rules out what is within sqrt(needed - 1 - g^2) of it. The nearest such column on the
        # left, or the farthest on the right, lets us jump the farthest.
        jump = -1
        for k in range(span + 1):
            d = int(row[c - k])
            if k * k + d * d < needed:
                jump = c - k + _root(needed - 1 - d * d) + 1
                break
        if jump < 0:
            for k in range(span, 0, -1):
                d = int(row[c + k])
                if k * k + d * d < needed:
                    jump = c + k + _root(needed - 1 - d * d) + 1
                    break
        if jump >= 0:
            c = jump
            continue
        if not _is_clicked(clicked, r, left + c):
            best, best_c = _square_at(row, c, needed), c
            needed = best + 1
            span = _root(needed - 1)
        c += 1
    return best, best_c


@njit(nogil=True)
def _search(g: Array, row_max: Array, needed: int, clicked: Array, top: int, left: int) -> tuple[int, int, int]:
    """(square, row, column) of the first maximum in row-major order that is not clicked and is `needed` (>= 1) or more.

    (0, -1, -1) where there is none. The corner of `g` is at (`top`, `left`) of the image, whose row and column it is.
    """
    height, width = g.shape
    needed = _lower_bound(g, row_max, needed, clicked, top, left)
    maybe = np.empty(width, np.uint8)
    best, best_r, best_c = 0, -1, -1
    # The row with the greatest column distance goes first: the better the best so far, the more rows are passed over.
    start = int(np.argmax(row_max))
    for turn in range(height + 1):
        r = start if turn == 0 else turn - 1
        if turn > 0 and r == start:
            continue
        # A tie goes to the earlier row.
        least = max(needed, best if r < best_r else best + 1)
        if int(row_max[r]) * int(row_max[r]) < least:
            continue
        square, c = _search_row(g[r], least, clicked, top + r, left, maybe)
        if c >= 0:
            best, best_r, best_c = square, r, c
    if best_r < 0:
        return 0, -1, -1
    return best, top + best_r, left + best_c


@njit(cache=True, nogil=True)
def _farthest_error(
    target: Array, prediction: Array, ignore: Array | None, clicked: Array, in_columns: Array, memory: Array
) -> tuple[int, int, int]:
    """`farthest_error`; `in_columns` (2, W) holds zeros; `memory` (H * W,) has the type of `g`."""
    height = target.shape[0]
    in_rows = np.empty((2, height), np.uint8)
    _count(target, prediction, ignore, in_columns, in_rows)
    boxes = np.empty((2, 4), np.int64)  # top, left, height, width
    bounds = np.empty(2, np.int64)
    for error in range(2):
        top, bottom, _ = _extent(in_rows[error])
        left, right, count = _extent(in_columns[error])
        boxes[error] = top, left, bottom - top + 1, right - left + 1
        bounds[error] = _upper_bound(bottom - top + 1, right - left + 1, count)

    row_max = np.empty(height, memory.dtype)
    first = _FALSE_NEGATIVE if bounds[_FALSE_NEGATIVE] > bounds[_FALSE_POSITIVE] else _FALSE_POSITIVE
    best, best_r, best_c = 0, -1, -1
    for error in (first, 1 - first):
        # Equal maxima make a negative click: a false positive wins with as much, a false negative needs more.
        needed = max(1, best if error == _FALSE_POSITIVE else best + 1)
        if bounds[error] < needed:
            continue
        top, left, h, w = boxes[error]
        g = memory[: h * w].reshape((h, w))
        _column_distances(target, prediction, ignore, error, top, left, g, row_max[:h])
        square, r, c = _search(g, row_max[:h], needed, clicked, top, left)
        if r >= 0:
            best, best_r, best_c = square, r, c
    return best_r, best_c, best
