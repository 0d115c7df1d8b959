"""A session: the loop of a robot and a model over one sample.

    y = z["prev_output"]
    for k in range(max_clicks):
        pcs, ncs = robot(y, target, pcs, ncs)
        y, z = model(x, z, pcs, ncs)

`start`, `click` and `score` are the robot's side of that loop; `answer` is the model's, for any number of sessions in
one call. `pipeline.py` runs the loop for many sessions at a time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from iiszoo import protocol
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.robot_turn import robot_turn, unrecorded
from iiszoo.engine.runs.trace import Trace, pack_mask
from iiszoo.errors import ModelError, WorkerDied, WorkerLost, text_of, with_place
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from iiszoo.data.base import Target


@dataclass(eq=False)
class RunningSession:
    """One sample being segmented, possibly beside others. The target's tensors are on the CPU, where the robot works.

    `x` float32 `(3, H, W)` on the model's device; `target`, `ignore` bool `(1, 1, H, W)`, both also in `prepared` for
    scoring; `output` the last y, float32 `(1, 1, H, W)` on the CPU; `z` the state of this element; `model` the model's
    name, for messages.
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
    """A session before its first click. `z` is the state of one element, including `prev_output` to start from.

    Raises `ModelError`, naming `model` and the sample, if `prev_output` is not an output of the image's size.
    """
    name = f"{model} (z['prev_output'] of its init_z)"
    try:
        output = z["prev_output"][0]
        protocol.check_form(output, tuple(x.shape[-2:]), name)
        output = protocol.on_cpu(output)[None]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise failure(error, model, f"on sample {trace.sample!r}") from error
    session = RunningSession(
        trace,
        x,
        protocol.to_targets(target.object),
        None if target.ignore is None else protocol.to_targets(target.ignore),
        metrics.prepare(target.object, target.ignore),
        z,
        output,
        generator_for(trace.sample, rules.robot, rules.seed),
        model,
    )
    initial = _score(session, rules)
    _check_sound(session, initial, name, f"on sample {trace.sample!r}")
    trace.initial_iou, trace.initial_boundary_iou = initial.iou, initial.boundary_iou
    return session


def click(session: RunningSession, robot: protocol.Robot, rules: ResolvedProtocol) -> bool:
    """The robot's turn. False if there is nothing left to click: the session has ended."""
    began = time.perf_counter()
    pcs, ncs = robot_turn(
        robot,
        rules.robot,
        session.output,
        session.target,
        session.pcs,
        session.ncs,
        ignore=session.ignore,
        generator=session.generator,
        threshold=rules.threshold,
        sample=session.trace.sample,
    )
    positive, negative = pcs[-1][0], ncs[-1][0]
    session.pcs, session.ncs = pcs, ncs
    if not positive and not negative:
        return False
    session.trace.clicks.append([[*at, 1] for at in positive] + [[*at, 0] for at in negative])
    session.trace.unrecorded = unrecorded(robot, session.trace)
    session.trace.robot_seconds.append(time.perf_counter() - began)
    return True


def score(session: RunningSession, rules: ResolvedProtocol) -> bool:
    """Record IoU and Boundary IoU of the last output. False if the session has ended: good enough, or no click left.

    Raises `ModelError` if the output contains anything but probabilities.
    """
    began = time.perf_counter()
    reached = _score(session, rules)
    _check_sound(session, reached, session.model, f"on {_where(session)}")
    session.trace.iou.append(reached.iou)
    session.trace.boundary_iou.append(reached.boundary_iou)
    session.trace.robot_seconds[-1] += time.perf_counter() - began
    return reached.iou < rules.target_iou and len(session.trace.iou) < rules.max_clicks


def finish(session: RunningSession, rules: ResolvedProtocol) -> Trace:
    """The trace of an ended session, with its last mask."""
    session.trace.final_mask = pack_mask(session.output[0, 0].numpy() > np.float32(rules.threshold))
    return session.trace


class BatchFailed(ModelError):
    """The model fails on several sessions together, but has answered each of them alone."""


@dataclass(eq=False)
class Batch:
    """Sessions that go through the model in one call; `x` and `z` stay joined between calls."""

    sessions: list[RunningSession]
    x: protocol.Images
    z: protocol.State


def batch(sessions: Sequence[RunningSession]) -> Batch:
    """Join sessions. Their images become one tensor if all have one size, else a list."""
    return Batch(list(sessions), protocol.join([s.x for s in sessions]), protocol.stack([s.z for s in sessions]))


