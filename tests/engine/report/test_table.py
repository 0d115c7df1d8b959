"""The table of results: measured figures, published ones beside them only where both mean the same, and its notes."""

from __future__ import annotations

import copy
import re

import pytest

from iiszoo.cards import ModelCard
from iiszoo.engine.metrics import NOC_TARGETS, metrics_of
from iiszoo.engine.report import table
from iiszoo.engine.report.columns import KNOWN, chosen, column
from iiszoo.engine.runs.summary import summarise
from iiszoo.errors import BadOption
from iiszoo.figures import lookup, published
from iiszoo.registry import registry

PUBLISHED = "ritm/h18-sbd"  # NoC@90 on GrabCut: 2.04, RITM README


def cells(summary):
    names = table.metrics_for([summary])
    (row,) = table.rows([summary], names)
    return dict(zip(table.columns(names), row, strict=True))


@pytest.fixture
def summary(trace):
    identity = {
        "model": {"id": PUBLISHED},
        "dataset": {"id": "grabcut", "n_samples": 2, "fingerprint": "f"},
        "protocol": {
            "name": "ritm", "robot": "ritm", "robot_version": 1, "max_clicks": 20, "target_iou": 0.9,
            "threshold": 0.49, "seed": 0, "resize": "none", "hash": "abc",
        },
    }  # fmt: skip
    traces = [trace([0.8, 0.91], 0), trace([0.5] * 20, 1)]
    return {**summarise(identity, traces, {}), "directory": "runs/a", "provenance": {"model": {"weights": []}}}


def test_a_row_says_what_was_measured(summary):
    row = cells(summary)
    assert row["model"] == PUBLISHED
    assert row["dataset"] == "grabcut"
    assert row["n"] == "2"
    assert row["NoC@90"].startswith("11.00")
    assert row["NoF@90"] == "1"
    assert row["IoU@1"] == "65.0"
    assert row["IoU@5"] == "70.5"
    assert row["ms/click"] == "10"


def test_the_published_figure_stands_beside_a_comparable_run(summary):
    assert lookup(PUBLISHED, "grabcut", "noc90").value == 2.04
    assert cells(summary)["NoC@90"] == "11.00 (2.04)"


@pytest.mark.parametrize(
    "change",
    [
        {"complete": False},
        {"skipped": {"a": "torn"}},
        {"dataset": "demo"},
        {"protocol": {"max_clicks": 10}},
        {"protocol": {"robot": "random"}},
        {"provenance": {"model": {"weights": ["checkpoint sha256 1"]}}},
    ],
)
def test_no_published_figure_beside_what_it_does_not_mean(summary, change):
    for key, value in change.items():
        summary[key] = {**summary[key], **value} if isinstance(value, dict) else value
    assert cells(summary)["NoC@90"] == "11.00"


def test_what_is_not_known_is_a_dash(summary):
    for name in ("noc85", "noc90", "nof90"):
        summary["metrics"][name] = None
    summary["metrics"]["iou"] = [0.0, 0.5]
    summary["times"]["model_ms_median"] = None
    summary["dataset"] = "demo"
    row = cells(summary)
    assert [row[name] for name in ("NoC@85", "NoC@90", "NoF@90", "IoU@5", "ms/click")] == ["–"] * 5


def test_a_dataset_that_the_model_was_trained_on_is_starred(summary, monkeypatch):
    card = ModelCard(
        id=PUBLISHED, loader="m:f", summary="", licence="MIT", threshold=0.49, training_datasets=("grabcut",)
    )
    monkeypatch.setattr(table, "card_of", lambda model: card)
    assert cells(summary)["dataset"] == "grabcut*"
    assert table.STARRED in table.notes([summary])
    assert cells({**summary, "dataset": "demo"})["dataset"] == "demo"


def test_notes_name_what_is_missing_failed_or_left_out(summary):
    summary.update(n_samples=10, n_done=5, n_failed=2, skipped={"a": "torn", "b": "torn"}, complete=False)
    notes = "\n".join(table.notes([summary]))
    assert f"incomplete, samples left: {PUBLISHED} on grabcut 3" in notes
    assert f"the model failed, counted as failures: {PUBLISHED} on grabcut 2" in notes
    assert f"broken samples left out: {PUBLISHED} on grabcut 2" in notes
    assert "evaluation protocol ritm (abc): robot ritm, at most 20 clicks, until IoU 0.90, threshold 0.49" in notes
    assert cells(summary)["n"] == "5/10"


def test_a_whole_and_sound_run_needs_no_such_note(summary):
    notes = "\n".join(table.notes([summary]))
    assert not any(word in notes for word in ("incomplete", "failed", "left out"))


