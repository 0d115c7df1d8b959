"""Masks of the page in every form: packed in memory, hashed, saved as PNG, as run lengths for COCO and for the page."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo import files
from iiszoo.data.read import read_mask
from iiszoo.errors import DatasetError, RunError

Mask = NDArray[np.bool_]


class Packed(NamedTuple):
    """A mask as row-major bits: an eighth of its size."""

    size: tuple[int, int]
    bits: NDArray[np.uint8]

    def mask(self) -> Mask:
        """Bool (H, W)."""
        count = self.size[0] * self.size[1]
        return np.unpackbits(self.bits, count=count).reshape(self.size).view(bool)


def packed(mask: Mask) -> Packed:
    return Packed((mask.shape[0], mask.shape[1]), np.packbits(mask))


def digest(mask: Packed) -> str:
    """The hash of a mask: sha256 (hex) of `H W`, a line feed, and its row-major bits, padded with zeros to bytes."""
    return hashlib.sha256(f"{mask.size[0]} {mask.size[1]}\n".encode() + mask.bits.tobytes()).hexdigest()


def png(mask: Mask) -> bytes:
    """A PNG of 8 bits: 255 on the object, 0 elsewhere."""
    done, encoded = cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    assert done
    return encoded.tobytes()


class SavedMasks:
    """Masks in a directory, by their hashes. A file is written once, and never changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, hash: str) -> Path:
        return self.directory / f"{hash}.png"

    def save(self, mask: Packed) -> str:
        """Returns its hash. When this returns, the disk has it. Raises `OSError`."""
        hash = digest(mask)
        path = self.path(hash)
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            files.replace_durably(path, png(mask.mask()))
        return hash

    def read(self, hash: str) -> Packed:
        """Raises `RunError` if the file is missing or contains another mask."""
        try:
            found = packed(read_mask(self.path(hash)) > 127)
        except DatasetError as error:
            raise RunError(f"{error}; a saved mask is gone, and its object cannot be shown") from error
        if digest(found) != hash:
            raise RunError(f"{self.path(hash)}: contains another mask than was saved there")
        return found


def run_lengths(mask: Mask) -> list[int]:
    """The lengths of the runs of 0 and 1 in column-major order, beginning with zeros: COCO's plain run lengths."""
    return [int(length) for length in _runs(mask.ravel(order="F"))]


def area_and_box(mask: Mask) -> tuple[int, list[int]]:
    """The number of pixels, and their box as COCO has it: [column, row, width, height]."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, [0, 0, 0, 0]
    box = [cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1]
    return int(np.count_nonzero(mask)), [int(side) for side in box]


def shrunk(mask: Mask, step: int) -> Mask:
    """Every `step`-th pixel of both sides: what a smaller view of the image shows."""
    return mask if step == 1 else mask[step // 2 :: step, step // 2 :: step]


def for_page(mask: Mask) -> bytes:
    """The lengths of the runs of 0 and 1 in row-major order, beginning with zeros, each a little-endian uint32."""
    return _runs(mask.ravel()).astype("<u4").tobytes()


def _runs(flat: NDArray[Any]) -> NDArray[np.int64]:
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0] if flat.size and flat[0] else []
    return np.diff(np.concatenate([[0], first, changes, [flat.size]])).astype(np.int64)
