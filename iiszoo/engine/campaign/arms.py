"""The arms of a campaign: the sessions of one model in each, and the segmenters whose proposals they start from.

A session depends on its sample, its model, the robot and the proposal alone, so that the arms scratch, given and
cross-fitted are the same in every order, and are run once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from iiszoo import units
from iiszoo.data.base import EvaluationDataset, Target, WrappedDataset
from iiszoo.engine import metrics
from iiszoo.engine.bench_run import Listener, Run, now, write_summary
from iiszoo.engine.campaign import training
from iiszoo.engine.campaign.campaign_job import CampaignJob
from iiszoo.engine.campaign.pictures import Picture, with_own_targets
from iiszoo.engine.campaign.plan import CONTINUAL, CROSS_FITTED, GIVEN, SCRATCH, Plan, folds, order, stretches
from iiszoo.engine.campaign.segmenter_file import Trained
from iiszoo.engine.executors import Executor
from iiszoo.engine.runs import provenance, run_name, store
from iiszoo.engine.runs.dataset_check import Checked
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.errors import RunError
from iiszoo.models.supervised import logits_of


@dataclass(frozen=True, eq=False)
class ArmRun(Run):
    """The run of one arm of a campaign."""

    arm: str = SCRATCH

    @property
    def name(self) -> str:
        return f"{self.model.name}, {self.arm}"


def arm_directory(place: Path, model: str, dataset: str, arm: str, seed: int) -> Path:
    """The run directory of an arm."""
    return place / run_name.slug(model, dataset) / (f"{arm}-{seed}" if arm == CONTINUAL else arm)


@dataclass(eq=False)
class Work:
    """What every arm needs."""

    plan: Plan
    data: Checked
    test: Checked | None
    statement: dict[str, Any]
    place: Path
    executor: Executor
    listener: Listener
    say: Callable[[str], None]

    def annotate(self, job: CampaignJob, elsewhere: provenance.Elsewhere, overwrite: bool) -> None:
        """Every arm of one model; `elsewhere` is what another machine that runs it reports of itself."""
        reference = job.model
        known: dict[str, dict[str, Trace]] = {}
        for arm, seed in self.plan.arms():
            directory = arm_directory(self.place, reference.name, self.statement["dataset"]["id"], arm, seed)
            identity = {
                "format": store.FORMAT,
                "model": reference.identity(),
                "protocol": {rule: value for rule, value in job.rules.as_json().items() if rule != "name"},
                "dataset": self.statement["dataset"],
                "campaign": {"arm": arm, "seed": seed, **self.statement},
            }
            run = ArmRun(reference, self.statement["dataset"]["id"], job.rules, directory, identity, directory.name)
            sessions = ArmSessions(self, run, job, elsewhere, seed)
            with sessions.begun(overwrite):
                if arm == SCRATCH:
                    sessions.run(self.images)
                elif arm == GIVEN:
                    sessions.run(self.images, given=self.plan.initial)
                elif arm == CROSS_FITTED:
                    sessions.cross_fitted()
                else:
                    sessions.continual(known[SCRATCH])
            known[arm] = sessions.done

    @property
    def images(self) -> list[int]:
        """The places, in the dataset, of the images that are annotated."""
        return [i for i, id in enumerate(self.data.ids) if id not in self.data.broken]

    @property
    def plain(self) -> EvaluationDataset:
        """The dataset without given masks."""
        dataset = self.data.dataset
        return dataset.dataset if self.plan.initial and isinstance(dataset, WrappedDataset) else dataset

    def measured(self, network: nn.Module, size: int, device: str) -> dict[str, Any]:
        """The segmenter's mean IoU on the test split, if there is one."""
        if self.test is None:
            return {}
        found = []
        for sample in self.test.dataset:
            if sample.id not in self.test.broken:
                target, ignore = sample.read_target()
                p = logits_of(network, sample.read_image(), size, device).sigmoid()[0, 0].numpy()
                found.append(metrics.iou(p, target, ignore))
        return {"test_iou": sum(found) / len(found)}


