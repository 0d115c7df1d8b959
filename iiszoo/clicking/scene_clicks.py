"""The first clicks of one training sample that know the scene: the parts of the target, and other objects.

    positives, negatives = multi_point_of_scene(parts, others, target, valid, rng)

`parts`: bool (H, W) each, together `target`, and none where nothing is to be segmented; `others` bool (H, W), the other
objects' pixels, or None if there is no other object; `valid` bool (H, W), False where no click may fall, or None.
Clicks are (row, col).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from iiszoo.clicking import initial
from iiszoo.clicking.first_clicks import FirstClicks, Mask, Points

SceneClicks = Callable[[Sequence[Mask], Mask | None, Mask, Mask | None, np.random.Generator], tuple[Points, Points]]


def multi_point_of_scene(
    parts: Sequence[Mask],
    others: Mask | None,
    target: Mask,
    valid: Mask | None,
    rng: np.random.Generator,
    *,
    max_points: int = 12,
    gamma: float = 0.8,
    shares: tuple[float, float, float] = (initial.BACKGROUND, initial.OTHER_OBJECTS, initial.BORDER),
) -> tuple[Points, Points]:
    """`iiszoo.clicking.initial.multi_point` for a target of several parts: each is eroded by itself.

    A target of one part gets k in 1 ... `max_points` positive clicks, with a probability proportional to
    `gamma`^(k - 1). One of several parts gets one in each, and k in 0 ... `max_points` more, proportional to `gamma`^k,
    each in a part drawn for it; `max_points` in all at most. Negative clicks, k in 0 ... `max_points`, fall in the
    background, on other objects or around the target, by `shares`; without a part all of them fall on no object.

    Source: `MultiPointSampler` (`isegm/data/points_sampler.py`) of SamsungLabs/ritm_interactive_segmentation, b9b4460.
    """
    free = np.ones_like(target) if valid is None else valid
    inner = [initial.often_eroded(part & free, rng) for part in parts]
    if len(inner) == 1:
        positives = initial.draw_pixels(inner[0], 1 + _number(gamma, max_points, rng), rng)
    else:
        positives = _drawn(inner, [1] * len(inner), rng)
        n_more = _number(gamma, max_points + 1, rng) if inner else 0
        each = np.bincount(rng.integers(max(1, len(inner)), size=n_more), minlength=len(inner))
        more, room = _drawn(inner, each.tolist(), rng), max_points - len(positives)
        positives += more if len(more) <= room else [more[k] for k in rng.permutation(len(more))[:room]]
    background = ~target & free
    if parts:
        elsewhere = background if others is None else others & background
        candidates = [background, elsewhere, initial.border_band(target) & free]
    else:
        candidates = [background if others is None else background & ~others] * 3
    chosen = np.bincount(rng.choice(3, size=_number(gamma, max_points + 1, rng), p=shares), minlength=3)
    return positives, _drawn(candidates, chosen.tolist(), rng)


def without_scene(first_clicks: FirstClicks) -> SceneClicks:
    """Clicks that know the target alone."""

    def clicks(
        parts: Sequence[Mask], others: Mask | None, target: Mask, valid: Mask | None, rng: np.random.Generator
    ) -> tuple[Points, Points]:
        return first_clicks(target, valid, rng)

    return clicks


SCENE_CLICKS: dict[str, Callable[..., tuple[Points, Points]]] = {"multi-point": multi_point_of_scene}
"""Those of `FIRST_CLICKS` that know the scene where there is one."""


def _drawn(masks: Sequence[Mask], each: Sequence[int], rng: np.random.Generator) -> Points:
    """From each mask as many pixels as `each` says; without masks, none."""
    return [point for mask, n in zip(masks, each, strict=False) for point in initial.draw_pixels(mask, n, rng)]


def _number(gamma: float, n: int, rng: np.random.Generator) -> int:
    """0 ... `n` - 1, the k-th with a probability proportional to `gamma`^k."""
    return int(rng.choice(n, p=initial.geometric(gamma, n)))
