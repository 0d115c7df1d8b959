"""How image sizes divide into SimpleClick's windows; uncbiag/SimpleClick at f33112e, `models_vit.py`."""

from __future__ import annotations

from iiszoo.errors import BadOption

TRAINED = 448
"""Side in pixels of the training images, which the position embedding matches."""
PRETRAINED = 224
"""Side in pixels of the pre-training images (MAE); a window covers about as much."""

Grid = tuple[int, int]
"""(rows, columns)."""


def grid_of(size: tuple[int, int], patch: int) -> Grid:
    """Patches of an image of `size` (height, width) pixels; the remainder at the bottom and right is not seen."""
    return size[0] // patch, size[1] // patch


def windows_of(size: tuple[int, int], patch: int) -> Grid:
    """Windows of an image of `size` (height, width) pixels: 2 x 2 for 448 x 448, 3 x 3 for 672 x 672.

    All windows are equal and there is no padding, so not every size is possible. Raises `BadOption` for such a size.
    """
    grid = grid_of(size, patch)
    rows, columns = (side // (PRETRAINED // patch) for side in grid)
    if not (rows and columns) or grid[0] % rows or grid[1] % columns:
        what = f"divide into {rows} x {columns} equal windows" if rows and columns else "fill one window"
        raise BadOption(
            f"SimpleClick cannot use an image of {size[0]} x {size[1]} pixels: its {grid[0]} x {grid[1]} patches do "
            f"not {what}; use a multiple of {PRETRAINED} for both sides, such as {TRAINED}"
        )
    return rows, columns
