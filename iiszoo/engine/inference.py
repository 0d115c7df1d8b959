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
import torch
from torch import Tensor

from iiszoo import protocol as fmt
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.trace import Trace, pack_mask
from iiszoo.errors import ModelError, RobotError, RunError, WorkerDied, one_line
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from iiszoo.data.base import Image, Mask, Target


@dataclass(eq=False)
class Session:
    """One sample being segmented. Tensors of the target lie on the CPU, where the robot works.

    `x` float32 `(3, H, W)` on the model's device; `target`, `ignore` bool `(1, 1, H, W)`, and both again in `prepared`,
    ready to be scored against; `output` the last y, float32 `(1, 1, H, W)` on the CPU; `z` the state of this one
    element; `model` the model's name, for messages.
    """

    trace: Trace
    x: Tensor
    target: Tensor
    ignore: Tensor | None
    prepared: metrics.PreparedTarget
    z: fmt.State
    output: Tensor
    generator: np.random.Generator
    model: str
    pcs: fmt.Clicks = field(default_factory=list)
    ncs: fmt.Clicks = field(default_factory=list)


def to_tensor(image: Image, device: str = "cpu") -> Tensor:
    """uint8 `(H, W, 3)` to float32 `(3, H, W)` in [0, 1]: the x of one element."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return planes.to(device).to(torch.float32).div_(255)


def to_output(mask: Mask, device: str = "cpu") -> Tensor:
    """A bool mask `(H, W)` as the output float32 `(1, 1, H, W)` of one element that says just that."""
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None].to(device, torch.float32)


def start(trace: Trace, x: Tensor, target: Target, z: fmt.State, rules: EvaluationProtocol, model: str) -> Session:
    """A session before its first click. `z` is the state of one element, with `prev_output` to start from.

    Raises `ModelError`, naming `model` and the sample, where that is not an output of the image's size.
    """
    output = z["prev_output"][0]
    try:
        fmt.check_element(output, tuple(x.shape[-2:]), f"{model} (z['prev_output'] of its init_z)")
    except ModelError as error:
        raise ModelError(f"{error} (on sample {trace.sample!r})") from error
    session = Session(
        trace,
        x,
        torch.from_numpy(np.ascontiguousarray(target.object))[None, None],
        None if target.ignore is None else torch.from_numpy(np.ascontiguousarray(target.ignore))[None, None],
        metrics.prepare(target.object, target.ignore),
        z,
        _on_cpu(output)[None],
        generator_for(trace.sample, rules.robot, rules.seed),
        model,
    )
    trace.initial_iou, trace.initial_boundary_iou, _ = _score(session, rules)
    return session


def click(session: Session, robot: fmt.Robot, rules: EvaluationProtocol) -> bool:
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
            threshold=_threshold(rules),
        )
    except Exception as error:
        raise RobotError(f"robot {rules.robot} raised {one_line(error)} (on {_where(session)})") from error
    positive, negative = session.pcs[-1][0], session.ncs[-1][0]
    if not positive and not negative:
        return False
    session.trace.clicks.append([[int(r), int(c), 1] for r, c in positive] + [[int(r), int(c), 0] for r, c in negative])
    session.trace.robot_seconds.append(time.perf_counter() - began)
    return True


def score(session: Session, rules: EvaluationProtocol) -> bool:
    """Note IoU and Boundary IoU of the last output. False where the session has ended: good enough, or no click left.

    Raises `ModelError` where the output holds anything but probabilities.
    """
    began = time.perf_counter()
    reached = _score(session, rules)
    if not reached.sound:
        try:
            fmt.check_element(session.output[0], tuple(session.x.shape[-2:]), session.model)
        except ModelError as error:
            raise _named(error, session) from error
    session.trace.iou.append(reached.iou)
    session.trace.boundary_iou.append(reached.boundary_iou)
    session.trace.robot_seconds[-1] += time.perf_counter() - began
    return reached.iou < rules.target_iou and len(session.trace.iou) < rules.max_clicks


def finish(session: Session, rules: EvaluationProtocol) -> Trace:
    """The trace of an ended session, with its last mask."""
    session.trace.final_mask = pack_mask((session.output[0, 0] > _threshold(rules)).numpy())
    return session.trace


@dataclass(eq=False)
class Batch:
    """Sessions that go through the model in one call, with what they share kept joined between the calls."""

    sessions: list[Session]
    x: fmt.Images
    z: fmt.State


def batch(sessions: Sequence[Session]) -> Batch:
    """Join sessions. Their images become one tensor where they have one size, else a list."""
    return Batch(list(sessions), fmt.join([s.x for s in sessions]), fmt.stack([s.z for s in sessions]))


def answer(model: fmt.Model, together: Batch) -> dict[int, ModelError]:
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
            fmt.stack_clicks([s.pcs for s in sessions]),
            fmt.stack_clicks([s.ncs for s in sessions]),
        )
        fmt.check_batch(y, together.x, model.name)
        fmt.check_state(z, len(sessions), model.name)
        outputs = [_on_cpu(y[b]) for b in range(len(sessions))]
        together.z = {key: fmt.join(value) if isinstance(value, list) else value for key, value in z.items()}
    except RunError:
        raise  # no session's fault
    except Exception as error:  # noqa: BLE001  a model may raise anything
        return _culprits(model, together, error)
    seconds = (time.perf_counter() - began) / len(sessions)
    faults = {}
    for b, (session, output) in enumerate(zip(sessions, outputs, strict=True)):
        session.trace.model_seconds.append(seconds)
        try:
            fmt.check_form(output, tuple(session.x.shape[-2:]), model.name)
            session.output = output[None]
        except ModelError as error:
            faults[b] = _named(error, session)
    if faults:
        part(together)
    return faults


def part(together: Batch) -> None:
    """Give each session its own state back, before the batch is joined anew with others."""
    for session, z in zip(together.sessions, fmt.split(together.z), strict=True):
        session.z = z


def _culprits(model: fmt.Model, together: Batch, error: Exception) -> dict[int, ModelError]:
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
        together.z = fmt.stack([session.z for session in sessions])
        return {}
    names = ", ".join(session.trace.sample for session in sessions)
    raise ModelError(
        f"model {model.name} raised {one_line(error)} on a batch of {len(sessions)} samples ({names}), though it "
        "answers each of them alone; use --batch-size 1"
    ) from error


def _named(error: ModelError, session: Session) -> ModelError:
    return type(error)(f"{error} (on {_where(session)})")


def _where(session: Session) -> str:
    return f"sample {session.trace.sample!r} at click {len(session.trace.clicks)}"


def _threshold(rules: EvaluationProtocol) -> float:
    return 0.5 if rules.threshold is None else rules.threshold


def _score(session: Session, rules: EvaluationProtocol) -> metrics.Score:
    return metrics.score(session.output[0, 0].numpy(), session.prepared, _threshold(rules))


def _on_cpu(y: Any) -> Any:
    return y.cpu() if isinstance(y, Tensor) else y
