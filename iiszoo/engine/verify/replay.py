"""A session once more, with the model: are these its clicks and IoUs?

The model gets the clicks of the trace, and after each the robot is asked for the next one. So every IoU can be
compared, and every click, even after one that differs.

Outputs of another machine may differ by the model's tolerance, in probability. A pixel that is so near the threshold
may be object or not; an IoU agrees if some choice of these pixels comes within the tolerance of it. If the robot makes
another click, it may be a tie: some choice of these pixels may give the click of the trace. If none is found, although
the IoU before it is exactly the trace's, the click differs; if that IoU differs a little, the robot saw another mask,
and it cannot be told.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from iiszoo.data.base import Sample
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.robot_turn import unrecorded
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.engine.session import Session
from iiszoo.engine.verify.clicks import GroundTruth, clicks_of
from iiszoo.engine.verify.findings import Finding, Status, other
from iiszoo.engine.verify.traces import ended_early
from iiszoo.errors import ModelError, WorkerDied
from iiszoo.protocol import Model, Robot
from iiszoo.seeding import generator_for

REPLAY = "replay"
_SINGLE, _RANDOM = 64, 32
"""How many uncertain pixels are flipped one at a time to explain a click, and how many random choices are tried."""


@dataclass
class Replay:
    """A replayed session: what differs or cannot be told, its ties, and the largest difference between IoUs."""

    findings: list[Finding] = field(default_factory=list)
    ties: int = 0
    largest: float = 0.0
    n_clicks: int = 0


def replay(
    model: Model, robot: Robot | None, sample: Sample, trace: Trace, rules: ResolvedProtocol, tolerance: float
) -> Replay:
    """Replay the session of a trace. Without `robot`, only IoUs and the last mask are compared."""
    return _Replaying(model, robot, sample, trace, rules, tolerance).run()


class _Replaying:
    def __init__(
        self,
        model: Model,
        robot: Robot | None,
        sample: Sample,
        trace: Trace,
        rules: ResolvedProtocol,
        tolerance: float,
    ) -> None:
        self.model, self.robot, self.sample, self.trace = model, robot, sample, trace
        self.rules, self.tolerance = rules, tolerance
        self.truth = GroundTruth.of(sample)
        self.generator = generator_for(trace.sample, rules.robot, rules.seed)
        self.done = Replay()

    def run(self) -> Replay:
        """Play the session; a model that fails here is a finding, not an error."""
        try:
            self._run()
        except ModelError as error:
            if self.trace.error is None:
                status: Status = "unchecked" if isinstance(error, WorkerDied) else "differs"
                self._found(status, "error", f"the model answered in the run, and fails here: {error}")
        return self.done

    def _run(self) -> None:
        trace = self.trace
        session = Session(
            self.model,
            self.sample.read_image(),
            initial_mask=self.sample.read_initial_mask(),
            threshold=self.rules.threshold,
        )
        if list(session.size) != trace.size:
            return  # told by `check_targets`
        measured = trace.error is None or trace.initial_boundary_iou is not None
        same = not measured or self._compare(session.output, 0)
        for k, clicks in enumerate(trace.clicks):
            if any(row >= session.size[0] or col >= session.size[1] for row, col, _ in clicks):
                return  # told by `check_traces`
            if self.robot is not None:
                self._compare_clicks(session, k, same)
            session.interact(
                [(row, col) for row, col, positive in clicks if positive],
                [(row, col) for row, col, positive in clicks if not positive],
            )
            self.done.n_clicks += len(clicks)
            if k < len(trace.iou):
                same = self._compare(session.output, k + 1)
        if trace.error is not None:
            text = f"the model failed in the run ({trace.error}), which counts as all clicks, and answers here"
            self._found("unchecked", "error", text)
            return
        self._compare_masks(session.output)
        if self.robot is not None and trace.clicks:
            found = unrecorded(self.robot, trace)
            if found != trace.unrecorded:
                self._found("differs", "unrecorded", f"it is {other(trace.unrecorded, found)} for these clicks")
        if self.robot is not None and ended_early(trace, self.rules):
            made = self._asked(session, session.output, self.generator)
            if made:
                self._found("differs", "clicks", f"the session ends, but the robot clicks {made}")

    def _found(self, status: Status, field: str, text: str) -> None:
        self.done.findings.append(Finding(REPLAY, status, text, self.trace.sample, field))

    def _asked(self, session: Session, output: Tensor, generator: np.random.Generator) -> list[list[int]]:
        assert self.robot is not None
        return clicks_of(
            self.robot, output, self.truth, session.pcs, session.ncs, self.trace.sample, self.rules, generator
        )

    def _compare(self, output: Tensor, k: int) -> bool:
        """Compare the IoUs after k interactions. Whether they are exactly the trace's."""
        trace = self.trace
        here = self._score(output)
        near = [self._score(choice) for choice in self._extremes(output)] or [here]
        ious: list[float | None] = [trace.initial_iou, *trace.iou]
        boundary: list[float | None] = [trace.initial_boundary_iou, *trace.boundary_iou]
        self._compare_score("iou", ious, k, here.iou, [score.iou for score in near])
        self._compare_score("boundary_iou", boundary, k, here.boundary_iou, [score.boundary_iou for score in near])
        return ious[k] == here.iou

    def _compare_score(self, name: str, values: list[float | None], k: int, here: float, near: list[float]) -> None:
        """`near`: its values for choices of the uncertain pixels."""
        stored = values[k] if k < len(values) else None
        if stored is None or stored == here:
            return
        if min(near) - self.tolerance <= stored <= max(near) + self.tolerance:
            self.done.largest = max(self.done.largest, abs(stored - here))
        else:
            field = f"{name}[{k - 1}]" if k else f"initial_{name}"
            self._found("differs", field, f"it is {other(stored, here)} in the replay")

    def _compare_clicks(self, session: Session, k: int, same: bool) -> None:
        """Compare the robot's clicks for interaction k. `same`: whether the IoU before it is exactly the trace's."""
        wanted = self.trace.clicks[k]
        output, before = session.output, self.generator
        self.generator = copy.deepcopy(before)
        made = self._asked(session, output, self.generator)
        if made == wanted:
            return
        for choice in self._choices(output):
            generator = copy.deepcopy(before)
            if self._asked(session, choice, generator) == wanted:
                self.generator = generator
                self.done.ties += 1
                return
        text = f"it is {other(wanted, made)} in the replay"
        if same:
            self._found("differs", f"clicks[{k}]", text)
        else:
            why = "the IoU before it differs within the tolerance, so that the robot saw another mask"
            self._found("unchecked", f"clicks[{k}]", f"{text}; {why}")

    def _compare_masks(self, output: Tensor) -> None:
        try:
            stored = torch.from_numpy(unpack_mask(self.trace.final_mask, self.trace.size))[None, None]
        except ValueError:
            return  # told by `check_traces`
        here = output > self.rules.threshold
        wrong = (stored != here) & ~self._uncertain(output)
        n_wrong, n_either = int(wrong.sum()), int((stored | here).sum())
        if n_wrong > self.tolerance * n_either:
            self._found("differs", "final_mask", f"{n_wrong} pixels differ from the replay's, of {n_either}")

    def _score(self, output: Tensor) -> metrics.Score:
        return metrics.score(output[0, 0].numpy(), self.truth.prepared, self.rules.threshold)

    def _uncertain(self, output: Tensor) -> Tensor:
        return (output - self.rules.threshold).abs() <= self.tolerance

    def _set(self, output: Tensor, pixels: Tensor, object: Tensor | bool) -> Tensor:
        """The output with some pixels just above the threshold, where they are to be object, or just below."""
        step = torch.where(torch.as_tensor(object), self.tolerance, -self.tolerance)
        return torch.where(pixels, (self.rules.threshold + step).clamp(0, 1), output).float()

    def _extremes(self, output: Tensor) -> list[Tensor]:
        """The choices of uncertain pixels with the best and the worst IoU, and all or none of them object."""
        pixels = self._uncertain(output)
        if not pixels.any():
            return []
        return [self._set(output, pixels, object) for object in (self.truth.target, ~self.truth.target, True, False)]

    def _choices(self, output: Tensor) -> Iterator[Tensor]:
        """The extremes, and more choices."""
        extremes = self._extremes(output)
        yield from extremes
        if not extremes:
            return
        pixels = self._uncertain(output)
        places = pixels.flatten().nonzero().flatten()
        above = output > self.rules.threshold
        for place in places[:_SINGLE]:
            alone = torch.zeros_like(pixels).flatten()
            alone[place] = True
            yield self._set(output, alone.view_as(pixels), ~above)
        rng = generator_for(self.trace.sample, "uncertain pixels", 0)
        for _ in range(_RANDOM):
            drawn = torch.from_numpy(rng.random(tuple(output.shape)) < 0.5)
            yield self._set(output, pixels, drawn)
