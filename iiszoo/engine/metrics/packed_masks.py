"""Masks with eight rows per byte: thresholding, erosion and counting at a fraction of the cost of one byte per pixel.

Pixel (r, c) of an (H, W) mask is bit r % 8 of `packed[r // 8, c]`; `packed` is uint8, C-contiguous, of ceil(H / 8) rows
and of W columns rounded up to a multiple of 8, so that it consists of whole uint64 words; padding bits are 0. A step
along a row is then a step of one byte, and a step along a column a shift within bytes: the inner loops have neither
branches nor neighbours in other words, so that compilers vectorise them.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_LOWEST_BITS = np.uint64(0x0101010101010101)
_EIGHT = np.uint64(8)


@numba.njit(cache=True, nogil=True)
def pack(values: Any, limit: Any) -> Any:
    """`values > limit` of an (H, W) array, packed, and whether all values lie in [0, 1] (False if one is NaN)."""
    height, width = values.shape
    packed = np.zeros(((height + 7) // 8, (width + 7) // 8 * 8), np.uint8)
    outside = np.zeros(width, np.uint8)
    for row in range(height):
        bit = np.uint8(1 << (row % 8))
        line, bits = values[row], packed[row // 8]
        for col in range(width):
            value = line[col]
            bits[col] |= bit if value > limit else np.uint8(0)
            outside[col] |= np.uint8(0) if (value >= 0) & (value <= 1) else np.uint8(1)
    return packed, not outside.any()


@numba.njit(cache=True, nogil=True)
def erode(packed: Any, width: int, radius: int) -> Any:
    """The pixels whose square of 2 radius + 1 rows and columns is all object; outside the (H, `width`) mask is
    background.

    A run of n object pixels and the run n further on make one of 2 n: each direction takes about log2(2 radius + 1)
    steps.
    """
    n_rows, stride = packed.shape
    length = 2 * radius + 1
    one, other = packed.copy(), np.zeros_like(packed)
    if width < length:  # nothing is left; width - radius, below, could be negative
        return other
    n = 1
    flat, spare = one.reshape(-1), other.reshape(-1)
    while 2 * n <= length:  # runs across the end of a row are wrong, but not used below
        _both(flat, flat[n:], spare)
        flat, spare = spare, flat
        n *= 2
    one, other = flat.reshape(n_rows, stride), spare.reshape(n_rows, stride)
    other[:] = 0
    for row in range(n_rows):
        _both(one[row], one[row, length - n :], other[row, radius : width - radius])
    words, spare_words = other.reshape(-1).view(np.uint64), one.reshape(-1).view(np.uint64)
    n = 1
    while 2 * n <= length:
        _both_below(words, n, stride // 8, spare_words)
        words, spare_words = spare_words, words
        n *= 2
    _both_below(words, length - n, stride // 8, spare_words)
    _lower(spare_words, radius, stride // 8, words)
    return words.view(np.uint8).reshape(n_rows, stride)


@numba.njit(cache=True, nogil=True)
def _both(a: Any, b: Any, out: Any) -> None:
    """`a & b` as far as `b` and `out` reach."""
    for i in range(min(len(b), len(out))):
        out[i] = a[i] & b[i]


@numba.njit(cache=True, nogil=True)
def _both_below(words: Any, n: int, n_words: int, out: Any) -> None:
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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def overlap(a: Any, b: Any) -> tuple[int, int]:
    """Pixels in both masks, and in either."""
    both = either = np.uint64(0)
    one, other = a.reshape(-1).view(np.uint64), b.reshape(-1).view(np.uint64)
    for i in range(len(one)):
        both += _n_ones(one[i] & other[i])
        either += _n_ones(one[i] | other[i])
    return int(both), int(either)


@numba.njit(cache=True, nogil=True)
def _n_ones(word: Any) -> Any:
    """The number of bits set, by sums of neighbours: compilers recognise the form and emit one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * _LOWEST_BITS) >> np.uint64(56)
