"""The error pixel farthest from the border of its error, by exact squared Euclidean distance, without a distance map.

The RITM robot needs only the maxima of two distance maps and the first pixel that reaches the greater one. So, instead
of two whole maps:

1. One pass over the masks finds the bounding box and the size of the false negatives and of the false positives. They
   bound the distances from above: the error with the higher bound is searched first, the other only if it can still
   win.
2. Two passes over the bounding box, down and up, give `g`: the distance of each pixel to the nearest pixel of its own
   column that is not such an error; integers, vectorised over the columns.
3. The squared distance of pixel (r, c) is the minimum over all columns c' of (c - c')^2 + g(r, c')^2 (the row pass of
   Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012). It is computed only for pixels that
   can beat the best so far: rows and pixels are first filtered by `g`, and a column c' that rules out one pixel rules
   out all within sqrt(best - g(r, c')^2) of it, which are skipped.

All distances are integers: OpenCV's float transform breaks ties by rounding errors, so it is not the reference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iiszoo.compiled import compiled, compiled_part

Array = NDArray[Any]

_UINT8, _UINT16, _UINT32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32)
_signed: Any = np.int64
"""In compiled code; `int` of an unsigned number is unsigned there, and a signed and an unsigned one make a float."""
_FALSE_NEGATIVE = 0
_FALSE_POSITIVE = 1


def farthest_error(
    target: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    ignore: NDArray[np.uint8] | None,
    clicked: NDArray[np.int64],
) -> tuple[int, int, int]:
    """The error pixel farthest from the border of its error, with ties broken as in RITM's clicker.

    Args:
        target, prediction: (H, W) uint8, C-contiguous; object where not 0.
        ignore: (H, W) uint8, not 0 where a pixel counts neither way; or None.
        clicked: (n, 2) int64 rows (row, column): pixels that cannot be chosen. They do not change any distance.

    Returns:
        (row, column, squared distance), Python ints; (-1, -1, 0) if no pixel can be chosen. A false positive wins a tie
        against a false negative; among equals the first pixel in row-major order wins.
    """
    height, width = target.shape
    # A distance along a column is at most (H + 1) / 2, as there is a border at both ends; the type must also fit one
    # more. Types are small because most of the time goes into moving these arrays.
    dtype = _UINT8 if height < 509 else _UINT16 if height < 131_069 else _UINT32
    counts = np.zeros((2, width + height), _UINT16 if height < 509 else _UINT32)
    n_bytes = (height * width + height + width) * dtype.itemsize
    memory = borrow(n_bytes)
    found: tuple[int, int, int] = _farthest_error(
        target, prediction, ignore, clicked, counts, memory[:n_bytes].view(dtype)
    )
    give_back(memory)
    return found


_spare: list[NDArray[np.uint8]] = []


def borrow(n_bytes: int) -> NDArray[np.uint8]:
    """`n_bytes` or more of uninitialised memory, uint8; return it with `give_back`.

    The operating system supplies fresh memory of an image's size page by page, which takes as long as the whole search,
    so it is kept for the next call. Safe in threads and nested calls: borrowed memory is not in the list, and list.pop
    and list.append are atomic.
    """
    try:
        memory = _spare.pop()
    except IndexError:
        return np.empty(n_bytes, np.uint8)
    return memory if memory.size >= n_bytes else np.empty(n_bytes, np.uint8)


def give_back(memory: NDArray[np.uint8]) -> None:
    """Keep `memory` for the next `borrow`; if an exception prevents this call, the memory is simply not reused."""
    _spare.append(memory)


# Below, `g` is an unsigned array (h, w) over the bounding box of one error, and `needed` the least squared distance of
# interest. Some loops are split, or work on slices, because the compiler vectorises that form.
#
# The first click on a machine waits for the compiler, so the code keeps to what compiles fast: most arrays come from
# outside, maxima are loops, integers are signed (floats would need second versions of the functions), and no array is
# assigned a tuple (numba then compiles the message of a shape error, which takes as long as half of the robot).


@compiled_part
def _count(target: Array, prediction: Array, ignore: Array | None, counts: Array) -> None:
    """Fill `counts` (2, W + H), initially zeros: each error's pixels in each column, then 1 for each row with any."""
    height, width = target.shape
    fn_columns, fp_columns = counts[_FALSE_NEGATIVE], counts[_FALSE_POSITIVE]
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
        counts[_FALSE_NEGATIVE, width + r] = fn_row
        counts[_FALSE_POSITIVE, width + r] = fp_row


