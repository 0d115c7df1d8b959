"""Masks with eight rows per byte: thresholding, erosion and counting at a fraction of the cost of one byte per pixel.

Pixel (r, c) of an (H, W) mask is bit r % 8 of byte c of row r // 8. A `Packed` has ceil(H / 8) rows of W bytes, rounded
up to whole words of eight bytes, one row after another; padding bits are 0. A step along a row is then a step of one
byte, and a step along a column a shift within bytes: the inner loops have neither branches nor neighbours in other
words, so that compilers vectorise them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iiszoo.compiled import compiled, compiled_part

Packed = NDArray[np.uint64]
"""A mask, one-dimensional, ceil(H / 8) * ceil(W / 8) words."""

_LOWEST_BITS = np.uint64(0x0101010101010101)
_EIGHT = np.uint64(8)


class Compared(NamedTuple):
    """A prediction's `mask`, its inner `boundary`, whether all values lie in [0, 1] (a NaN does not), and the pixels
    that both masks and that either has in common with the target, of the objects and of the boundaries.
    """

    mask: Packed
    boundary: Packed
    sound: bool
    objects: tuple[int, int]
    boundaries: tuple[int, int]


def nothing(height: int, width: int) -> Packed:
    """The mask of no pixel."""
    return np.zeros((height + 7) // 8 * ((width + 7) // 8), np.uint64)


def compare(
    values: NDArray[np.float32], limit: np.float32, radius: int, counted: Packed, object: Packed, boundary: Packed
) -> Compared:
    """`values > limit` of an (H, W) array, without pixels that are not `counted`, against a target.

    The boundary is of the pixels whose square of 2 radius + 1 rows and columns is not all object; outside the mask is
    background.
    """
    memory = np.zeros((3, len(counted)), np.uint64)
    sound, *pixels = _compare(values, limit, radius, counted, object, boundary, memory, memory.view(np.uint8))
    return Compared(memory[0], memory[1], sound, (pixels[0], pixels[1]), (pixels[2], pixels[3]))


# All memory comes from outside and all is one kernel: the first score on a machine waits for the compiler, and numba's
# versions of numpy's functions take it longer than the loops.


@compiled
def _compare(
    values: Any, limit: Any, radius: int, counted: Any, object: Any, boundary: Any, memory: Any, as_bytes: Any
) -> Any:
    """(sound, pixels of both objects, of either, of both boundaries, of either). `memory` (3, n) is all zeros and gets
    the mask and its boundary; `as_bytes` is the same memory.
    """
    height, width = values.shape
    sound = _pack(values, limit, as_bytes[0], as_bytes[1])
    mask = memory[0]
    for i in range(len(mask)):
        mask[i] &= counted[i]
        memory[1, i] = mask[i]
    eroded = _erode(memory[1], memory[2], as_bytes[1], as_bytes[2], (height + 7) // 8, width, radius)
    own = memory[1]
    for i in range(len(mask)):
        own[i] = mask[i] & ~eroded[i]
    both, either = _overlap(mask, object)
    both_boundaries, either_boundary = _overlap(own, boundary)
    return sound, both, either, both_boundaries, either_boundary


@compiled_part
def _pack(values: Any, limit: Any, packed: Any, outside: Any) -> Any:
    """Whether all values lie in [0, 1]; `packed` gets `values > limit`. It is zeros, as is `outside`, scratch."""
    height, width = values.shape
    stride = (width + 7) // 8 * 8
    for row in range(height):
        bit = np.uint8(1 << (row % 8))
        line, bits = values[row], packed[row // 8 * stride :]
        for col in range(width):
            value = line[col]
            bits[col] |= bit if value > limit else np.uint8(0)
            outside[col] |= np.uint8(0) if (value >= 0) & (value <= 1) else np.uint8(1)
    any_outside = np.uint8(0)
    for col in range(width):
        any_outside |= outside[col]
    return any_outside == 0


@compiled_part
def _erode(words: Any, other_words: Any, one: Any, other: Any, n_rows: int, width: int, radius: int) -> Any:
    """The mask in `words`, eroded: `words` or `other_words`, which is scratch. `one` and `other` are their bytes.

    A run of n object pixels and the run n further on make one of 2 n: each direction takes about log2(2 radius + 1)
    steps.
    """
    stride = len(one) // n_rows
    length = 2 * radius + 1
    if width < length:  # nothing is left; width - radius, below, could be negative
        other_words[:] = 0
        return other_words
    n = np.int64(1)  # not the literal 1, for which there would be a second version of the functions
    while 2 * n <= length:  # runs across the end of a row are wrong, but not used below
        _both(one, one[n:], other)
        one, other, words, other_words = other, one, other_words, words
        n *= 2
    other[:] = 0
    for row in range(n_rows):
        begin, end = row * stride, (row + 1) * stride
        _both(one[begin:end], one[begin + length - n : end], other[begin + radius : begin + width - radius])
    words, other_words = other_words, words
    n = np.int64(1)
    while 2 * n <= length:
        _both_below(words, n, stride // 8, other_words)
        words, other_words = other_words, words
        n *= 2
    _both_below(words, length - n, stride // 8, other_words)
    _lower(other_words, radius, stride // 8, words)
    return words


@compiled_part
def _both(a: Any, b: Any, out: Any) -> None:
    """`a & b` as far as `b` and `out` reach."""
    for i in range(min(len(b), len(out))):
        out[i] = a[i] & b[i]


@compiled_part
def _both_below(words: Any, n: Any, n_words: int, out: Any) -> None:
    """Each pixel & the pixel n rows below it; `n_words` per row of bytes. Below the last row is background."""
    bits = np.uint64(n % 8)
    kept = _LOWEST_BITS * (np.uint64(0xFF) >> bits)  # bits that do not come from the neighbouring byte
    near, far = words[n // 8 * n_words :], words[(n // 8 + 1) * n_words :]
    for i in range(len(far)):
        below = (near[i] >> bits) & kept
        if bits:
            below |= (far[i] << (_EIGHT - bits)) & ~kept
        out[i] = words[i] & below
    for i in range(len(far), len(near)):
        out[i] = words[i] & (near[i] >> bits) & kept
    out[len(near) :] = 0


@compiled_part
def _lower(words: Any, n: int, n_words: int, out: Any) -> None:
    """Each pixel moved n rows down; background enters from above."""
    bits = np.uint64(n % 8)
    kept = _LOWEST_BITS * ((np.uint64(0xFF) << bits) & np.uint64(0xFF))
    out[: n // 8 * n_words] = 0
    top, rest = out[n // 8 * n_words :], out[(n // 8 + 1) * n_words :]
    for i in range(min(n_words, len(top))):
        top[i] = (words[i] << bits) & kept
    own = words[n_words:]
    for i in range(len(rest)):
        moved = (own[i] << bits) & kept
        if bits:
            moved |= (words[i] >> (_EIGHT - bits)) & ~kept
        rest[i] = moved


@compiled_part
def _overlap(a: Any, b: Any) -> Any:
    """Pixels in both masks, and in either."""
    both = either = np.uint64(0)
    for i in range(len(a)):
        both += _n_ones(a[i] & b[i])
        either += _n_ones(a[i] | b[i])
    return np.int64(both), np.int64(either)


@compiled_part
def _n_ones(word: Any) -> Any:
    """The number of bits set, by sums of neighbours: compilers recognise the form and emit one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * _LOWEST_BITS) >> np.uint64(56)
