"""`iiszoo bench` as it is typed: what it prints, where results are stored, and that the same command continues."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

DISCS = "painting_models:discs"


@pytest.fixture
def folder(tmp_path, painted_photos):
    """A tiny data set of four photographs."""
    return f"folder:{painted_photos.write(tmp_path / 'photos', 4)}"


@pytest.fixture
def command(bench_command):
    return bench_command


def test_the_table_its_notes_and_where_the_run_is_kept(command, folder, tmp_path):
    code, out, err = command("--model", DISCS, "--dataset", folder, "--max-clicks", 3)
    assert code == 0, err
    header, row = [re.split(" {2,}", line) for line in out.splitlines() if "NoC@85" in line or DISCS in line][:2]
    assert header == ["model", "dataset", "n", "NoC@85", "NoC@90", "NoF@90", "IoU@1", "IoU@5", "init ms", "ms/click"]
    assert row[:3] == [DISCS, folder, "4"]
    assert "protocol standard+ (" in out
    assert "at most 3 clicks" in out
    (place,) = (tmp_path / "runs").iterdir()
    assert f"results are in runs/{place.name}" in out.replace("\n", "")
    (run,) = place.iterdir()
    assert {"run.json", "samples.jsonl", "summary.json"} <= {path.name for path in run.iterdir()}


def test_limit_limits_the_table_and_the_json_of_a_run_that_has_done_more(command, folder):
    arguments = ("--model", DISCS, "--dataset", folder, "--max-clicks", 2)
    assert command(*arguments)[0] == 0
    code, out, _ = command(*arguments, "--limit", 2)
    assert code == 0
    assert re.split(" {2,}", next(line for line in out.splitlines() if line.startswith(DISCS)))[2] == "2/4"
    (summary,) = json.loads(command(*arguments, "--limit", 3, "--json")[1])
    assert (summary["n_done"], summary["complete"], summary["left_out"]) == (3, False, 1)


def test_two_models_are_compared_and_it_is_said_how_sure_that_is(command, folder):
    code, out, err = command("--model", DISCS, "--model", "classic/geocut", "--dataset", folder, "--max-clicks", 2)
    assert code == 0, err
    assert f"NoC@90 on {folder}, 4 samples; with so few samples, intervals are too narrow" in out.replace("\n", " ")
    assert "95 % interval" in out


def test_json_is_all_that_stdout_gets(command, folder):
    code, out, err = command("--model", DISCS, "--dataset", folder, "--max-clicks", 2, "--json")
    assert code == 0, err
    (summary,) = json.loads(out)
    assert summary["model"] == DISCS
    assert summary["n_done"] == 4
    assert summary["metrics"]["noc85"] <= 2
    assert summary["protocol"]["max_clicks"] == 2


def test_several_models_and_datasets(command, folder, tmp_path):
    code, out, err = command(
        "-m", DISCS, "-m", "painting_models:nothing", "-d", folder, "-d", "demo", "--max-clicks", 1, "--json"
    )
    assert code == 0, err
    assert [(s["model"], s["dataset"]) for s in json.loads(out)] == [
        (DISCS, folder),
        (DISCS, "demo"),
        ("painting_models:nothing", folder),
        ("painting_models:nothing", "demo"),
    ]


def test_every_option_reaches_the_run(command, folder, tmp_path):
    code, out, err = command(
        "--model", DISCS, "--dataset", folder, "--protocol", "ritm", "--robot", "ritm", "--max-clicks", 3,
        "--target-iou", 0.8, "--threshold", 0.3, "--seed", 5, "--batch-size", 2, "--workers", 1, "--shard", "1/2",
        "--device", "cpu", "--out", tmp_path / "mine", "--skip-broken", "--keep-going", "--json",
    )  # fmt: skip
    assert code == 0, err
    (summary,) = json.loads(out)
    rules = summary["protocol"]
    assert (rules["name"], rules["max_clicks"], rules["target_iou"], rules["threshold"], rules["seed"]) == (
        "ritm+", 3, 0.8, 0.3, 5,
    )  # fmt: skip
    assert (summary["n_done"], summary["complete"]) == (2, False)
    assert Path(summary["directory"]).parent == tmp_path / "mine"


def test_a_protocol_file(command, folder, tmp_path):
    (tmp_path / "quick.toml").write_text("max_clicks = 2\ntarget_iou = 0.5\n")
    code, out, err = command("--model", DISCS, "--dataset", folder, "--protocol", "quick.toml", "--json")
    assert code == 0, err
    rules = json.loads(out)[0]["protocol"]
    assert (rules["name"], rules["max_clicks"], rules["target_iou"]) == ("quick", 2, 0.5)


def test_the_same_command_goes_on_and_a_finished_one_is_answered_at_once(command, folder, monkeypatch):
    arguments = "--model", DISCS, "--dataset", folder, "--max-clicks", 2, "--json"
    part = json.loads(command(*arguments, "--limit", 1)[1])[0]
    assert (part["n_done"], part["complete"]) == (1, False)
    whole = json.loads(command(*arguments)[1])[0]
    assert (whole["n_done"], whole["complete"]) == (4, True)
    monkeypatch.setattr("iiszoo.engine.executors.job.Job.load_model", None)
    monkeypatch.setattr("iiszoo.data.read.read_image", None)
    monkeypatch.setattr("iiszoo.data.read.read_mask", None)
    code, out, err = command(*arguments)
    assert code == 0, err
    assert json.loads(out)[0]["metrics"] == whole["metrics"]


def test_an_incomplete_run_is_said_to_be_so(command, folder):
    _, out, _ = command("--model", DISCS, "--dataset", folder, "--max-clicks", 2, "--limit", 1)
    assert "1/4" in out
    assert f"incomplete, samples left: {DISCS} on {folder} 3" in out.replace("\n", "")


def test_progress_goes_to_stderr_alone(command, folder):
    _, out, err = command("--model", DISCS, "--dataset", folder, "--max-clicks", 2, "--json")
    json.loads(out)
    assert "checking" not in out
    assert "Traceback" not in err


def test_help_names_every_option_and_its_default(command):
    code, out, _ = command("--help")
    assert code == 0
    for option in (
        "--model", "--dataset", "--robot", "--max-clicks", "--target-iou", "--threshold", "--protocol", "--batch-size",
        "--workers", "--shard", "--device", "--limit", "--out", "--resume", "--overwrite", "--json", "--root",
        "--checkpoint", "--skip-broken", "--keep-going", "--initial", "--progressive-merge",
        "--python", "--python-timeout",
    ):  # fmt: skip
        assert option in out
    assert "smp/unet-lite0" in out
    assert "demo" in out


@pytest.mark.slow
def test_without_arguments_the_built_in_method_runs_on_the_built_in_images(command):
    code, out, err = command("--json")
    assert code == 0, err
    (summary,) = json.loads(out)
    assert (summary["model"], summary["dataset"]) == ("smp/unet-lite0", "demo")
    assert summary["n_done"] >= 8
    assert summary["metrics"]["noc85"] < 12


def test_an_option_that_a_model_does_not_have_is_told_before_its_weights_are_fetched(iiszoo):
    done = iiszoo("bench", "--model", "sam/vit-h?speed=high", env={"IISZOO_OFFLINE": "1"})
    assert done.returncode != 0
    assert "has no option 'speed'" in done.stderr
    assert "OFFLINE" not in done.stderr