@compiled_part
def _extent(counts: Array) -> tuple[int, int, int]:
    """(first, last, total): the indices of the first and the last value above 0 (-1 if there is none), and the sum."""
    first, last, total = -1, -1, 0
    for i in range(counts.shape[0]):
        if counts[i] > 0:
            last = i
            if first < 0:
                first = i
            total += _signed(counts[i])
    return first, last, total


@compiled_part
def _upper_bound(height: int, width: int, count: int) -> int:
    """An upper bound on the squared distances of an error of `count` pixels in a box of that size; 0 for no error."""
    if count == 0:
        return 0
    # No error continues outside the box, so a distance is at most half of the shorter side, rounded up.
    half = (min(height, width) + 1) // 2
    # At distance d every pixel closer than d is an error; as unit squares these cover a disk of radius d - sqrt(1/2).
    radius = math.sqrt(count / math.pi) + 0.70711
    return min(half * half, int(radius * radius) + 1)


@compiled_part
def _box(counts: Array, width: int) -> tuple[int, int, int, int, int]:
    """(top, left, height, width, `_upper_bound`) of an error's box, from its row of `_count`'s counts."""
    left, right, count = _extent(counts[:width])
    top, bottom, _ = _extent(counts[width:])
    h, w = bottom - top + 1, right - left + 1
    return top, left, h, w, _upper_bound(h, w, count)


@compiled_part
def _column_distances(
    target: Array,
    prediction: Array,
    ignore: Array | None,
    error: int,
    top: int,
    left: int,
    g: Array,
    row_max: Array,
) -> None:
    """Fill `g` (h, w), whose corner is at (`top`, `left`) of the masks, and its row maxima, `row_max` (h,)."""
    height, width = g.shape
    if error == _FALSE_POSITIVE:
        target, prediction = prediction, target
    one = g.dtype.type(1)
    zero = g.dtype.type(0)
    # Downwards a run may exceed the type: it stops at the maximum, where the distance upwards is the smaller one.
    almost = g.dtype.type(np.iinfo(g.dtype).max - 1)
    run = np.zeros(width, g.dtype)  # made here: the compiler must see that it is not part of any other array
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

    # The border lies below the last row, which is handled apart: one loop for all rows takes ten times as long.
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


@compiled_part
def _is_clicked(clicked: Array, r: int, c: int) -> bool:
    for i in range(clicked.shape[0]):  # noqa: SIM110 (numba has no any() of a generator)
        if clicked[i, 0] == r and clicked[i, 1] == c:
            return True
    return False


@compiled_part
def _root(square: int) -> int:
    """The greatest integer whose square is at most `square`."""
    return int(math.sqrt(float(square)))  # exact below 2^52


@compiled_part
def _root_up(square: int) -> int:
    """The least integer whose square is at least `square`."""
    root = _root(square)
    return root if root * root == square else root + 1


@compiled_part
def _square_at(row: Array, c: int, enough: int) -> int:
    """The squared distance at column c of a row of `g`; if below `enough`, any value below `enough`."""
    width = row.shape[0]
    square: int = _signed(row[c]) * _signed(row[c])
    k = 1
    while k * k < square and square >= enough:
        d = _signed(row[c - k]) if c - k >= 0 else 0
        square = min(square, k * k + d * d)
        d = _signed(row[c + k]) if c + k < width else 0
        square = min(square, k * k + d * d)
        k += 1
    return square


