"""The segmenter's proposals, as the masks that sessions start from."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from iiszoo.data.base import EvaluationDataset, Sample, WrappedDataset
from iiszoo.engine.campaign.segmenter_file import Trained
from iiszoo.engine.runs.trace import pack_mask
from iiszoo.models.supervised import logits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iiszoo.data.base import Mask, Probabilities

THRESHOLD = 0.5
"""The segmenter's: a pixel is proposed as object above it."""


class FromNothing(WrappedDataset):
    """A dataset without the masks that belong to it (`davis585-sp`): its sessions are from scratch."""

    def __init__(self, dataset: EvaluationDataset) -> None:
        super().__init__(dataset, dataset.name)

    def sample(self, i: int) -> Sample:
        return replace(super().sample(i), read_initial_mask=_nothing)


def _nothing() -> None:
    """There is no mask to start from."""


class _Noting(WrappedDataset):
    """A dataset with other initial masks. `take(sample id)` returns what is known of a mask since it was read, and
    forgets it.
    """

    def __init__(self, dataset: EvaluationDataset, probabilities: bool) -> None:
        super().__init__(dataset, dataset.name)
        self.probabilities = probabilities
        self._known: dict[str, dict[str, Any]] = {}

    def sample(self, i: int) -> Sample:
        sample = super().sample(i)
        return replace(sample, read_initial_mask=partial(self._proposal, sample))

    def take(self, id: str) -> dict[str, Any]:
        return self._known.pop(id)

    @abstractmethod
    def _proposal(self, sample: Sample) -> Mask | Probabilities | None:
        """The mask that the session starts from; what is known of it is noted."""


class Proposed(_Noting):
    """A dataset whose sessions start from a segmenter's proposals, as masks or as `probabilities`.

    Known of each: `checkpoint` (sha256), `n_images` that the segmenter was trained on, `confidence` (`expected_iou`),
    `empty`, `mask` (packed), `predict_seconds`, `training_seconds`, and `test_iou` if the segmenter was tested.
    """

    def __init__(self, dataset: EvaluationDataset, segmenter: Trained, probabilities: bool, device: str) -> None:
        super().__init__(dataset, probabilities)
        self.segmenter, self.device = segmenter, device

    def _proposal(self, sample: Sample) -> Mask | Probabilities:
        segmenter = self.segmenter
        image, began = sample.read_image(), time.perf_counter()
        p = logits_of(segmenter.network, image, segmenter.description.size, self.device).sigmoid()[0, 0].numpy()
        self._known[sample.id] = {
            "checkpoint": segmenter.sha256,
            "n_images": segmenter.facts["n_images"],
            "confidence": expected_iou(p),
            **_mask_facts(p > THRESHOLD),
            "predict_seconds": time.perf_counter() - began,
            "training_seconds": segmenter.facts["seconds"],
            "test_iou": segmenter.facts.get("test_iou"),
        }
        return p if self.probabilities else p > THRESHOLD


class Given(_Noting):
    """A dataset with initial masks of another origin, as masks or, where they are graded, as `probabilities`.

    Known of each: `confidence`, None of a mask that is not graded, `empty` and `mask` (packed).
    """

    def _proposal(self, sample: Sample) -> Mask | Probabilities | None:
        mask = sample.read_initial_mask()
        if mask is None:
            return None
        graded = mask.dtype != np.bool_
        self._known[sample.id] = {
            "confidence": expected_iou(mask.astype(np.float32)) if graded else None,
            **_mask_facts(mask > THRESHOLD),
        }
        return mask if self.probabilities or not graded else mask > THRESHOLD


def _mask_facts(mask: Mask) -> dict[str, Any]:
    return {"empty": not bool(mask.any()), "mask": pack_mask(mask)}


def expected_iou(p: NDArray[np.float32]) -> float:
    """The segmenter's own confidence in its proposal `p > 0.5`: the IoU that it expects, if each pixel is object with
    its probability, independently: E|P & T| / E|P | T| = (sum of p in P) / (|P| + sum of p outside P). 0 if P is empty.
    """
    proposed = p > THRESHOLD
    inside = float(p[proposed].sum(dtype=np.float64))
    either = int(proposed.sum()) + float(p[~proposed].sum(dtype=np.float64))
    return inside / either if inside else 0.0
