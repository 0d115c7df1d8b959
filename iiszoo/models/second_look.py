"""A second look: from the second click on, the network sees the region that the newest click changed again, enlarged.

After FocalClick's focus view (Chen et al., CVPR 2022, arXiv 2204.02574), with one network for both looks: the expanded
box of the component of changed pixels under the newest click goes through the network again, with the answer as
previous probabilities, and the new answer is pasted over the old one with a soft border.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.clicking.batch_distance import threads
from iiszoo.models.click_model import ClickModel, Sight, _alike
from iiszoo.models.zoom import (
    Box,
    crop,
    crop_size,
    cut,
    expand,
    from_inclusive,
    masks_on_cpu,
    paste,
    read_boxes,
    to_crop,
    whole_image,
)
from iiszoo.protocol import Click, Clicks, Images, Outputs, State, clicks_by_element, join, newest_clicks


@dataclass(frozen=True)
class LookRule:
    """Which region gets a second look.

    Attributes:
        expansion: factor on the sides of the changed component's box, about its centre.
        least: the shortest side, in pixels, before the box is clipped at the border.
        most: no second look if both sides exceed this share of the first look.
    """

    expansion: float = 2.0
    least: float = 80
    most: float = 0.6


def look_again(changed: NDArray[np.bool_], click: Click, seen: Box, rule: LookRule) -> Box | None:
    """The second look's box: the expanded box of the 8-connected component of `changed`, bool (H, W), under the click.

    It is clipped to `seen`, the box of the first look. None if nothing changed under the click, or if the box is hardly
    smaller than `seen`.
    """
    row, col = click
    if not (0 <= row < changed.shape[0] and 0 <= col < changed.shape[1]) or not changed[row, col]:
        return None
    # cv2.connectedComponents is not used: its threads hang in a forked process.
    _, _, _, (left, top, width, height) = cv2.floodFill(changed.astype(np.uint8), None, (col, row), 2, flags=8)
    ends: list[int] = []
    for first, last in ((top, top + height - 1), (left, left + width - 1)):
        ends += map(round, expand(first, last, rule.expansion, rule.least))
    box = from_inclusive(ends).clip(seen)
    if box.height < 2 or box.width < 2 or min(box.height / seen.height, box.width / seen.width) > rule.most:
        return None
    return box


def soft_border(
    size: tuple[int, int],
    inner: tuple[bool, bool, bool, bool],
    share: float = 0.1,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Weights (h, w) that fall towards the borders marked `inner` (top, bottom, left, right), over `share` of a side;
    1 elsewhere.
    """
    lines = []
    for side, (first, last) in zip(size, (inner[:2], inner[2:]), strict=True):
        ramp = max(1.0, share * side)
        at = torch.arange(side, dtype=torch.float32, device=device) + 0.5
        line = torch.ones(side, device=device)
        if first:
            line = torch.minimum(line, at / ramp)
        if last:
            line = torch.minimum(line, (side - at) / ramp)
        lines.append(line)
    return lines[0][:, None] * lines[1]


class LookTwice(ClickModel):
    """A `ClickModel` with a second look. State and arguments are the same; it needs a zoom and the previous mask."""

    rule = LookRule()

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction."""
        y, state = super().__call__(x, z, pcs, ncs)
        outputs = list(y)
        boxes: dict[int, Box] = {}
        sights: dict[int, Sight] = {}
        assert self.zoom is not None
        clicks = [clicks_by_element(kind, len(x)) for kind in (pcs, ncs)]
        asked = [b for b in range(len(x)) if newest_clicks(pcs, ncs, b) and sum(len(kind[b]) for kind in clicks) >= 2]
        after, before = masks_on_cpu(
            *(([values[b][0] for b in asked], self.zoom.threshold) for values in (outputs, z["prev_output"]))
        )
        rois = read_boxes(state["roi"])
        for b, now, then in zip(asked, after, before, strict=True):
            seen = rois[b] or whole_image(x[b].shape[-2:])
            box = look_again(now != then, newest_clicks(pcs, ncs, b)[-1], seen, self.rule)
            if box is None:
                continue
            target = crop_size(box, self.zoom.target)
            layers = tuple(crop(layer, box, target) for layer in (x[b], outputs[b]))
            sights[b] = Sight(layers, *(to_crop(kind[b], box, target) for kind in clicks))
            boxes[b] = box
        for group in _alike(sights):
            for b, probabilities in zip(group, self._probabilities([sights[b] for b in group]), strict=True):
                outputs[b] = _pasted(outputs[b], probabilities, boxes[b])
        y = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**state, "prev_output": y}


def _pasted(answer: Tensor, part: Tensor, box: Box) -> Tensor:
    size = (int(answer.shape[-2]), int(answer.shape[-1]))
    inner = (box.top > 0, box.bottom < size[0], box.left > 0, box.right < size[1])
    over = answer.new_zeros(answer.shape)
    cut(over, box).copy_(soft_border((box.height, box.width), inner, device=answer.device))
    return torch.lerp(answer, paste(part, box, size), over)


def training_looks(
    before: Tensor, after: Tensor, newest: list[Click | None], rule: list[LookRule], threshold: float
) -> dict[int, Box]:
    """The boxes of elements of a training batch that have one, by element; probabilities (B, 1, H, W), one transfer."""
    changed = ((after[:, 0] > threshold) != (before[:, 0] > threshold)).cpu().numpy()
    seen = whole_image(changed.shape[1:])
    asked = [(b, click) for b, click in enumerate(newest) if click is not None]
    boxes = threads().map(lambda one: look_again(changed[one[0]], one[1], seen, rule[one[0]]), asked)
    return {b: box for (b, _), box in zip(asked, boxes, strict=True) if box is not None}
