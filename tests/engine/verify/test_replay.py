"""What another machine computes a little differently is told from what was edited."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iiszoo.clicking.robots import ritm
from iiszoo.data.base import Sample, Target
from iiszoo.engine import pipeline
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.verify.replay import replay
from iiszoo.protocol import as_model

RULES = ResolvedProtocol(max_clicks=4, target_iou=0.99, threshold=0.5)
SQUARE = np.zeros((40, 60), bool)
SQUARE[8:32, 8:32] = True


def sample() -> Sample:
    return Sample("a", "a", ("a.png",), lambda: np.zeros((40, 60, 3), np.uint8), lambda: Target(SQUARE, None))


def shaky(offset: float):
    """A model whose first answer finds all but two blocks of equal size, which make a tie, and a pixel that is at the
    threshold: `offset` decides whether it is object, and so which block is the larger one.
    """

    def answer(x, z, pcs, ncs):
        y = torch.zeros(len(x), 1, 40, 60)
        y[:, :, 8:32, 8:32] = 0.9
        if len(pcs) == 1:
            y[:, :, 10:15, 10:15] = 0.1
            y[:, :, 20:25, 20:25] = 0.1
            y[:, :, 12, 12] = 0.5 + offset
        return y

    return as_model(answer)


def run_of(model, rules=RULES):
    traces = []
    pipeline.run(model, ritm, [sample()], [[0]], rules, traces.append)
    (trace,) = traces
    return trace


def replayed(model, trace, tolerance=1e-3):
    return replay(model, ritm, sample(), trace, RULES, tolerance)


def test_the_same_model_replays_exactly():
    trace = run_of(shaky(1e-4))
    found = replayed(shaky(1e-4), trace)
    assert (found.findings, found.ties, found.largest) == ([], 0, 0.0)
    assert found.n_clicks == len(trace.clicks) == 2


@pytest.mark.parametrize("sign", [1, -1])
def test_a_click_that_parts_within_the_tolerance_is_a_tie(sign):
    trace = run_of(shaky(sign * 1e-4))
    assert trace.clicks != run_of(shaky(-sign * 1e-4)).clicks
    found = replayed(shaky(-sign * 1e-4), trace)
    assert found.findings == []
    assert found.ties == 1
    assert 0 < found.largest < 1e-2


def test_beyond_the_tolerance_the_mask_was_another_one():
    trace = run_of(shaky(0.2))
    assert ("differs", "iou[0]") in [(one.status, one.field) for one in replayed(shaky(-0.2), trace).findings]


def test_an_arbitrary_click_is_no_tie():
    trace = run_of(shaky(1e-4))
    trace.clicks[1] = [[0, 59, 0]]
    (found,) = replayed(shaky(1e-4), trace).findings
    assert (found.status, found.sample, found.field) == ("differs", "a", "clicks[1]")
    assert found.text == "it is [[0, 59, 0]] in the run, but [[22, 22, 1]] in the replay"


def test_a_click_after_an_iou_that_differs_a_little_cannot_be_told():
    trace = run_of(shaky(1e-4))
    trace.clicks[1] = [[0, 59, 0]]
    trace.iou[0] += 1e-4
    (found,) = replayed(shaky(1e-4), trace).findings
    assert (found.status, found.field) == ("unchecked", "clicks[1]")
    assert "within the tolerance" in found.text


def failing(x, z, pcs, ncs):
    if len(pcs) == 2:
        raise RuntimeError("no second click")
    return shaky(0.0)(x, z, pcs, ncs)[0]


def test_a_model_that_failed_in_the_run_fails_again():
    traces = []
    pipeline.run(as_model(failing), ritm, [sample()], [[0]], RULES, traces.append, keep_going=True)
    assert "no second click" in traces[0].error
    assert replayed(as_model(failing), traces[0]).findings == []
    (found,) = replayed(shaky(0.0), traces[0]).findings
    assert (found.status, found.field) == ("unchecked", "error")


def test_a_failure_that_the_run_does_not_tell_is_named():
    (found,) = replayed(as_model(failing), run_of(shaky(0.0))).findings
    assert (found.status, found.field) == ("differs", "error")
    assert "no second click" in found.text
