"""Runs on the same data are compared on the samples that all of them have done, and it is said on how many."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiszoo.engine.comparison.samples import limited, on_common_samples
from iiszoo.engine.report import table
from iiszoo.figures import published
from iiszoo.registry import resolve_model


def test_six_of_twelve_beside_two_of_twelve_are_compared_on_two(run):
    a, b = run("toy/a", [2, 4, 9, 9, 9, 9], n_samples=12), run("toy/b", [3, 3], n_samples=12)
    results, (sentence,) = on_common_samples([a, b])
    assert [summary["n_done"] for summary, _ in results] == [2, 2]
    assert [summary["metrics"]["noc90"] for summary, _ in results] == [3, 3]
    assert sentence == ("folder:my: compared on the 2 samples that all runs have done; they have done 2, 6 of 12")
    notes = "\n".join(table.notes([summary for summary, _ in results]))
    assert "incomplete, samples left: toy/a on folder:my 6, toy/b on folder:my 10" in notes
    assert table.rows([summary for summary, _ in results], ["noc90"])[0][:3] == ["toy/a", "folder:my", "2/12"]


def test_other_data_are_left_alone(run):
    results = [run("toy/a", [2, 4]), run("toy/b", [3]), run("toy/a", [5, 5, 5], fingerprint="0" * 64)]
    found, sentences = on_common_samples(results)
    assert [summary["n_done"] for summary, _ in found] == [1, 1, 3]
    assert len(sentences) == 1


def test_runs_without_a_common_sample_cannot_be_compared(run):
    results = [run("toy/a", {0: 2, 1: 2}), run("toy/b", {2: 3})]
    found, (sentence,) = on_common_samples(results)
    assert found == results
    assert sentence == "folder:my: no sample is done in all runs; their figures cannot be compared"


def test_no_published_figure_stands_beside_a_part_of_a_run(run):
    row = next(row for row in published() if row.metric == "noc90" and row.robot == "ritm" and "?" not in row.model)
    whole = run(row.model, [2] * 5, name=row.dataset, n_samples=5, threshold=resolve_model(row.model)[0].threshold)
    assert table.published_beside(whole[0], "noc90") == row
    ((part, _),) = limited([whole], 3)
    assert part["n_done"] == 3
    assert table.published_beside(part, "noc90") is None


def test_the_limit_counts_in_the_datasets_order(run):
    ((summary, traces),) = limited([run("toy/a", {0: 2, 5: 4, 7: 6})], 6)
    assert [trace.index for trace in traces] == [0, 5]
    assert summary["metrics"]["noc90"] == 3
    assert limited([run("toy/a", [2])], None)[0][0]["n_done"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=1, max_size=4))
def test_all_runs_end_up_with_the_same_samples(run, done):
    results = [run(f"toy/{i}", {sample: 1 + (sample + i) % 19 for sample in samples}) for i, samples in enumerate(done)]
    found, sentences = on_common_samples(results)
    common = set.intersection(*done)
    for summary, traces in found if common else []:
        assert {trace.index for trace in traces} == common
        assert summary["n_done"] == len(common)
        assert summary["metrics"]["noc90"] == pytest.approx(sum(len(trace.iou) for trace in traces) / len(common))
    assert bool(sentences) == any(samples != common for samples in done)
