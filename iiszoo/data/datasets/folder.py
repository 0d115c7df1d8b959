"""`folder:DIR`: anybody's images and masks, without a line of code.

DIR holds two subdirectories: images and masks, img and gt, or data_GT and boundary_GT. A mask has its image's stem, or
is called `STEM__OBJECT` where an image has several objects. Sample id = the mask's stem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.cards import DatasetCard
from iiszoo.data.base import PairedFiles, Target, pair_by_stem
from iiszoo.errors import DatasetError

LAYOUTS = (("images", "masks"), ("img", "gt"), ("data_GT", "boundary_GT"))


def load(card: DatasetCard, root: Path | None = None, argument: str = "") -> PairedFiles:
    """The images and masks under the directory `argument`, a relative one from `root` or the working directory."""
    place = (root or Path()) / Path(argument).expanduser()
    if not place.is_dir():
        raise DatasetError(f"dataset folder:{argument}: there is no directory {place.resolve()}")
    for images, masks in LAYOUTS:
        if (place / images).is_dir() and (place / masks).is_dir():
            pairs = pair_by_stem(place / images, place / masks, objects=True)
            if not pairs:
                raise DatasetError(f"dataset folder:{argument}: {place / images} holds no images")
            return PairedFiles(f"folder:{argument}", place, pairs, decode)
    expected = ", or ".join(f"{images}/ and {masks}/" for images, masks in LAYOUTS)
    raise DatasetError(f"dataset folder:{argument}: {place} must hold {expected}")


def decode(pixels: Any) -> Target:
    """A mask of any common kind, by the values that occur in it.

    At most 127 (0/1 masks, class indices, bool): what is not zero is object. Higher (0/255, greys, JPEG): from 128 on
    is object; except that in a mask of just 0, 128 and 255 the 128 is ignored, as GrabCut's is. 16-bit masks that reach
    above 255 count by their upper byte, as 1 where that is 0. Colour: the brightest channel; alpha is left out.
    A palette file counts by its indices, like a grey one.
    """
    import numpy as np

    values = pixels if pixels.ndim == 2 else pixels[:, :, :3].max(axis=2)
    if values.dtype.kind == "f":
        values = values / max(values.max(initial=0), 1) * 255
    elif values.max(initial=0) > 255:
        values = np.maximum(values >> 8, values != 0)
    if values.max(initial=0) <= 127:
        return Target(values != 0, None)
    if np.isin(values, (0, 128, 255)).all():
        ignore = values == 128
        return Target(values == 255, ignore if ignore.any() else None)
    return Target(values >= 128, None)
