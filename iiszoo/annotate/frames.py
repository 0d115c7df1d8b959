"""Masks on their way to the page: a header of JSON, its length before it as a little-endian uint32, and run lengths."""

from __future__ import annotations

import json
from typing import NamedTuple

from iiszoo.annotate import masks
from iiszoo.annotate.masks import Mask

OVERVIEW_PIXELS = 2_000_000
"""An image with more pixels is shown by every 2nd, 4th, ... pixel of its mask, and by all of them where one looks."""


class View(NamedTuple):
    """What the page shows of a large image: a rectangle in pixels of the image, and that it shows every `step`-th."""

    top: int
    left: int
    height: int
    width: int
    step: int


def overview_step(size: tuple[int, int]) -> int:
    step = 1
    while size[0] * size[1] / step**2 > OVERVIEW_PIXELS:
        step *= 2
    return step


def overview(mask: Mask, **header: object) -> bytes:
    """The whole mask, in as many pixels as the page shows of it."""
    step = overview_step((mask.shape[0], mask.shape[1]))
    return _frame(masks.shrunk(mask, step), step=step, top=0, left=0, **header)


def detail(mask: Mask, view: View, **header: object) -> bytes:
    """The part of the mask that the page looks at."""
    part = mask[view.top : view.top + view.height, view.left : view.left + view.width]
    return _frame(masks.shrunk(part, view.step), step=view.step, top=view.top, left=view.left, **header)


def _frame(mask: Mask, **header: object) -> bytes:
    text = json.dumps({**header, "rows": mask.shape[0], "cols": mask.shape[1]}).encode()
    text += b" " * (-len(text) % 4)  # so that the run lengths are aligned
    return len(text).to_bytes(4, "little") + text + masks.for_page(mask)