def answer(model: protocol.Model, together: Batch) -> dict[int, ModelError]:
    """The model's turn for all sessions of the batch.

    Returns the sessions in which it failed, by position, each with an error that names model and sample; the caller
    then joins the rest into a new batch. If the answer to a batch is wrong in any way, each session is run alone, so
    that failures do not depend on which sessions share a call. If all succeed alone, the fault is the batch's:
    `BatchFailed` is raised (unless the model's process died), and each session has its answer.
    """
    sessions = together.sessions
    alone = len(sessions) == 1
    try:
        _ask(model, together, values=not alone)
        return {}
    except (KeyboardInterrupt, WorkerLost):
        raise
    except BaseException as error:  # noqa: BLE001  a model may raise anything, SystemExit too
        if alone:
            return {0: _named(error, sessions[0], model)}
        failed = error
    faults = {}
    for b, session in enumerate(sessions):
        try:
            _ask(model, batch([session]), values=True)
        except (KeyboardInterrupt, WorkerLost):
            raise
        except BaseException as error:  # noqa: BLE001
            faults[b] = _named(error, session, model)
    if faults:
        return faults
    if isinstance(failed, WorkerDied):  # by chance, or out of memory for the batch: every session has its answer now
        together.z = protocol.stack([session.z for session in sessions])
        return {}
    names = ", ".join(session.trace.sample for session in sessions)
    raise BatchFailed(
        f"{_described(failed, model.name)} on a batch of {len(sessions)} samples ({names}), but answers each of them "
        "alone; use --batch-size 1"
    ) from failed


def _ask(model: protocol.Model, together: Batch, *, values: bool) -> None:
    """One call. Raises whatever is wrong with it, and then changes no session: lists are given as copies, which a model
    may change. `values`: check y's values too, which is otherwise left to `score`.
    """
    sessions = together.sessions
    began = time.perf_counter()
    y, z = model(
        list(together.x) if isinstance(together.x, list) else together.x,
        {key: list(value) if isinstance(value, list) else value for key, value in together.z.items()},
        protocol.stack_clicks([s.pcs for s in sessions]),
        protocol.stack_clicks([s.ncs for s in sessions]),
    )
    protocol.check_forms(y, together.x, model.name)
    if values:
        protocol.check_values(y, model.name)
    protocol.check_state(z, len(sessions), model.name)
    outputs = _fetched(y)
    parts = protocol.split(z)
    joined = {
        key: value if protocol.is_dense(value) else protocol.join([value[b] for b in range(len(value))])
        for key, value in z.items()
    }
    seconds = (time.perf_counter() - began) / len(sessions)
    for session, output, part in zip(sessions, outputs, parts, strict=True):
        session.output, session.z = output, part
        session.trace.model_seconds.append(seconds)
    together.z = joined


def _fetched(y: protocol.Outputs) -> list[Tensor]:
    """The outputs (1, 1, H, W) on the CPU."""
    outputs = protocol.on_cpu(y) if isinstance(y, Tensor) else protocol.together_on_cpu(y)
    return [output[None] for output in outputs]


def failure(error: BaseException, model: str, where: str) -> ModelError:
    """The error that reports a model's fault: what it raised, cut if long, with the model and `where` it happened."""
    kind = WorkerDied if isinstance(error, WorkerDied) else ModelError
    named = kind(_described(error, model, where))
    named.__cause__ = error
    return named


def _described(error: BaseException, model: str, where: str = "") -> str:
    if not isinstance(error, ModelError):
        return f"model {model} raised {with_place(error, where)}"
    text = text_of(error, 2000)
    text = text if model in text else f"model {model}: {text}"
    return f"{text} ({where})" if where else text


def _named(error: BaseException, session: RunningSession, model: protocol.Model) -> ModelError:
    return failure(error, model.name, f"on {_where(session)}")


def _where(session: RunningSession) -> str:
    return f"sample {session.trace.sample!r} at click {len(session.trace.clicks)}"


def _score(session: RunningSession, rules: ResolvedProtocol) -> metrics.Score:
    return metrics.score(session.output[0, 0].numpy(), session.prepared, rules.threshold)


def _check_sound(session: RunningSession, scored: metrics.Score, name: str, where: str) -> None:
    """Raise `ModelError`, naming the model by `name`, if the output that was scored is not one of probabilities."""
    if scored.sound:
        return
    try:
        protocol.check_values(session.output, name)
    except ModelError as error:
        raise failure(error, session.model, where) from error
