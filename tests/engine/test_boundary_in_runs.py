"""Boundary IoU of a run: one after every click, in traces, summaries and runs that go on after an older version's."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import painting_models
import pytest

from iiszoo import as_model, load_dataset, load_robot
from iiszoo.engine import metrics, pipeline
from iiszoo.engine.bench import bench
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.report import table
from iiszoo.engine.runs import store, summary
from iiszoo.engine.runs.trace import unpack_mask

RULES = EvaluationProtocol(max_clicks=4, target_iou=0.85, threshold=0.49)


def traces_of(dataset, rules, model=painting_models.discs, **how):
    traces = []
    pipeline.run(as_model(model), load_robot("ritm"), dataset, by_image(dataset), rules, traces.append, **how)
    return sorted(traces, key=lambda trace: trace.index)


@pytest.fixture
def dataset(photos):
    return load_dataset(photos(4, objects=2, sizes=[(40, 56), (33, 47)]))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_click_has_the_boundary_iou_of_the_mask_after_it(dataset, batch_size):
    """A session of k clicks has the first k values of a longer one, and its last mask is kept."""
    longest = traces_of(dataset, replace(RULES, target_iou=1.0))
    for most in range(1, 5):
        for trace in traces_of(dataset, replace(RULES, max_clicks=most, target_iou=1.0), batch_size=batch_size):
            target = dataset[trace.index].read_target()
            mask = unpack_mask(trace.final_mask, trace.size)
            assert len(trace.boundary_iou) == len(trace.iou)
            assert trace.boundary_iou[-1] == metrics.boundary_iou(mask, target.object, target.ignore)
            assert trace.boundary_iou == longest[trace.index].boundary_iou[: len(trace.iou)]
    assert len({value for trace in longest for value in trace.boundary_iou}) > 10


def test_a_session_that_begins_with_a_mask_has_its_boundary_iou_too(dataset):
    rng = np.random.default_rng(0)
    masks = [dataset[i].read_target().object & (rng.random() < 0.5) for i in range(len(dataset))]
    started = [replace(sample, read_initial_mask=lambda k=k: masks[k]) for k, sample in enumerate(dataset)]
    for trace, mask in zip(traces_of(started, RULES), masks, strict=True):
        assert trace.initial_boundary_iou == metrics.boundary_iou(mask, dataset[trace.index].read_target().object)
        if trace.initial_iou >= RULES.target_iou:
            assert (trace.initial_boundary_iou, trace.boundary_iou) == (1.0, [])
    assert {trace.initial_boundary_iou for trace in traces_of(started, RULES)} == {0.0, 1.0}


def test_scoring_is_part_of_the_robots_time(dataset, monkeypatch):
    fast = traces_of(dataset, RULES)
    scored = metrics.score

    def slowly(*arguments):
        time.sleep(0.02)
        return scored(*arguments)

    monkeypatch.setattr(metrics, "score", slowly)
    slow = traces_of(dataset, RULES)
    assert all(seconds > 0.02 for trace in slow for seconds in trace.robot_seconds)
    assert [trace.results() for trace in slow] == [trace.results() for trace in fast]


def test_a_run_of_an_older_version_goes_on_and_has_no_mean_of_a_part(photos, tmp_path):
    how = {"out": tmp_path / "out", "max_clicks": 4, "target_iou": 0.85}
    name = photos(6)
    (whole,) = bench("painting_models:discs", name, **how)
    assert None not in whole["metrics"]["boundary_iou"]
    lines = Path(whole["directory"], "samples.jsonl")
    older = [json.loads(line) for line in lines.read_text().splitlines()[:3]]
    for line in older:
        del line["boundary_iou"], line["initial_boundary_iou"]
    lines.write_text("".join(json.dumps(line) + "\n" for line in older))
    (resumed,) = bench("painting_models:discs", name, **how)
    assert resumed["complete"]
    assert resumed["metrics"] == {**whole["metrics"], "boundary_iou": [None] * 5}
    assert len(store.read_traces(Path(whole["directory"]))) == 6
    assert summary.read(Path(whole["directory"]))[0]["metrics"] == resumed["metrics"]
    assert table.rows([resumed, whole], ["biou@2"])[0][-1] == "–"
    assert table.rows([resumed, whole], ["biou@2"])[1][-1] == f"{100 * whole['metrics']['boundary_iou'][2]:.1f}"
