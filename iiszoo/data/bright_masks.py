"""Datasets whose masks are pictures of a white object on black, read by their first channel, as in ClickSEG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iiszoo.data.base import Pair, PairedFiles, Target


class BrightMasks(PairedFiles):
    """Object is where the first channel, blue as OpenCV reads it, is above 128; a palette file counts by its colours
    (ClickSEG d61a76b, isegm/data/datasets/cocomval.py and davis585.py). No pixel is ignored.
    """

    def __init__(self, name: str, place: Path, pairs: Sequence[Pair]) -> None:
        super().__init__(name, place, pairs)

    def target_in(self, path: Path) -> Target:
        return decode(colours(path))


def colours(path: Path) -> Any:
    """As `cv2.imread`: uint8 `(H, W, 3)`, blue first, whatever the file's depth. Raises `DatasetError`."""
    from iiszoo.data.read import read_image

    return read_image(path)[:, :, ::-1]


def decode(pixels: Any) -> Target:
    """The target in `pixels`, as returned by `colours`."""
    return Target(pixels[:, :, 0] > 128, None)
