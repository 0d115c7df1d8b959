"""`iiszoo check`: for people and for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from iiszoo.testing import _checks  # noqa: F401  registers the checks
from iiszoo.testing.check import CHECKS, ROBOT_CHECKS

Run = Callable[..., "CompletedProcess[str]"]
BROKEN_MODELS = Path(__file__).parents[1] / "testing"


def test_a_sound_model(iiszoo: Run) -> None:
    done = iiszoo("check", "broken_models:sound", path=[BROKEN_MODELS])
    assert done.returncode == 0, done.stdout
    *lines, last = done.stdout.splitlines()
    assert not CHECKS.keys() - re.findall(r"\w+", " ".join(lines))
    assert last.startswith("broken_models:sound: ")
    assert " 0 failed, " in last


def test_a_broken_model_as_json(iiszoo: Run) -> None:
    done = iiszoo("check", "broken_models:ragged", "--json", path=[BROKEN_MODELS])
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert found["model"] == "broken_models:ragged"
    assert found["failed"] == 1
    assert found["passed"] + found["failed"] + found["skipped"] == len(found["checks"]) == len(CHECKS)
    (failed,) = [check for check in found["checks"] if check["status"] == "failed"]
    assert failed["check"] == "ragged"
    assert failed["tier"] == 1
    assert failed["message"].startswith("model broken_models:ragged fails ragged: ")
    assert "ragged" in done.stderr, "progress goes where it does not disturb"


def test_absent_weights_are_said_and_nothing_is_fetched(iiszoo: Run) -> None:
    done = iiszoo("check", "sam/vit-b")
    assert done.returncode == 0
    assert "the model itself was not checked" in done.stderr
    assert done.stdout.count("its weights are not in the cache (sam_vit_b_01ec64.pth)") == 1
    assert "and 27 for the same reason: output_format, image_sizes" in done.stdout
    assert "fetching" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clasic/geocut"], "error: no model is called 'clasic/geocut'; nearest: classic/geocut"),
        (["classic/geocut", "--checkpoint", "absent.pth"], "absent.pth"),
        (["classic/geocut", "--timeout", "0"], "--timeout"),
    ],
)
def test_bad_input_is_told(iiszoo: Run, arguments: list[str], said: str) -> None:
    done = iiszoo("check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_says_what_weights_means(iiszoo: Run) -> None:
    said = " ".join(iiszoo("check", "--help").stdout.split())
    assert "Nothing is downloaded without --weights" in said


def test_a_dataset_and_a_robot(iiszoo: Run) -> None:
    done = iiszoo("check", "--robot", "random-false", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["robot"], found["failed"]) == ("random-false", 0)
    assert [check["check"] for check in found["checks"]] == [*ROBOT_CHECKS]
    done = iiszoo("check", "--dataset", "berkeley")
    assert done.returncode == 0
    assert "the dataset itself was not checked" in done.stderr
    assert "loads" in done.stdout
    assert "dataset berkeley was not found" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name one thing to check"),
        (["classic/geocut", "--robot", "ritm"], "Name one thing to check"),
        (["--robot", "ritm", "--root", "."], "--root is an option of --dataset"),
        (["--dataset", "demo", "--weights"], "are options of a model"),
        (["--dataset", "dem"], "error: no dataset is called 'dem'; nearest: demo"),
        (["--robot", "ritm?x=1"], "error: robot 'ritm' takes no options"),
    ],
)
def test_what_does_not_belong_together_is_told(iiszoo: Run, arguments: list[str], said: str) -> None:
    done = iiszoo("check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
