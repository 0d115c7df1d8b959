"""The data of a run: the same images, targets and initial masks; and what follows of each trace from them alone.

Of a session, the targets determine the IoU that it starts with, the first click, and the IoU of its last mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from iiszoo import protocol, units
from iiszoo.data.base import EvaluationDataset, Sample
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs.dataset_check import Checked, survey
from iiszoo.engine.runs.dataset_place import whereabouts
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.engine.verify.clicks import GroundTruth, clicks_of
from iiszoo.engine.verify.findings import Finding, agreed, other
from iiszoo.engine.verify.traces import ended_early
from iiszoo.errors import IISZooError
from iiszoo.loading import load_dataset
from iiszoo.progress import Progress
from iiszoo.protocol import Robot
from iiszoo.registry import resolve_dataset

DATA = "data"
TARGETS = "targets"


def find_data(
    identity: dict[str, Any], summary: dict[str, Any], root: Path | None, progress: Progress
) -> tuple[Checked | None, list[Finding]]:
    """The dataset that a run's identity states, None if the same one is not here."""
    published = check_published(identity)
    try:
        dataset = _opened(summary, root)
        # a sample's fault is found only where its image is decoded
        checked = survey(dataset, None if summary["skipped"] else 0, progress)
    except (IISZooError, OSError, ValueError) as error:
        return None, [*published, Finding(DATA, "unchecked", _with_way_out(error, root))]
    stated = identity["dataset"]
    found = []
    for name, here in (("n_samples", checked.total), ("fingerprint", checked.fingerprint)):
        if stated[name] != here:
            found.append(Finding(DATA, "differs", f"{name} is {other(stated[name], here)} in {dataset.place}"))
    initial = identity.get("initial", {}).get("fingerprint")
    if initial != checked.initial:
        text = f"the fingerprint of the initial masks is {other(initial, checked.initial)} in {dataset.place}"
        found.append(Finding(DATA, "differs", text))
    if found:
        return None, [*published, *found]
    found = [
        Finding(DATA, "differs", f"it was skipped as broken ({reason}), and is sound here", sample)
        for sample, reason in summary["skipped"].items()
        if sample not in checked.broken
    ]
    text = f"{units.number_of(checked.total, 'sample')} in {dataset.place}, of the same fingerprint"
    return checked, [*published, *agreed(DATA, found, text)]


def _opened(summary: dict[str, Any], root: Path | None) -> EvaluationDataset:
    """The dataset under `root`, else where it was when the run was made, else where its id is found here."""
    name, place = whereabouts(summary, root)
    try:
        return load_dataset(name, place)
    except IISZooError:
        if root is not None or (name, place) == (summary["dataset"], None):
            raise
        return load_dataset(summary["dataset"])


def _with_way_out(error: Exception, root: Path | None) -> str:
    text = str(error).splitlines()[0].rstrip(":")
    return text if "--root" in text else f"{text}; {'give another' if root else 'give a'} --root"


def check_published(identity: dict[str, Any]) -> list[Finding]:
    """That the run was made on other data than the published set whose id it states; the data are not needed."""
    try:
        card, name = resolve_dataset(identity["dataset"]["id"])
    except IISZooError:
        return []
    stated = identity["dataset"]["fingerprint"]
    if card.fingerprint in (None, stated) or name.options:
        return []
    text = f"the fingerprint is {stated} in the run, but that of the published {card.id} is {card.fingerprint}"
    return [Finding(DATA, "differs", text)]


def check_targets(
    checked: Checked, traces: Sequence[Trace], rules: ResolvedProtocol, robot: Robot | None, progress: Progress
) -> list[Finding]:
    """What follows from the data, of every trace."""
    indices = {id: i for i, id in enumerate(checked.ids)}
    found: list[Finding] = []
    for done, trace in enumerate(traces, 1):
        index = indices.get(trace.sample)
        if index is None:
            found.append(Finding(TARGETS, "differs", "the dataset has no such sample", trace.sample, "sample"))
        elif index != trace.index:
            text = f"it is {other(trace.index, index)} in the dataset"
            found.append(Finding(TARGETS, "differs", text, trace.sample, "index"))
        else:
            sample = checked.dataset[index]
            for status, field, text in _of_target(trace, sample, rules, robot):
                found.append(Finding(TARGETS, status, text, trace.sample, field))
        progress(done, len(traces))
    clicks = "" if robot is None else ", first clicks"
    text = f"starts{clicks} and last masks of {units.number_of(len(traces), 'session')} follow from the targets"
    return agreed(TARGETS, found, text)


def _of_target(
    trace: Trace, sample: Sample, rules: ResolvedProtocol, robot: Robot | None
) -> Iterator[tuple[Any, str, str]]:
    """(status, field, sentence) of what does not follow."""
    truth = GroundTruth.of(sample)
    size = [*truth.target.shape[-2:]]
    if trace.size != size:
        yield "differs", "size", f"it is {other(trace.size, size)} in the dataset"
        return
    mask = sample.read_initial_mask()
    output = torch.zeros(1, 1, *size) if mask is None else protocol.to_output(mask)
    if trace.error is None or trace.initial_boundary_iou is not None:  # else it failed before that was measured
        start = metrics.score(output[0, 0].numpy(), truth.prepared, rules.threshold)
        if mask is None and trace.initial_iou != start.iou:
            # a model may begin with an output of its own
            text = f"it is {other(trace.initial_iou, start.iou)} for no mask; a replay would tell"
            yield "unchecked", "initial_iou", text
            robot = None
        else:
            yield from _scored(trace.initial_iou, start.iou, "initial_iou", "the initial mask")
            yield from _scored(trace.initial_boundary_iou, start.boundary_iou, "initial_boundary_iou", "it")
    if robot is not None and trace.clicks:
        made = clicks_of(robot, output, truth, [], [], trace.sample, rules)
        if made != trace.clicks[0]:
            yield "differs", "clicks[0]", f"it is {other(trace.clicks[0], made)} follows from the target"
    if trace.error is None:
        yield from _of_last_mask(trace, truth, rules, robot)


def _of_last_mask(
    trace: Trace, truth: GroundTruth, rules: ResolvedProtocol, robot: Robot | None
) -> Iterator[tuple[Any, str, str]]:
    try:
        mask = unpack_mask(trace.final_mask, trace.size)
    except ValueError:
        return  # told by `check_traces`
    output = protocol.to_output(mask)
    found = metrics.score(output[0, 0].numpy(), truth.prepared, 0.5)
    place = f"[{len(trace.iou) - 1}]" if trace.iou else ""
    start = "" if trace.iou else "initial_"
    last = [trace.initial_iou, *trace.iou][-1]
    yield from _scored(last, found.iou, f"{start}iou{place}", "final_mask")
    last_boundary = [trace.initial_boundary_iou, *trace.boundary_iou][-1]
    yield from _scored(last_boundary, found.boundary_iou, f"{start}boundary_iou{place}", "final_mask")
    if robot is not None and ended_early(trace, rules):
        made = clicks_of(robot, output, truth, [], [], trace.sample, rules)
        if made:
            yield "differs", "clicks", f"the session ends, but on its final_mask the robot clicks {made}"


def _scored(there: float | None, here: float, field: str, of: str) -> Iterator[tuple[Any, str, str]]:
    if there is not None and there != here:
        yield "differs", field, f"it is {other(there, here)} for {of}"
