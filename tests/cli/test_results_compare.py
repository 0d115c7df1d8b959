"""`iiszoo results compare`, and what `iiszoo report` says of runs beside each other, as they are typed."""

from __future__ import annotations

import json

import pytest

from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace


@pytest.fixture
def runs(tmp_path):
    """`runs(a=[2, 3], b=[4, 9])`: directories of runs whose sessions end after so many clicks; returns `runs`."""

    def runs(fingerprint="f1", **clicks):
        for name, wanted in clicks.items():
            identity = {
                "format": store.FORMAT,
                "model": {"id": f"toy/{name}", "code": "toy 1", "weights": []},
                "protocol": EvaluationProtocol(threshold=0.5).as_json(),
                "dataset": {"id": "folder:my", "n_samples": 12, "fingerprint": fingerprint},
            }
            with store.begin(tmp_path / "runs" / name, identity) as writer:
                for i, n in enumerate(wanted):
                    writer.append(Trace(f"s{i}", i, [2, 2], iou=[*[0.5] * (n - 1), 0.95], clicks=[[[0, 0, 1]]] * n))
        return tmp_path / "runs"

    return runs


def test_two_runs_are_compared_in_the_terminal_and_as_json(iiszoo, runs):
    place = runs(a=[2, 3, 5, 5, 9], b=[4, 3, 6, 8, 12])
    done = iiszoo("results", "compare", place / "a", place / "b", "-n", "2")
    assert done.returncode == 0, done.stderr
    assert "NoC@90 on 5 samples: toy/a 4.80, toy/b 6.60" in done.stdout
    assert "difference of toy/b: +1.80 clicks, 95 % interval" in done.stdout
    assert "toy/a needs fewer clicks in 4, as many in 1, more in 0" in done.stdout
    listed = done.stdout.split("where they differ most")[1]
    assert "s3" in listed
    assert "s4" in listed
    assert "s1" not in listed
    values = json.loads(iiszoo("results", "compare", place / "a", place / "b", "--json").stdout)
    assert values["difference"]["value"] == pytest.approx(1.8)
    assert (values["wins"], values["ties"], values["losses"]) == (4, 1, 0)
    assert len(values["samples"]) == 5


def test_what_cannot_be_compared_is_one_sentence(iiszoo, runs):
    place = runs(a=[2], b=[3])
    runs(fingerprint="f2", c=[2])
    for arguments, sentence in (
        ([place / "a", place / "c"], "are runs on different data"),
        ([place, place / "a"], "contains 3 runs; give one of them"),
        ([place / "a", place / "absent"], "is not a directory"),
        (
            [place / "a", place / "b", "--goal", "0.95"],
            "sessions of these runs end at IoU 0.9; give a --goal up",
        ),
    ):
        done = iiszoo("results", "compare", *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_report_compares_on_common_samples_of_the_same_data(iiszoo, runs):
    place = runs(a=[2, 4, 9, 9, 9, 9], b=[3, 3])
    runs(fingerprint="f2", c=[2])
    done = iiszoo("report", place)
    assert "compared on the 2 samples that all runs have done; they have done 2, 6 of 12" in done.stdout
    assert "NoC@90 on folder:my #f1, 2 samples; with so few samples, intervals are too narrow" in done.stdout
    assert "not distinguishable" in done.stdout
    assert "different data of the same name" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("toy/")]
    assert [row[:4] for row in rows[:3]] == [
        ["toy/a", "folder:my", "#f1", "2/12"],
        ["toy/b", "folder:my", "#f1", "2/12"],
        ["toy/c", "folder:my", "#f2", "1/12"],
    ]


def test_report_limits_lists_the_worst_and_prints_other_formats(iiszoo, runs):
    place = runs(a=[2, 4, 9], b=[3, 3, 3])
    limited = json.loads(iiszoo("report", place, "--limit", "2", "--json").stdout)
    assert [run["n_done"] for run in limited] == [2, 2]
    assert [row["noc90"] for row in limited[0]["samples"]] == [2, 4]
    worst = iiszoo("report", place, "--worst", "1").stdout
    assert "toy/a on folder:my: the 1 worst of 3 samples" in worst
    assert worst.split("the 1 worst of 3 samples")[1].split("toy/b")[0].count("s2") == 1
    assert iiszoo("report", place, "--format", "csv").stdout.startswith("model,citation,dataset,n_done")
    cited = iiszoo("report", place, "--bibtex")
    assert (cited.stdout, cited.returncode) == ("", 0)
    assert "no citation is known of toy/a, toy/b" in cited.stderr
    refused = iiszoo("report", place, "--bibtex", "--json")
    assert refused.returncode == 2
    assert "give one of them" in refused.stderr
