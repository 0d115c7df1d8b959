"""Reading picture files.

Images of any depth and colour become 8-bit RGB the way OpenCV reads them: grey is repeated three times, a 16-bit
channel keeps its upper byte, an alpha channel is dropped, a JPEG is turned as its EXIF orientation says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iiszoo.errors import DatasetError


def read_image(path: Path) -> NDArray[np.uint8]:
    """uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""
    return np.asarray(cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_mask(path: Path) -> NDArray[Any]:
    """The stored values: `(H, W)`, or `(H, W, C)` with blue first, as OpenCV reads them. A palette file's are indices:
    its colours are for the eye, and OpenCV would give those.
    """
    indices = _palette_indices(path)
    return _read(path, cv2.IMREAD_UNCHANGED) if indices is None else indices


def _palette_indices(path: Path) -> NDArray[Any] | None:
    """`(H, W)` of a palette file; None of any other, and of what Pillow cannot read: OpenCV may, or says why not."""
    try:
        with Image.open(path) as image:
            return np.asarray(image) if image.mode == "P" else None
    except Exception:  # noqa: BLE001  Pillow raises SyntaxError and others for damaged files
        return None


def _read(path: Path, flags: int) -> NDArray[Any]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        pixels = cv2.imdecode(data, flags) if data.size else None
    except cv2.error as error:
        raise DatasetError(f"{path}: cannot be decoded as an image ({error.err})") from error
    if pixels is None:
        raise DatasetError(f"{path}: cannot be decoded as an image (empty, cut off, or not an image)")
    return np.asarray(pixels)
