"""`iiszoo campaign` and `iiszoo campaign baseline`, as they are typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from iiszoo.cli.main import main

TINY = "smp:unet/tu-test_efficientnet?size=32&weights=none"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six images with a light square each."""
    rng = np.random.default_rng(1)
    for part in ("images", "masks"):
        (tmp_path / "photos" / part).mkdir(parents=True)
    for n in range(6):
        mask = np.zeros((40, 48), np.uint8)
        row, col = rng.integers(4, 16, 2)
        mask[row : row + 16, col : col + 20] = 255
        image = rng.integers(0, 60, (40, 48, 3), dtype=np.uint8) + (mask // 2)[:, :, None]
        cv2.imwrite(str(tmp_path / f"photos/images/{n}.png"), image)
        cv2.imwrite(str(tmp_path / f"photos/masks/{n}.png"), mask)
    return tmp_path / "photos"


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys):
    """`typed(...)`: run `iiszoo campaign ...` in this process; returns its exit code, stdout and stderr."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "engine")
    monkeypatch.chdir(tmp_path)

    def run(*arguments, verb="campaign"):
        monkeypatch.setattr(sys, "argv", ["iiszoo", verb, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_a_campaign_answers_and_its_directory_is_reported_as_a_page(typed, photos: Path, tmp_path: Path) -> None:
    data = ("-d", f"folder:{photos}", "-m", "painting_models:discs", "--max-clicks", 4)
    quick = ("--segmenter", TINY, "--steps", 3, "--schedule", "3", "--seeds", 1, "--folds", 2, "--out", "c")
    code, out, err = typed(*data, *quick)
    assert code == 0, err
    assert "with painting_models:discs, " in out
    for arm in ("scratch", "continual", "cross-fitted", "choice", "oracle", "M alone"):
        assert f"\n{arm} " in out
    assert "cost model seed: click 2 s" in out
    assert "M trained on 3 images" in err
    code, out, err = typed("c", "--html", "page.html", "--cost", "bearman", verb="report")
    assert code == 0, err
    assert "cost model bearman" in out
    page = (tmp_path / "page.html").read_text()
    assert "data:image/jpeg" in page or "Where the proposal" not in page
    code, out, err = typed(*data, *quick, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["models"][0]["arms"]["scratch"]["clicks"] > 0
    code, _, err = typed(*data, *quick[:-2], "--out", "c", "--lag", 1)
    assert code == 2
    assert "c contains another campaign (plan.lag: 0 there, 1 now)" in err


def test_the_baseline_prints_its_figures(typed, photos: Path) -> None:
    settings = (
        "baseline",
        "-d",
        f"folder:{photos}",
        "--test-share",
        0.3,
        "--segmenter",
        TINY,
        "--steps",
        2,
        "--out",
        "b",
    )
    code, out, err = typed(*settings)
    assert code == 0, err
    assert "focal loss" in out
    assert "started from none: random weights" in out
    code, out, _ = typed(*settings, "--json")
    assert set(json.loads(out)["figures"]) == {"focal_loss", "mae", "mse", "iou", "dice"}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((), "give the data with --dataset and the interactive models with --model"),
        (("-d", "demo"), "give the data with --dataset and the interactive models with --model"),
        (("baseline",), "give the data with --dataset"),
        (("-d", "demo", "baseline"), "takes its options after `baseline`"),
        (("-d", "demo", "-m", "classic/geocut", "--cost", "cheap"), "no cost model is called 'cheap'"),
        (("-d", "demo", "-m", "classic/geocut", "--schedule", "9,3"), "must rise"),
        (("-d", "demo", "-m", "classic/geocut"), "several objects in one image"),
        (("baseline", "-d", "demo"), "has no test split; give --test-share"),
        (("-d", "demo", "-m", "none/such"), "no model is called 'none/such'"),
    ],
)
def test_bad_input_is_one_sentence(typed, monkeypatch, arguments, fault: str) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    code, out, err = typed(*arguments)
    assert (code, out) == (2, "")
    assert fault in err
    assert "Traceback" not in err


def test_help_shows_both(typed) -> None:
    for arguments, words in (
        (("--help",), ("--model", "baseline", "--traceback")),
        (("baseline", "--help"), ("--steps",)),
    ):
        code, out, _ = typed(*arguments)
        assert code == 0
        assert all(word in out for word in words)


def test_a_robot_of_another_interpreter_clicks(typed, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(
        "def clicks(outputs, targets, pcs, ncs, n_points=1, **named):\n    return [*pcs, [[(3, 4)]]], [*ncs, [[]]]\n"
    )
    data = ("-d", f"folder:{photos}", "-m", "painting_models:discs", "--max-clicks", 2, "--out", "c")
    quick = ("--segmenter", TINY, "--steps", 3, "--schedule", "3", "--seeds", 1, "--folds", 0)
    robot = ("--robot", "people:clicks", "--robot-python", sys.executable)
    code, _, err = typed(*data, *quick, *robot)
    assert code == 0, err
    (directory,) = (tmp_path / "c").glob("*--*")
    for arm in ("scratch", "continual-0"):
        lines = (directory / arm / "samples.jsonl").read_text().splitlines()
        assert [json.loads(line)["clicks"] for line in lines] == [[[[3, 4, 1]], [[3, 4, 1]]]] * 6
    environment = json.loads((directory / "scratch" / "summary.json").read_text())["provenance"]["environment"]
    assert environment["robot_worker"]["interpreter"] == sys.executable
    code, _, err = typed(*data, *quick, *robot[:2])
    assert code == 2
    assert "no robot is called 'people'" in err
    assert "a robot that is MODULE:FUNCTION needs --robot-python PATH" in err
