"""The sizes of an `iiszoo.models.windowed_vit`, and how images divide into its windows (uncbiag/SimpleClick f33112e,
`models_vit.py`). Torch is not imported, so that a loader can refuse a size before it does anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

from iiszoo.errors import BadOption

PRETRAINED = 224
"""Side in pixels of the pre-training images (MAE); a window covers about as much."""

Grid = tuple[int, int]
"""(rows, columns)."""


@dataclass(frozen=True)
class ViTSizes:
    """The parameters in which the backbones differ."""

    dim: int
    """Channels of a token."""
    depth: int
    """Transformer blocks."""
    heads: int
    patch: int
    """Side of a patch in pixels."""
    global_every: int
    """The last of each such group of blocks attends to the whole image, the others within windows; divides `depth`."""
    trained: int
    """Side in pixels of the training images, which the position embedding matches."""


def grid_of(size: tuple[int, int], patch: int) -> Grid:
    """Patches of an image of `size` (height, width) pixels; the remainder at the bottom and right is not seen."""
    return size[0] // patch, size[1] // patch


def windows_of(size: tuple[int, int], patch: int) -> Grid:
    """Windows of an image of `size` (height, width) pixels: 2 x 2 for 448 x 448, 4 x 4 for 1024 x 1024.

    All windows are equal and there is no padding, so not every size is possible. Raises `BadOption` for such a size.
    """
    grid = grid_of(size, patch)
    rows, columns = (side // (PRETRAINED // patch) for side in grid)
    if not (rows and columns) or grid[0] % rows or grid[1] % columns:
        what = f"divide into {rows} x {columns} equal windows" if rows and columns else "fill one window"
        raise BadOption(
            f"the network cannot use an image of {size[0]} x {size[1]} pixels: its {grid[0]} x {grid[1]} patches do "
            f"not {what}; use a multiple of {PRETRAINED} for both sides, such as {2 * PRETRAINED}"
        )
    return rows, columns
