"""What is done to a model once it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iiszoo.protocol import Model


def finished(model: Model, merge: Any = None, threshold: float | None = None) -> Model:
    """The model with its outputs merged by the rule `merge`, for masks at `threshold`; None leaves either as it is."""
    if merge is not None:
        from iiszoo.models.merge import merging

        model = merging(model, merge)
    return model if threshold is None else model.at_threshold(threshold)
