"""What every reference of a model answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from iiszoo.progress import NamedProgress

if TYPE_CHECKING:
    from iiszoo.protocol import Model

ModelSpec = str | Callable[..., Any]
"""An id of the zoo, with or without options (`sam/vit-b?rule=segnext`), `"module:function"`, a callable of the standard
format, or a trained network: the directory of a run of `iiszoo train`, or its safetensors file."""

Identity = dict[str, Any]
"""What determines a model's outputs: `id`, `code`, `options`, `weights`. `weights` is absent while the hash of a
file is unknown: upstream publishes none, and it has not been fetched."""


class ModelReference(Protocol):
    """One model, resolved. Frozen, and picklable unless it is a callable of this process alone."""

    @property
    def name(self) -> str:
        """The resolved name with every chosen option, under which results are filed."""

    @property
    def threshold(self) -> float:
        """The probability above which the model counts a pixel as object, as published."""

    def identity(self) -> Identity:
        """What determines the model's outputs, found without loading it."""

    def fetch(self, fetching: NamedProgress | None = None) -> ModelReference:
        """Fetch the weights; returns the reference whose identity includes their hashes.

        Raises `WeightsError`, or `BadOption` for an option that the model does not have.
        """

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        """The model on `device`, for masks at `threshold` (None: its own). Raises an `IISZooError`."""
