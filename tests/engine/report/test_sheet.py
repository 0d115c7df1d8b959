"""The table for papers and other programs: the best in bold, intervals, citation keys, and every name escaped."""

from __future__ import annotations

import csv
import io

import pytest

from iiszoo.cards import ModelCard
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.report import table
from iiszoo.engine.report.sheet import bibliography, sheet
from iiszoo.engine.runs.summary import summarise

CITED = "toy/cited"
CITATION = "@inproceedings{ann2026,\n  title = {Clicks},\n}"


@pytest.fixture
def run(trace, monkeypatch):
    """`run(model, clicks)`: a run whose sessions reach IoU 0.92 with that click."""
    card = ModelCard(id=CITED, loader="m:f", summary="", licence="MIT", citation=CITATION)
    monkeypatch.setattr(table, "card_of", lambda model: card if model == CITED else None)

    def run(model, clicks, dataset="folder:a_b", n_samples=3):
        identity = {
            "format": 2,
            "model": {"id": model, "code": "toy 1", "weights": []},
            "protocol": EvaluationProtocol(threshold=0.5).as_json(),
            "dataset": {"id": dataset, "n_samples": n_samples, "fingerprint": dataset},
        }
        traces = [trace([*[0.5] * (n - 1), 0.92], i) for i, n in enumerate(clicks)]
        return {**summarise(identity, traces, {}), "provenance": identity}, traces

    return run


def test_csv_has_plain_numbers_and_their_intervals(run):
    text = sheet("csv", [run(CITED, [1, 2, 6]), run("toy/b", [4, 4, 4])], ["noc90", "iou@1"])
    first, second = csv.DictReader(io.StringIO(text))
    assert first["model"] == CITED
    assert first["citation"] == "ann2026"
    assert float(first["noc90"]) == 3
    assert float(first["noc90_low"]) < 3 < float(first["noc90_high"])
    assert 0 < float(first["iou@1"]) < 1
    assert second["citation"] == ""
    assert float(second["noc90_low"]) == 4


def test_the_best_on_each_dataset_is_bold_and_equals_share_it(run):
    results = [run("toy/a", [2, 2, 2]), run("toy/b", [2, 2, 2]), run("toy/c", [3, 3, 3]), run("toy/a", [9], "folder:c")]
    rows = sheet("markdown", results, ["noc90"]).splitlines()[2:6]
    assert [("**" in row) for row in rows] == [True, True, False, False]  # alone on its dataset, nothing is best
    assert rows[0] == r"| toy/a | folder:a\_b | 3 | **2.00** [2.00, 2.00] |"
    assert rows[3] == "| toy/a | folder:c | 1/3 | 9.00 |"


def test_higher_is_better_for_iou(run):
    rows = sheet("markdown", [run("toy/a", [1, 1, 1]), run("toy/b", [2, 2, 2])], ["iou@1", "auc"]).splitlines()
    assert rows[2].count("**") == 4
    assert "**" not in rows[3]


def test_latex_is_escaped_and_cites(run):
    text = sheet("latex", [run(CITED, [2, 2, 2]), run("my%_model&more", [3, 3, 3])], ["noc90"])
    lines = text.splitlines()
    assert rf"{CITED}~\cite{{ann2026}} & folder:a\_b & 3 & \textbf{{2.00}} [2.00, 2.00] \\" in lines
    assert any(line.startswith(r"my\%\_model\&more & ") for line in lines)
    assert lines[0].startswith("% NoC: mean number of clicks")
    body = lines[lines.index(r"\begin{tabular}{llrr}") : lines.index(r"\end{tabular}") + 1]
    assert len(body) == 8
    assert all(line.count("&") - line.count(r"\&") == 3 for line in body if line.endswith(r"\\"))


def test_the_bibliography_has_each_entry_once_and_names_models_without(run):
    entries, without = bibliography([run(CITED, [2])[0], run(CITED, [3])[0], run("toy/b", [3])[0]])
    assert entries == CITATION
    assert without == ["toy/b"]
