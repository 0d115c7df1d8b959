"""A session: the loop of a robot and a model over one sample.

    y = z["prev_output"]
    for k in range(max_clicks):
        pcs, ncs = robot(y, target, pcs, ncs)
        y, z = model(x, z, pcs, ncs)

`start`, `click` and `score` are the person's side of that loop, `answer` is the model's, for any number of sessions in
one call; `pipeline.py` runs the loop for many sessions at a time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from iiszoo import protocol
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.trace import Trace, pack_mask
from iiszoo.errors import ModelError, RobotError, RunError, WorkerDied, one_line
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from iiszoo.data.base import Target


@dataclass(eq=False)
class RunningSession:
    """One sample being segmented, among others. Tensors of the target lie on the CPU, where the robot works.

    `x` float32 `(3, H, W)` on the model's device; `target`, `ignore` bool `(1, 1, H, W)`, and both again in `prepared`,
    ready to be scored against; `output` the last y, float32 `(1, 1, H, W)` on the CPU; `z` the state of this one
    element; `model` the model's name, for messages.
    """

    trace: Trace
    x: Tensor
    target: Tensor
    ignore: Tensor | None
    prepared: metrics.PreparedTarget
    z: protocol.State
    output: Tensor
    generator: np.random.Generator
    model: str
    pcs: protocol.Clicks = field(default_factory=list)
    ncs: protocol.Clicks = field(default_factory=list)


def start(
    trace: Trace, x: Tensor, target: Target, z: protocol.State, rules: ResolvedProtocol, model: str
) -> RunningSession:
    """A session before its first click. `z` is the state of one element, with `prev_output` to start from.

    Raises `ModelError`, naming `model` and the sample, where that is not an output of the image's size.
    """
    output = z["prev_output"][0]
    try:
        protocol.check_element(output, tuple(x.shape[-2:]), f"{model} (z['prev_output'] of its init_z)")
    except ModelError as error:
        raise ModelError(f"{error} (on sample {trace.sample!r})") from error
    session = RunningSession(
        trace,
        x,
        protocol.to_targets(target.object),
        None if target.ignore is None else protocol.to_targets(target.ignore),
        metrics.prepare(target.object, target.ignore),
        z,
        _on_cpu(output)[None],
        generator_for(trace.sample, rules.robot, rules.seed),
        model,
    )
    trace.initial_iou, trace.initial_boundary_iou, _ = _score(session, rules)
    return session


def click(session: RunningSession, robot: protocol.Robot, rules: ResolvedProtocol) -> bool:
    """The robot's turn. False where there is nothing left to click: the session has ended."""
    began = time.perf_counter()
    try:
        session.pcs, session.ncs = robot(
            session.output,
            session.target,
            session.pcs,
            session.ncs,
            ignore=session.ignore,
            generators=[session.generator],
            threshold=rules.threshold,
            samples=[session.trace.sample],
        )
    except Exception as error:
        raise RobotError(f"robot {rules.robot} raised {one_line(error)} (on {_where(session)})") from error
    positive, negative = session.pcs[-1][0], session.ncs[-1][0]
    if not positive and not negative:
        return False
    session.trace.clicks.append([[int(r), int(c), 1] for r, c in positive] + [[int(r), int(c), 0] for r, c in negative])
    session.trace.robot_seconds.append(time.perf_counter() - began)
    return True


def score(session: RunningSession, rules: ResolvedProtocol) -> bool:
    """Note IoU and Boundary IoU of the last output. False where the session has ended: good enough, or no click left.

    Raises `ModelError` where the output holds anything but probabilities.
    """
    began = time.perf_counter()
    reached = _score(session, rules)
    if not reached.sound:
        try:
            protocol.check_element(session.output[0], tuple(session.x.shape[-2:]), session.model)
        except ModelError as error:
            raise _named(error, session) from error
    session.trace.iou.append(reached.iou)
    session.trace.boundary_iou.append(reached.boundary_iou)
    session.trace.robot_seconds[-1] += time.perf_counter() - began
    return reached.iou < rules.target_iou and len(session.trace.iou) < rules.max_clicks