def test_two_runs_of_one_model_under_two_protocols_can_be_told_apart(summary):
    other = copy.deepcopy(summary)
    other["protocol"]["name"] = "standard"
    names = [row[0] for row in table.rows([summary, other])]
    assert len(set(names)) == 2
    assert "standard" in names[1]
    third = copy.deepcopy(other)
    third["protocol"]["robot"] = "noisy-ritm:sigma=0.3"
    assert [row[0] for row in table.rows([other, third])] == [
        f"{PUBLISHED} (ritm)",
        f"{PUBLISHED} (noisy-ritm:sigma=0.3)",
    ]
    drawn = copy.deepcopy(third)
    drawn["protocol"]["seed"] = 3
    assert [row[0] for row in table.rows([other, third, drawn])] == [
        f"{PUBLISHED} (ritm)",
        f"{PUBLISHED} (noisy-ritm:sigma=0.3, seed 0)",
        f"{PUBLISHED} (seed 3)",
    ]
    assert [note.endswith(", seed 3") for note in table.notes([third, drawn]) if note.startswith("evaluation")] == [
        False,
        True,
    ]
    same = copy.deepcopy(summary)
    same["directory"] = "runs/b"
    assert len({row[0] for row in table.rows([summary, same])}) == 2


# chosen metrics

EVERY = [
    *(f"{kind}{round(100 * goal)}{more}" for goal in NOC_TARGETS for kind, more in
      (("noc", ""), ("noc", "_std"), ("nof", ""), ("nof", "_strict"))),
    "iou@0", "iou@20", "biou@0", "biou@5", "auc", "model_ms_median", "model_ms_p95", "robot_ms_median", "robot_ms_p95",
    "init_ms_median", "spc_seconds",
]  # fmt: skip


def test_a_table_of_chosen_metrics(summary):
    summary["metrics"]["boundary_iou"] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.456]
    names = chosen("nof90_strict, noc90,noc90_std,iou@2,biou@5,auc,spc_seconds")
    assert table.columns(names) == (
        "model", "dataset", "n", "NoF@90 strict", "NoC@90", "NoC@90 std", "IoU@2", "BIoU@5", "AuC", "SPC s"
    )  # fmt: skip
    ((*_, never, noc, spread, iou, biou, area, spc),) = table.rows([summary], names)
    assert (never, noc, spread, iou, biou) == ("1", "11.00 (2.04)", "9.00", "70.5", "45.6")
    assert area == f"{100 * ((0.8 + 0.5) / 2 + 19 * (0.91 + 0.5) / 2) / 20:.1f}"
    assert spc == "0.012"


def test_every_published_figure_stands_beside_its_own_column(summary):
    for metric in {row.metric for row in published()}:
        assert column(metric).published
    for name in ("noc85", "noc90"):
        ((*_, cell),) = table.rows([summary], [name])
        assert cell.endswith(f"({lookup(PUBLISHED, 'grabcut', name).value:.2f})")


def test_notes_explain_the_chosen_columns_and_no_others(summary):
    assert table.notes([summary])[0] == (
        "NoC: mean number of clicks to reach an IoU; NoF: samples that took all clicks; init: the image's encoding, "
        "divided by its samples; in brackets: as published"
    )
    assert table.notes([summary], ["nof90", "nof90_strict", "biou@1", "biou@5"])[0] == (
        "NoF: samples that took all clicks; NoF strict: samples that never reached the IoU; BIoU: Boundary IoU in %"
    )
    assert "brackets" not in table.notes([{**summary, "complete": False}])[0], "no published figure is shown"
    assert table.notes([summary], ["iou@1"]) == table.notes([summary])[2:], "neither counted nor timed"


def test_every_metric_has_a_column_of_its_own_and_a_figure(summary):
    summary["metrics"].update({"noc95": 20.0, "noc95_std": 0.0, "nof95": 2, "nof95_strict": 2})
    summary["metrics"]["boundary_iou"] = [0.5] * 21
    assert len(set(table.columns(EVERY))) == 3 + len(EVERY)
    (row,) = table.rows([summary], EVERY)
    assert "–" not in row


def test_the_names_that_a_message_lists_are_known():
    listed = re.sub(r" \(.*?\)", "", KNOWN).split(", ")
    assert len(listed) == 15
    assert {column(name.replace("@K", "@7")).title for name in listed} >= {"NoC@85", "NoF@85 strict", "BIoU@7", "AuC"}


