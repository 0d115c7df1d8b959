"""`iiszoo results add`, `check`, `site`, and `verify --record`: a submission from bench to page."""

from __future__ import annotations

import json
import shutil
from functools import partial

import pytest


@pytest.fixture
def results(bench_command, own_command, painted_photos, tmp_path):
    """`results(...)`: `iiszoo results ...` beside runs of one model, in `runs`; exit code, stdout and stderr."""
    painted_photos.write(tmp_path / "photos")
    run = ("-m", "painting_models:discs", "-d", "folder:photos", "--max-clicks", 3)
    code, _, err = bench_command(*run, "--out", "runs")
    assert code == 0, err
    return partial(own_command, "results")


def test_from_a_run_to_a_page(results, tmp_path):
    code, out, err = results("add", "runs", "--to", "repo")
    assert (code, err) == (0, "")
    assert "added  repo/painting_models-discs-" in out
    shutil.copytree("repo", "base")
    code, out, _ = results("verify", "repo", "--record", "a colleague", "--seed", 3)
    assert code == 0, out
    code, out, err = results("check", "repo", "--base", "base", "--format", "markdown")
    assert (code, err) == (0, "")
    first, _, head, _, row = out.splitlines()
    assert first == "**1 run checked: everything agrees**"
    assert head.startswith("| change | model |")
    assert row.startswith("| replayed by a colleague | painting_models:discs | folder:photos | ritm |")
    assert row.endswith("| submitted → replayed |")
    code, out, err = results("site", "repo", "--out", "site")
    assert (code, out, err) == (0, "1 run of 1 model: site/index.html\n", "")
    assert (tmp_path / "site" / "index.html").is_file()


def test_adding_again_changes_nothing(results):
    results("add", "runs", "--to", "repo")
    code, out, _ = results("add", "runs", "--to", "repo", "--json")
    assert code == 0
    assert [one["outcome"] for one in json.loads(out)] == ["there"]


def test_a_run_that_is_not_whole_is_one_sentence_with_exit_code_2(results, tmp_path):
    (samples,) = (tmp_path / "runs").rglob("samples.jsonl")
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:2]))
    code, out, err = results("add", "runs", "--to", "repo")
    assert (code, out) == (2, "")
    assert err.startswith("error: runs/")
    assert "2 samples missing" in err
    assert err.count("\n") == 1


def test_faults_are_listed_with_exit_code_2(results, tmp_path):
    results("add", "runs", "--to", "repo")
    (summary,) = (tmp_path / "repo").rglob("summary.json")
    values = json.loads(summary.read_text())
    summary.write_text(json.dumps({**values, "n_done": 3}))
    code, out, _ = results("check", "repo")
    assert code == 2
    assert "figures" in out
    assert out.endswith("1 run checked: 1 fault\n")
    code, out, _ = results("check", "repo", "--json")
    assert code == 2
    assert json.loads(out)["agrees"] is False
    code, _, err = results("site", "repo", "--out", "site")
    assert code == 2
    assert "has no run that could be shown" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "absent"), "absent cannot be listed"),
        (("add", "absent", "--to", "repo"), "absent is not a directory"),
        (("add", "runs", "--to", "."), "is not a results repository"),
        (("verify", "runs", "--record", " "), "a replay is signed with a name"),
        (("verify", "runs", "--record", "me", "--samples", 0), "no sample was replayed"),
        (("check", "runs", "--json", "--format", "markdown"), "give one of them"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(results, arguments, told):
    code, _, err = results(*arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
