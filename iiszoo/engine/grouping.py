"""Samples by image: what is read, encoded and decoded once serves all samples of an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iiszoo.data.base import Sample


def by_image(samples: Iterable[Sample]) -> list[list[int]]:
    """The indices of the samples that share an image, in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        groups.setdefault(sample.image_id, []).append(i)
    return list(groups.values())