def test_what_a_run_does_not_know_is_a_dash_in_every_column(summary):
    summary["metrics"] = {name: [None] * 21 if isinstance(v, list) else None for name, v in summary["metrics"].items()}
    summary["times"] = dict.fromkeys(summary["times"])
    (row,) = table.rows([summary], EVERY)
    assert set(row[3:]) <= {"–", "– (1.76)", "– (2.04)"}
    assert table.rows([summary], ["iou@21", "biou@99"])[0][3:] == ["–", "–"]


@pytest.mark.parametrize("name", ["", "noc", "noc70", "noc85_strict", "nof85_std", "iou", "iou@-1", "auc@5", "NoC@85"])
def test_a_metric_that_is_not_known_is_refused_with_those_that_are(name):
    with pytest.raises(BadOption, match=f"no metric is called '{name}'; metrics: noc85") as refused:
        chosen(f"noc85,{name}")
    assert KNOWN in str(refused.value)
    with pytest.raises(BadOption):
        table.columns([name])


def test_runs_from_masks_say_how_good_these_were(summary, trace):
    started = copy.deepcopy(summary)
    started["metrics"]["initial_iou"] = 0.801
    started["dataset"] = "davis585-sp"
    names = table.metrics_for([summary, started])
    assert names == ("initial_iou", *table.metrics_for([summary]))
    at = table.columns(names).index("initial IoU")
    assert [row[at] for row in table.rows([summary, started], names)] == ["–", "80.1"]


@pytest.mark.parametrize(
    ("targets", "counted"),
    [
        ([0.9], ("noc85", "noc90", "nof90")),
        ([0.95], ("noc90", "noc95", "nof95")),
        ([1.0], ("noc90", "noc95", "nof95")),
        ([0.85], ("noc80", "noc85", "nof85")),
        ([0.93, 0.95], ("noc85", "noc90", "noc95", "nof90", "nof95")),
        ([0.8], ("noc80", "nof80")),
        ([0.5], ()),
    ],
)
def test_the_columns_are_those_of_the_evaluation_protocol(summary, targets, counted):
    summaries = [{**summary, "protocol": {**summary["protocol"], "target_iou": target}} for target in targets]
    assert table.metrics_for(summaries) == (*counted, *table.LAST_METRICS)


def test_times_are_stated_with_device_and_threads(summary):
    assert "times: on an unknown device" in table.notes([summary])
    gpu, cpu = {"device": "cuda:0 (H200)", "threads": 8}, {"device": "cpu", "threads": 1}
    places = [cpu, gpu, cpu]
    timed = [{**summary, "provenance": {"environment": place}} for place in places]
    assert "times: on cpu, 1 thread or cuda:0 (H200), 8 threads" in table.notes(timed)
    assert not [line for line in table.notes(timed, ["noc90"]) if line.startswith("times")]


def test_the_mean_of_the_initial_masks_leaves_failures_out(trace):
    sound, failed = trace([0.9], 0, initial_iou=0.8), trace([], 1, error="it failed")
    assert metrics_of([sound, failed], 20, 0.9)["initial_iou"] == 0.8
    assert metrics_of([failed], 20, 0.9)["initial_iou"] is None


def test_a_dataset_stays_starred_with_other_masks_to_start_from(summary, monkeypatch):
    card = ModelCard(id=PUBLISHED, loader="m:f", summary="", licence="MIT", training_datasets=("grabcut",))
    monkeypatch.setattr(table, "card_of", lambda model: card)
    assert cells({**summary, "dataset": "grabcut?initial=perturb:seed=0,iou=0.75-0.85"})["dataset"].endswith("*")


def test_every_published_figure_is_of_a_dataset_that_there_is():
    for row in published():
        assert registry().datasets.resolve(row.dataset).id == row.dataset


def test_the_published_figure_from_masks_stands_beside_a_run_from_superpixels_alone(summary, monkeypatch):
    monkeypatch.setattr(table, "card_of", lambda model: None)  # whether the plugin is installed or not
    figure = lookup("focalclick/segformerb3-s2", "davis585-sp", "noc90")
    assert (figure.value, "D585_SP" in figure.source) == (2.76, True)
    run = {**summary, "model": "focalclick/segformerb3-s2"}
    assert cells({**run, "dataset": "davis585-sp"})["NoC@90"] == "11.00 (2.76)"
    for other in ("davis585-stm", "davis585?initial=perturb:seed=0,iou=0.75-0.85"):
        assert cells({**run, "dataset": other})["NoC@90"] == "11.00"
    merged = {**run, "dataset": "davis585-sp", "model": "focalclick/segformerb3-s2?progressive_merge=fixed"}
    assert cells(merged)["NoC@90"] == "11.00"