@compiled_part
def _lower_bound(g: Array, row_max: Array, most: int, needed: int, clicked: Array, top: int, left: int) -> int:
    """The greater of `needed` and the greatest squared distance on a coarse grid; `most` is the maximum of `g`."""
    height, width = g.shape
    step = max(8, most // 4)
    for r in range(step // 2, height, step):
        if _signed(row_max[r]) * _signed(row_max[r]) <= needed:
            continue
        row = g[r]
        for c in range(step // 2, width, step):
            if _signed(row[c]) * _signed(row[c]) > needed:
                square = _square_at(row, c, needed + 1)
                if square > needed and not _is_clicked(clicked, top + r, left + c):
                    needed = square
    return needed


@compiled_part
def _sift_row(row: Array, needed: int, span: int, maybe: Array) -> bool:
    """Whether any column of a row of `g` survives a test against five of the columns that could rule it out.

    Survivors are marked in `maybe`, at index column - `span`. The five are the column itself, the two `span` away and
    the two half as far. In noise hardly any column is left for the actual search, which is not vectorised.
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
    some = maybe.dtype.type(0)
    for i in range(n):
        some |= maybe[i]
    return bool(some != 0)


@compiled_part
def _search_row(row: Array, needed: int, clicked: Array, r: int, left: int, maybe: Array) -> tuple[int, int]:
    """(square, column) of the first unclicked maximum of a row of `g`; (0, -1) if it is below `needed` (>= 1).

    The row begins at (`r`, `left`) of the image; the border lies beyond both its ends. `maybe` (w,) is scratch.
    """
    width = row.shape[0]
    best, best_c = 0, -1
    # Column c + k or c - k rules out c if k^2 + g^2 < needed. With g = 0, as at the border, it does for k <= span.
    span = _root(needed - 1)
    if 2 * span >= width or not _sift_row(row, needed, span, maybe):
        return best, best_c
    first = span
    c = first
    while c < width - span:
        if c < span:  # span has grown
            c = span
            continue
        if not maybe[c - first]:
            c += 1
            continue
        # A column that rules out c also rules out all columns within sqrt(needed - 1 - g^2) of it. The nearest such
        # column on the left, or the farthest on the right, gives the longest jump.
        jump = -1
        for k in range(span + 1):
            d = _signed(row[c - k])
            if k * k + d * d < needed:
                jump = c - k + _root(needed - 1 - d * d) + 1
                break
        if jump < 0:
            for k in range(span, 0, -1):
                d = _signed(row[c + k])
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


@compiled_part
def _search(
    g: Array, row_max: Array, needed: int, clicked: Array, top: int, left: int, maybe: Array
) -> tuple[int, int, int]:
    """(square, row, column) of the first unclicked maximum in row-major order of at least `needed` (>= 1).

    (0, -1, -1) if there is none. The corner of `g` is at (`top`, `left`) of the image; row and column are the image's.
    `maybe` (w,) is scratch.
    """
    height = g.shape[0]
    # The row with the greatest column distance comes first: the better the best so far, the more rows are skipped.
    start, most = 0, _signed(0)
    for r in range(height):
        if row_max[r] > most:
            start, most = r, _signed(row_max[r])
    needed = _lower_bound(g, row_max, most, needed, clicked, top, left)
    best, best_r, best_c = 0, -1, -1
    for turn in range(height + 1):
        r = start if turn == 0 else turn - 1
        if turn > 0 and r == start:
            continue
        # A tie goes to the earlier row.
        least = max(needed, best if r < best_r else best + 1)
        if _signed(row_max[r]) * _signed(row_max[r]) < least:
            continue
        square, c = _search_row(g[r], least, clicked, top + r, left, maybe)
        if c >= 0:
            best, best_r, best_c = square, r, c
    if best_r < 0:
        return 0, -1, -1
    return best, top + best_r, left + best_c


@compiled
def _farthest_error(
    target: Array, prediction: Array, ignore: Array | None, clicked: Array, counts: Array, memory: Array
) -> tuple[int, int, int]:
    """`farthest_error`; `counts` (2, W + H) is all zeros; `memory` (H * W + H + W,) has the dtype of `g`."""
    height, width = target.shape
    _count(target, prediction, ignore, counts)
    boxes = _box(counts[_FALSE_NEGATIVE], width), _box(counts[_FALSE_POSITIVE], width)
    n = height * width
    row_max, maybe = memory[n : n + height], memory[n + height :]
    first = _FALSE_NEGATIVE if boxes[_FALSE_NEGATIVE][4] > boxes[_FALSE_POSITIVE][4] else _FALSE_POSITIVE
    best, best_r, best_c = 0, -1, -1
    for turn in range(2):
        error = first if turn == 0 else 1 - first
        top, left, h, w, bound = boxes[error]
        # Equal maxima give a negative click: a false positive wins a tie, a false negative needs more.
        needed = max(1, best if error == _FALSE_POSITIVE else best + 1)
        if bound < needed:
            continue
        g = memory[: h * w].reshape((h, w))
        _column_distances(target, prediction, ignore, error, top, left, g, row_max[:h])
        square, r, c = _search(g, row_max[:h], needed, clicked, top, left, maybe[:w])
        if r >= 0:
            best, best_r, best_c = square, r, c
    return best_r, best_c, best
