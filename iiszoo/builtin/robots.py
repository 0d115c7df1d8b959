"""Cards of iiszoo's own robots."""

from __future__ import annotations

from iiszoo.cards import RobotCard

ROBOTS = (
    RobotCard(
        id="ritm",
        loader="iiszoo.clicking.robots:load_ritm",
        summary="the field's standard: the pixel deepest inside the larger of false negatives and false positives",
        paper="Reviving Iterative Training with Mask Guidance, arXiv 2102.06583",
    ),
)
