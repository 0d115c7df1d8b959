"""Images, and masks to correct, as people have them: in memory or as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageOps

from iiszoo.data.initial_files import read_mask_file
from iiszoo.data.mask_values import labels_in, several
from iiszoo.data.read import as_8_bit, read_image
from iiszoo.errors import BadOption, DatasetError, one_line

if TYPE_CHECKING:
    from iiszoo.data.base import Mask, Probabilities


def to_rgb(image: Any) -> NDArray[np.uint8]:
    """uint8 `(H, W, 3)`, RGB, of an array uint8 `(H, W)`, `(H, W, 3)` or `(H, W, 4)`, a Pillow image, or a file's path.

    Grey is repeated, alpha dropped, a Pillow image turned as its EXIF says. Raises `BadOption` for anything else, and
    `DatasetError` for a file that cannot be read.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image).expanduser())
    if isinstance(image, pillow.Image):
        image = _of_pillow(image)
    if not isinstance(image, np.ndarray):
        raise BadOption(f"an image must be a uint8 array, a Pillow image or a path, not {type(image).__name__}")
    if image.dtype != np.uint8:
        raise BadOption(f"an image must be uint8, from 0 to 255, not {image.dtype}{_way_to_8_bit(image)}")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, 2)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        turned = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        hint = "; this one has its channels first: image.transpose(1, 2, 0)" if turned else ""
        raise BadOption(f"an image must have the shape (H, W, 3), (H, W, 4) or (H, W), not {image.shape}{hint}")
    if not image.size:
        raise BadOption(f"an image must have pixels, but its shape is {image.shape}")
    return np.ascontiguousarray(image[:, :, :3])


def _of_pillow(image: pillow.Image) -> NDArray[np.uint8]:
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("I", "F") or upright.mode.startswith("I;"):
            return as_8_bit("the image", np.asarray(upright))
        return np.asarray(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # decoding happens here
        raise DatasetError(f"the image cannot be decoded: {one_line(error)}") from error


def _way_to_8_bit(image: NDArray[Any]) -> str:
    if image.dtype.kind == "f" and image.size and image.min() >= 0 and image.max() <= 1:
        return "; (255 * image).round().astype('uint8') converts this one"
    return ""


def to_mask(mask: Any, size: tuple[int, int]) -> Mask | Probabilities:
    """A mask to correct, for an image of `size` (rows, columns): bool `(H, W)`, or float32 `(H, W)` in [0, 1].

    Takes both, integers as `folder:` reads them (`iiszoo.data.mask_values`: one value beside 0, such as 255), a Pillow
    image, or the path of a picture or of probabilities in a `.npy` file. Raises `BadOption` or `DatasetError`.
    """
    if isinstance(mask, str | Path):
        mask = read_mask_file(Path(mask).expanduser())
    if isinstance(mask, pillow.Image):
        mask = np.asarray(mask)
    if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "biuf":
        raise BadOption(f"a mask must be an array, bool or probabilities, not {type(mask).__name__}")
    if mask.shape != size:
        raise BadOption(f"the mask has the shape {mask.shape}, but the image {size[0]} rows and {size[1]} columns")
    if mask.dtype.kind == "f":
        if not (mask.min() >= 0 and mask.max() <= 1):  # NaN is neither
            raise BadOption(f"the mask's probabilities must lie in [0, 1], not from {mask.min():g} to {mask.max():g}")
        return mask.astype(np.float32)
    try:
        labels = labels_in(mask, None, lossy=False)
    except ValueError as error:
        raise BadOption(f"the mask: {error}") from error
    if len(labels.objects) > 1:
        raise BadOption(f"the mask has several object values ({several(labels)}); give one object: mask == VALUE")
    return labels.all_objects().object
