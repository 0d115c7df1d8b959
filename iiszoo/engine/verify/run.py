"""`verify`: every check of one run, as far as model and data are at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from iiszoo import units
from iiszoo.device import ON_CUDA, check_device
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs import provenance, store, summary
from iiszoo.engine.runs.dataset_check import Checked
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.runs.trace import Trace
from iiszoo.engine.verify.data import DATA, check_targets, find_data
from iiszoo.engine.verify.figures import CHECK as FIGURES
from iiszoo.engine.verify.figures import check_figures
from iiszoo.engine.verify.findings import Finding, Verification, agreed
from iiszoo.engine.verify.model import FoundModel, find_model
from iiszoo.engine.verify.replay import REPLAY, Replay, replay
from iiszoo.engine.verify.rules import check_rules, robot_of
from iiszoo.engine.verify.traces import check_completeness, check_traces
from iiszoo.errors import BadOption, IISZooError, few
from iiszoo.file_names import for_hash
from iiszoo.progress import NamedProgress
from iiszoo.protocol import Robot
from iiszoo.remote import Interpreter

_MOST_DOUBTFUL = 20
"""Samples that are replayed although the seed did not draw them, because of what was found in their traces."""


@dataclass(frozen=True)
class AtHand:
    """What the checker has, and how many samples to replay (None: all). `device` None: the run's own, if it is here."""

    root: Path | None = None
    checkpoint: Path | None = None
    interpreter: Interpreter | None = None
    device: str | None = None
    samples: int | None = 5
    seed: int = 0
    robot_interpreter: Interpreter | None = None


def verify(directory: Path, at_hand: AtHand, progress: NamedProgress = lambda name, done, total: None) -> Verification:
    """Check the run in `directory`. Raises `RunError` if it cannot be read: damaged, of another format, no run."""
    derived, traces = summary.read(directory)
    identity = store.read_identity(directory)
    rules = ResolvedProtocol.from_json(identity["protocol"])
    environment = derived["provenance"].get("environment", {})
    title = f"{derived['model']} on {derived['dataset']}"
    model = find_model(identity["model"], "worker" in environment, at_hand.checkpoint, at_hand.interpreter)
    robot, of_robot = robot_of(RobotReference(rules.robot, at_hand.robot_interpreter), rules)
    found = [*check_alone(directory, identity, (derived, traces), model.threshold), *of_robot, *model.findings]
    made = Verification(directory, title, at_hand.seed, [], [], found)
    if "campaign" in identity:
        text = f"it is the arm {identity['campaign'].get('arm')!r} of a campaign; only its traces are checked"
        return replace(made, findings=[*found, Finding(DATA, "unchecked", text), Finding(REPLAY, "unchecked", text)])
    checked, of_data = find_data(identity, derived, at_hand.root, _named(progress, f"checking {derived['dataset']}"))
    found += of_data
    if checked is not None:
        found += check_targets(checked, traces, rules, robot, _named(progress, f"checking traces of {title}"))
    doubtful = {finding.sample for finding in found if finding.status == "unchecked" and finding.sample is not None}
    drawn = draw(traces, at_hand.samples, at_hand.seed)
    drawn += [trace for trace in traces if trace.sample in doubtful and trace not in drawn][:_MOST_DOUBTFUL]
    device, of_device = _device(at_hand.device, environment)
    conditions = _conditions(environment, device)
    of_replay, replayed = _replayed(
        drawn, model, robot, checked, rules, device, environment, _named(progress, f"replaying {title}")
    )
    if len(drawn) < len(traces) and any(one.check == FIGURES and one.status == "differs" for one in found):
        text = "a trace or the summary was edited; `--samples all` would name the sample"
        of_replay.append(Finding(REPLAY, "unchecked", text))
    told = set(replayed) if robot is not None else set()
    settled = [finding for finding in found if finding.status != "unchecked" or finding.sample not in told]
    return replace(made, findings=[*settled, *of_device, *of_replay], replayed=replayed, conditions=conditions)


def check_alone(directory: Path, identity: dict[str, Any], result: Result, threshold: float | None) -> list[Finding]:
    """What the run's own files tell, without model and data. `threshold`: the model's own, None if it is unknown."""
    derived, traces = result
    rules = ResolvedProtocol.from_json(identity["protocol"])
    return [
        *check_figures(directory, identity, traces),
        *check_traces(list(store.read_lines(directory)), rules),
        *check_completeness(traces, len(derived["skipped"]), derived["n_samples"]),
        *check_rules(rules, threshold),
    ]


