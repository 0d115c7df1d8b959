"""A session's trace: one line of JSON, whatever it holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from iiszoo.engine.runs.trace import Trace, pack_mask, unpack_mask


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_a_packed_mask_comes_back(mask):
    back = unpack_mask(pack_mask(mask), list(mask.shape))
    assert back.dtype == bool
    np.testing.assert_array_equal(back, mask)


def test_a_trace_is_one_line_and_comes_back_exactly(trace):
    session = trace([1 / 3, 0.9], error="two\nlines, and ünïcödé", initial_iou=0.1)
    line = session.to_line()
    assert "\n" not in line
    assert Trace.from_line(line) == session


def test_a_trace_from_before_boundary_iou_was_measured_still_reads(trace):
    new = trace([0.5, 0.9], initial_boundary_iou=0.1, boundary_iou=[0.2, 0.3])
    assert Trace.from_line(new.to_line()) == new
    values = json.loads(new.to_line())
    del values["boundary_iou"], values["initial_boundary_iou"]
    old = Trace.from_line(json.dumps(values))
    assert (old.initial_boundary_iou, old.boundary_iou) == (None, [])
    assert old == trace([0.5, 0.9])


@pytest.mark.parametrize("line", ["", "{", "[]", "null", "3", '"text"', '{"sample": "a"}', '{"unheard_of": 1}'])
def test_what_is_not_a_trace_is_refused(line):
    with pytest.raises((ValueError, TypeError)):
        Trace.from_line(line)


def test_a_trace_from_before_tracebacks_were_kept_still_reads(trace):
    failed = trace([], error="model m raised", traceback="Traceback ...\nValueError: no")
    assert Trace.from_line(failed.to_line()) == failed
    values = json.loads(failed.to_line())
    del values["traceback"]
    assert Trace.from_line(json.dumps(values)) == trace([], error="model m raised")
    with pytest.raises(ValueError, match="traceback must be a string, not 3"):
        Trace.from_line(json.dumps({**values, "traceback": 3}))


def test_results_are_everything_but_times_and_tracebacks(trace):
    assert trace([], traceback="here").results() == trace([], traceback="there").results()
    slow = trace([0.5], model_seconds=[9.0], robot_seconds=[9.0], init_seconds=9.0, load_seconds=9.0)
    assert slow.results() == trace([0.5]).results()
    assert slow.results() != trace([0.6]).results()
    assert slow.results() != trace([0.5], clicks=[[[7, 7, 0]]]).results()
