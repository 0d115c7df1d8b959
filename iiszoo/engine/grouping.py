"""Samples grouped by image: reading, decoding and encoding an image once serves all its samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iiszoo.data.base import Sample


def by_image(samples: Iterable[Sample]) -> list[list[int]]:
    """Indices of the samples, one list per image, in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        groups.setdefault(sample.image_id, []).append(i)
    return list(groups.values())
