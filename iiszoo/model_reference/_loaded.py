"""A model that the caller has loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iiszoo.model_reference._card import CardReference
from iiszoo.model_reference._function import FunctionReference
from iiszoo.model_reference._loading import finished
from iiszoo.model_reference._reference import Identity
from iiszoo.model_reference._trained import TrainedReference
from iiszoo.models.merge_rule import MERGE
from iiszoo.progress import NamedProgress

if TYPE_CHECKING:
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class LoadedReference:
    """A model that the caller has loaded; `origin` identifies it."""

    model: Model
    origin: CardReference | FunctionReference | TrainedReference

    @property
    def name(self) -> str:
        return self.origin.name

    @property
    def threshold(self) -> float:
        return self.model.threshold

    def identity(self) -> Identity:
        return self.origin.identity()

    def fetch(self, fetching: NamedProgress | None = None) -> LoadedReference:
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        return finished(self.model, threshold=threshold)


def loaded(model: Model) -> LoadedReference:
    from iiszoo.models.merge import unmerged

    if model.card is not None:
        return LoadedReference(model, CardReference(model.card, model.options, model.checkpoint))
    if model.checkpoint is not None:
        return LoadedReference(model, TrainedReference(model.checkpoint, model.name.partition("?")[0], model.options))
    return LoadedReference(model, FunctionReference(unmerged(model).function, model.options.get(MERGE)))