def draw(traces: Sequence[Trace], n: int | None, seed: int) -> list[Trace]:
    """`n` traces (None: all), by index. They depend on the seed and on the samples' ids alone: whoever knows the seed
    draws the same ones, with any version of Python and numpy.
    """

    def lot(trace: Trace) -> bytes:
        return hashlib.sha256(for_hash(f"{seed}\n{trace.sample}")).digest()

    return sorted(sorted(traces, key=lot)[:n], key=lambda trace: trace.index)


def _named(progress: NamedProgress, name: str) -> Callable[[int, int | None], None]:
    return lambda done, total: progress(name, done, total)


def _device(wanted: str | None, environment: dict[str, Any]) -> tuple[str, list[Finding]]:
    """The device to replay on: the one asked for, else the run's own, else the CPU."""
    if wanted is not None:
        return wanted, []
    own = environment.get("device", "cpu").partition(" ")[0]
    try:
        check_device(own)
        return own, []
    except BadOption:
        return "cpu", [Finding(REPLAY, "unchecked", f"the run's device {own} is not here, so samples run on the CPU")]


def _conditions(environment: dict[str, Any], device: str) -> list[str]:
    """What differs between the run's environment and this one, of what may change an output."""
    here = provenance.environment(device, torch.get_num_threads())
    kept = {"device", "libraries", "machine"} & environment.keys()
    return store.differences({key: value for key, value in here.items() if key in kept}, environment)


def _replayed(
    drawn: Sequence[Trace],
    model: FoundModel,
    robot: Robot | None,
    checked: Checked | None,
    rules: ResolvedProtocol,
    device: str,
    environment: dict[str, Any],
    progress: Callable[[int, int | None], None],
) -> tuple[list[Finding], list[str]]:
    """The findings of replaying the samples drawn, and the ids of those that were."""
    if not drawn:
        return [], []
    lacking = [name for name, thing in (("the model", model.reference), ("the data", checked)) if thing is None]
    if model.reference is None or checked is None:
        text = f"no sample was replayed, for lack of {' and '.join(lacking)}: see above"
        return [Finding(REPLAY, "unchecked", text)], []
    then = environment.get("device", "cpu")
    tolerance = model.tolerance * (1 if (then, device) == ("cpu", "cpu") else ON_CUDA)
    found, done = [], []
    indices = {id: i for i, id in enumerate(checked.ids)}
    try:
        with _threads(environment.get("threads")):
            loaded = model.reference.load(device, rules.threshold)
            for trace in drawn:
                if trace.sample in indices:
                    sample = checked.dataset[indices[trace.sample]]
                    found.append(replay(loaded, robot, sample, trace, rules, tolerance))
                    done.append(trace.sample)
                progress(len(done), len(drawn))
    except IISZooError as error:
        what = f"no more sample could be replayed: {error}"
        return [Finding(REPLAY, "unchecked", what), *(each for one in found for each in one.findings)], done
    return agreed(REPLAY, [each for one in found for each in one.findings], _told(found, done, tolerance, robot)), done


def _told(found: Sequence[Replay], done: Sequence[str], tolerance: float, robot: Robot | None) -> str:
    clicks, ties = sum(one.n_clicks for one in found), sum(one.ties for one in found)
    largest = max((one.largest for one in found), default=0.0)
    exact = "" if robot is None or ties else "every click and "
    ious = f"{exact}every IoU equal" if not largest else f"IoUs differ by at most {largest:.2g}"
    tied = f"; {units.number_of(ties, 'click')} parted in a tie within the tolerance" if ties else ""
    if robot is None:
        tied = "; without the robot, clicks were not compared"
    samples = f"{units.number_of(len(done), 'sample')} ({few(done, 5)})"
    return f"{samples}, {units.number_of(clicks, 'click')}: {ious} (tolerance {tolerance:g}){tied}"


@contextmanager
def _threads(wanted: object) -> Iterator[None]:
    """torch's threads as in the run, if it says so: their number decides the order of sums."""
    before = torch.get_num_threads()
    if type(wanted) is int and wanted >= 1:
        torch.set_num_threads(min(wanted, 256))
    try:
        yield
    finally:
        torch.set_num_threads(before)