def finish(session: RunningSession, rules: ResolvedProtocol) -> Trace:
    """The trace of an ended session, with its last mask."""
    session.trace.final_mask = pack_mask((session.output[0, 0] > rules.threshold).numpy())
    return session.trace


@dataclass(eq=False)
class Batch:
    """Sessions that go through the model in one call, with what they share kept joined between the calls."""

    sessions: list[RunningSession]
    x: protocol.Images
    z: protocol.State


def batch(sessions: Sequence[RunningSession]) -> Batch:
    """Join sessions. Their images become one tensor where they have one size, else a list."""
    return Batch(list(sessions), protocol.join([s.x for s in sessions]), protocol.stack([s.z for s in sessions]))


def answer(model: protocol.Model, together: Batch) -> dict[int, ModelError]:
    """The model's turn for all sessions of the batch.

    Returns the sessions that it failed in, by position, each with an error that names model and sample; every session
    has its own state then, and the batch is to be joined anew. Where a batch as a whole fails, its sessions are asked
    one by one to find the culprit; if each is answered alone, the fault is the batch's, and `ModelError` is raised (but
    not where it was the model's process that died: each has its answer).
    """
    sessions = together.sessions
    began = time.perf_counter()
    try:
        y, z = model(
            together.x,
            together.z,
            protocol.stack_clicks([s.pcs for s in sessions]),
            protocol.stack_clicks([s.ncs for s in sessions]),
        )
        protocol.check_batch(y, together.x, model.name)
        protocol.check_state(z, len(sessions), model.name)
        outputs = [_on_cpu(y[b]) for b in range(len(sessions))]
        together.z = {key: protocol.join(value) if isinstance(value, list) else value for key, value in z.items()}
    except RunError:
        raise  # no session's fault
    except Exception as error:  # noqa: BLE001  a model may raise anything
        return _culprits(model, together, error)
    seconds = (time.perf_counter() - began) / len(sessions)
    faults = {}
    for b, (session, output) in enumerate(zip(sessions, outputs, strict=True)):
        session.trace.model_seconds.append(seconds)
        try:
            protocol.check_form(output, tuple(session.x.shape[-2:]), model.name)
            session.output = output[None]
        except ModelError as error:
            faults[b] = _named(error, session)
    if faults:
        part(together)
    return faults


def part(together: Batch) -> None:
    """Give each session its own state back, before the batch is joined anew with others."""
    for session, z in zip(together.sessions, protocol.split(together.z), strict=True):
        session.z = z


def _culprits(model: protocol.Model, together: Batch, error: Exception) -> dict[int, ModelError]:
    sessions = together.sessions
    if len(sessions) == 1:
        if isinstance(error, ModelError):
            return {0: _named(error, sessions[0])}
        failure = ModelError(f"model {model.name} raised {one_line(error)} (on {_where(sessions[0])})")
        failure.__cause__ = error
        return {0: failure}
    part(together)
    faults = {}
    for b, session in enumerate(sessions):
        alone = batch([session])
        for fault in answer(model, alone).values():
            faults[b] = fault
        if b not in faults:
            part(alone)
    if faults:
        return faults
    if isinstance(error, WorkerDied):  # by chance, or too small for the batch: everybody has an answer now
        together.z = protocol.stack([session.z for session in sessions])
        return {}
    names = ", ".join(session.trace.sample for session in sessions)
    raise ModelError(
        f"model {model.name} raised {one_line(error)} on a batch of {len(sessions)} samples ({names}), though it "
        "answers each of them alone; use --batch-size 1"
    ) from error


def _named(error: ModelError, session: RunningSession) -> ModelError:
    return type(error)(f"{error} (on {_where(session)})")


def _where(session: RunningSession) -> str:
    return f"sample {session.trace.sample!r} at click {len(session.trace.clicks)}"


def _score(session: RunningSession, rules: ResolvedProtocol) -> metrics.Score:
    return metrics.score(session.output[0, 0].numpy(), session.prepared, rules.threshold)


def _on_cpu(y: Any) -> Any:
    return y.cpu() if isinstance(y, Tensor) else y