class ArmSessions:
    """The sessions of one arm, as far as they are done: `done` by sample id."""

    def __init__(self, work: Work, run: ArmRun, job: CampaignJob, elsewhere: provenance.Elsewhere, seed: int) -> None:
        self.work, self.run_, self.job, self.elsewhere, self.seed = work, run, job, elsewhere, seed
        self.done: dict[str, Trace] = {}
        self._writer: store.Writer

    @contextmanager
    def begun(self, overwrite: bool) -> Iterator[None]:
        """Open the run directory; what was done there is in `done`. At the end, write the summary."""
        work, run, began = self.work, self.run_, now()
        if overwrite:
            for file in run.directory.glob("segmenter-*.safetensors"):
                file.unlink()
        environment = provenance.environment(self.job.device, work.executor.threads, self.elsewhere)
        with store.begin(run.directory, run.statement(), overwrite=overwrite) as self._writer:
            self.done = {trace.sample: trace for trace in store.read_traces(run.directory)}
            work.listener.started(run, [*self.done.values()], len(work.images))
            try:
                yield
            except BaseException:
                with suppress(RunError):
                    self._summary(environment, began)
                raise
            work.listener.ended(run, self._summary(environment, began))

    def _summary(self, environment: dict[str, Any], began: str) -> dict[str, Any]:
        self._writer.restore()
        return write_summary(self.run_, self.work.data, environment, began, self.job.root)

    def run(self, images: Sequence[int], segmenter: Trained | None = None, given: str | None = None) -> None:
        """The sessions of `images` that are missing, from the segmenter's proposals or the masks that are given."""
        left = [[i] for i in images if self.work.data.ids[i] not in self.done]
        if left:
            file = None if segmenter is None else segmenter.path
            job = replace(self.job, segmenter=file, given=given, probabilities=self.work.plan.probabilities)
            self.work.executor.run(job, left, self._append)

    def cross_fitted(self) -> None:
        """Each image's proposal is that of a segmenter trained on the targets of all other folds."""
        work = self.work
        fold_of = dict(zip(work.images, folds(len(work.images), work.plan.folds), strict=True))
        for k in range(work.plan.folds):
            mine = [i for i in work.images if fold_of[i] == k]
            if all(work.data.ids[i] in self.done for i in mine):
                continue
            others = with_own_targets([work.plain[i] for i in work.images if fold_of[i] != k])
            segmenter = self._trained(
                work.place / CROSS_FITTED / f"fold-{k}.safetensors",
                others,
                k,
                {"campaign": self._cross_identity(k)},
                None,
            )
            self.run(mine, segmenter)

    def _cross_identity(self, k: int) -> str:
        statement = {key: value for key, value in self.work.statement.items() if key not in ("protocol", "merge")}
        return store.run_hash({**statement, "fold": k})

    def continual(self, scratch: dict[str, Trace]) -> None:
        """Each image's proposal is that of a segmenter trained on the masks of the images before; until there is one,
        a session is the one from scratch.
        """
        work = self.work
        images = [work.images[i] for i in order(len(work.images), self.seed)]
        points: list[int] = []
        for stretch in stretches(work.plan.schedule, work.plan.lag, len(images)):
            points += [stretch.n_images] if stretch.n_images else []
            mine = images[stretch.begin : stretch.end]
            if all(work.data.ids[i] in self.done for i in mine):
                continue
            segmenter = self._segmenter(images, points) if points else None
            if segmenter is not None:
                self.run(mine, segmenter)
                continue
            for i in mine:
                if work.data.ids[i] not in self.done:
                    self._append(replace(scratch[work.data.ids[i]]))

    def _segmenter(self, images: Sequence[int], points: Sequence[int]) -> Trained | None:
        """The segmenter trained on the masks of the first `points[-1]` images; if those have too few objects, the one
        before; None if there is none. Only the latest is kept.
        """
        work, (*earlier, n) = self.work, points
        path = self.run_.directory / f"segmenter-{n}.safetensors"
        facts = {"campaign": store.run_hash(self.run_.identity), "after": n}
        pictures = self._annotated(images[:n])
        few = len(pictures) < 2
        before = self._segmenter(images, earlier) if earlier and (few or work.plan.fine_tune) else None
        if few:
            work.say(f"{self.run_.name}: of {n} images {len(pictures)} have a mask with an object, too few to train M")
            return before
        made = self._trained(path, pictures, self.seed, facts, before)
        for file in self.run_.directory.glob("segmenter-*.safetensors"):
            if file != path:
                file.unlink()
        return made

    def _annotated(self, images: Sequence[int]) -> list[Picture]:
        """The masks that this campaign has produced, those of no pixel left out: nothing was found there."""
        pictures = []
        for i in images:
            trace = self.done[self.work.data.ids[i]]
            if trace.error is None and unpack_mask(trace.final_mask, trace.size).any():
                pictures.append(Picture(self.work.plain[i], _mask_of(trace)))
        return pictures

    def _trained(
        self, path: Path, pictures: Sequence[Picture], seed: int, facts: dict[str, Any], before: Trained | None
    ) -> Trained:
        """The segmenter at `path`, trained now unless it is there."""
        work = self.work
        there = training.load(path, self.job.device)
        if there is not None and facts.items() <= there.facts.items():
            return there
        size = work.plan.recipe.description.size
        made = training.train(
            work.plan.recipe, pictures, seed, path, facts, device=self.job.device, going_on_from=before,
            measure=lambda network: work.measured(network, size, self.job.device),
        )  # fmt: skip
        quality = f", IoU {100 * made.facts['test_iou']:.1f} % on the test split" if "test_iou" in made.facts else ""
        work.say(
            f"{self.run_.name}: M trained on {units.number_of(len(pictures), 'image')} in "
            f"{units.time(made.facts['seconds'])}{quality}"
        )
        return made

    def _append(self, trace: Trace) -> None:
        self._writer.append(trace)
        self.done[trace.sample] = trace
        self.work.listener.ended_sample(self.run_, trace)


def _mask_of(trace: Trace) -> Callable[[], Target]:
    return lambda: Target(unpack_mask(trace.final_mask, trace.size), None)
