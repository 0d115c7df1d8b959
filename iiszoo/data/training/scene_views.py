"""Views of a whole scene for training: the crop is taken first, and the target then chosen among what it shows.

    scene = random_crop(image, masks, rng, size=(320, 480))

`image` uint8 (H, W, 3), RGB; `masks` integers (H, W, L), as in `iiszoo.data.seg_dataset.Sample`. This is the order of
RITM and of all code bases that descend from it (`ISDataset.__getitem__` in `isegm/data/base.py` of
SamsungLabs/ritm_interactive_segmentation at b9b4460); the views of `iiszoo.data.training.views` are crops of one
chosen object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
FullMasks = NDArray[np.integer[Any]]
Rng = np.random.Generator


class Scene(NamedTuple):
    """`image` uint8 (h, w, 3) and `masks` integers (h, w, L)."""

    image: Image
    masks: FullMasks


SceneView = Callable[[Image, FullMasks, Rng], Scene | None]

_TRIES = 400
"""Crops of one image; without an object the last is reached with a probability of 1e-9 at RITM's share of 0.05."""


def random_crop(
    image: Image,
    masks: FullMasks,
    rng: Rng,
    *,
    size: tuple[int, int],
    scale: tuple[float, float] = (0.75, 1.4),
    all_flips: bool = False,
    quarter_turns: bool = False,
    shift: float = 0.0,
    rotation: float = 0.0,
    background: float = 0.05,
    colour: float = 0.75,
) -> Scene | None:
    """A crop as RITM trains on it.

    In this order: both sides are resized by one factor, uniform over `scale`; mirrored with probability 0.5, left to
    right, or with `all_flips` upside down or both, each equally likely; with `quarter_turns`, in half of the cases
    turned by 0 to 3 quarters; with `shift` or `rotation`, in three of four cases moved by up to `shift` of the sides
    and turned by up to `rotation` degrees; padded to `size`, equally on both sides; cropped to `size`, uniform over all
    positions. What comes in from outside is black, and background that counts.

    A crop without any object is kept with probability `background`, else another is taken. With probability `colour`
    each, brightness and contrast change, and the channels shift (`recoloured`). None if no crop was kept.

    Source: the `train_augmentator` of `models/iter_mask/hrnet18s_cocolvis_itermask_3p.py` (its defaults are here), of
    `hrnet18_sbd_itermask_3p.py` (flips, turns, shift 0.03, rotation 3, scale 0.75 to 1.25, background 0.01), and
    `ISDataset.augment_sample`, of RITM at b9b4460, with albumentations 0.5's rules.
    """
    for _ in range(_TRIES):
        scene = _warped(Scene(image, masks), rng, size, scale, all_flips, quarter_turns, shift, rotation)
        if (scene.masks > 0).any() or rng.random() < background:
            return Scene(recoloured(scene.image, rng, colour), scene.masks)
    return None


SCENE_VIEWS: dict[str, Callable[..., Scene | None]] = {"random-crop": random_crop}


def recoloured(image: Image, rng: Rng, share: float = 0.75) -> Image:
    """With probability `share`: contrast times 0.85 to 1.4, then brightness shifted by up to a quarter of 255; with
    probability `share`: each channel shifted by up to 10. Values are cut at 0 and 255 and to whole numbers after each.

    Source: `RandomBrightnessContrast` and `RGBShift` of albumentations 0.5, as RITM configures them.
    """
    if rng.random() < share:
        contrast, brightness = rng.uniform(0.85, 1.4), rng.uniform(-0.25, 0.25)
        image = _looked_up(image, np.arange(256)[:, None].repeat(3, 1) * contrast + brightness * 255)
    if rng.random() < share:
        image = _looked_up(image, np.arange(256)[:, None] + rng.uniform(-10, 10, 3))
    return image


def _looked_up(image: Image, ramp: NDArray[Any]) -> Image:
    """`ramp` (256, 3): the new values of each channel."""
    return np.asarray(cv2.LUT(image, np.clip(ramp, 0, 255).astype(np.uint8)[None]), np.uint8)


def _warped(
    scene: Scene,
    rng: Rng,
    size: tuple[int, int],
    scale: tuple[float, float],
    all_flips: bool,
    quarter_turns: bool,
    shift: float,
    rotation: float,
) -> Scene:
    scene = _resized(scene, rng.uniform(*scale))
    if rng.random() < 0.5:
        axes = ((1,), (0,), (0, 1))[int(rng.integers(3)) if all_flips else 0]
        scene = Scene(np.flip(scene.image, axes), np.flip(scene.masks, axes))
    if quarter_turns and rng.random() < 0.5:
        turns = int(rng.integers(4))
        scene = Scene(np.rot90(scene.image, turns), np.rot90(scene.masks, turns))
    if (shift or rotation) and rng.random() < 0.75:
        scene = _moved(scene, rng.uniform(-rotation, rotation), rng.uniform(-shift, shift, 2))
    return _cropped(_padded(scene, size), rng, size)


def _resized(scene: Scene, factor: float) -> Scene:
    height, width = (max(1, round(side * factor)) for side in scene.image.shape[:2])
    image = cv2.resize(scene.image, (width, height), interpolation=cv2.INTER_LINEAR)
    return Scene(np.asarray(image, np.uint8), _by_nearest(scene.masks, (height, width)))


def _by_nearest(masks: FullMasks, size: tuple[int, int]) -> FullMasks:
    """`masks` at `size`, by the pixel that OpenCV's `INTER_NEAREST` takes, of any integer type."""
    rows, cols = (
        np.minimum(np.arange(new) * (1 / (new / old)), old - 1).astype(int)
        for new, old in zip(size, masks.shape[:2], strict=True)
    )
    return masks[np.ix_(rows, cols)]


def _moved(scene: Scene, degrees: float, shift: NDArray[np.float64]) -> Scene:
    """Turned about the middle and moved by `shift` (down, right) of the sides."""
    height, width = scene.image.shape[:2]
    matrix: NDArray[Any] = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += shift[::-1] * (width, height)
    picture = np.ascontiguousarray(scene.image)
    image = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    # by index, since OpenCV warps neither all integer types nor any number of layers
    rows, cols = np.indices((height, width))
    inverse = cv2.invertAffineTransform(matrix)
    x, y = (np.rint(a * cols + b * rows + c).astype(int) for a, b, c in inverse)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    masks = np.zeros_like(scene.masks)
    masks[inside] = scene.masks[y[inside], x[inside]]
    return Scene(np.asarray(image, np.uint8), masks)


def _padded(scene: Scene, size: tuple[int, int]) -> Scene:
    lacks = [max(0, wanted - side) for wanted, side in zip(size, scene.image.shape[:2], strict=True)]
    if not any(lacks):
        return scene
    around = [(lack // 2, lack - lack // 2) for lack in lacks] + [(0, 0)]
    return Scene(np.pad(scene.image, around), np.pad(scene.masks, around))


def _cropped(scene: Scene, rng: Rng, size: tuple[int, int]) -> Scene:
    top, left = (int(rng.integers(side - w + 1)) for side, w in zip(scene.image.shape[:2], size, strict=True))
    window = np.s_[top : top + size[0], left : left + size[1]]
    return Scene(np.ascontiguousarray(scene.image[window]), np.ascontiguousarray(scene.masks[window]))
