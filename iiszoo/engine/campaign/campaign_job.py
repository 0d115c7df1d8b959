"""The sessions of a campaign as a job of an executor: the images of the campaign, and the proposals to start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.initial_masks import start_from
from iiszoo.engine.campaign import segmenter_file
from iiszoo.engine.campaign.proposals import FromNothing, Given, Proposed
from iiszoo.engine.campaign.splits import Part
from iiszoo.engine.executors import Job


@dataclass(frozen=True)
class CampaignJob(Job):
    """Sessions on `images` of the dataset, by their places there: from scratch, from the masks that are `given`
    (`iiszoo bench --initial`), or from the proposals of the segmenter in the file `segmenter`, as `probabilities` or as
    masks.
    """

    images: tuple[int, ...] = ()
    given: str | None = None
    segmenter: Path | None = None
    probabilities: bool = False

    def samples_of(self, dataset: EvaluationDataset) -> EvaluationDataset:
        plain = FromNothing(Part(dataset, self.images))
        if self.given is not None:
            return Given(start_from(plain, self.given), self.probabilities)
        if self.segmenter is not None:
            segmenter = segmenter_file.load(self.segmenter)
            segmenter.network.to(self.device)
            return Proposed(plain, segmenter, self.probabilities, self.device)
        return plain

    def files(self) -> tuple[Path, ...]:
        return () if self.segmenter is None else (self.segmenter,)

    def with_files(self, places: dict[Path, Path]) -> CampaignJob:
        return self if self.segmenter is None else replace(self, segmenter=places[self.segmenter])
