"""`iiszoo bench` from initial masks, with and without progressive merge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from iiszoo.data.datasets.demo import PLACE
from iiszoo.engine.report import page
from iiszoo.engine.runs import store, summary
from iiszoo.engine.runs.trace import unpack_mask
from iiszoo.loading import load_dataset
from iiszoo.models import progressive_merge

DISCS, REMEMBERING, FLOOD = "painting_models:discs", "painting_models:Remembering", "painting_models:nothing"
PERTURB = "perturb:seed=0,iou=0.75-0.85"


@pytest.fixture
def folder(tmp_path, painted_photos):
    return f"folder:{painted_photos.write(tmp_path / 'photos', 4, sizes=((40, 56), (48, 40)))}"


@pytest.fixture
def bench(bench_command):
    """`bench(...)`: the summaries that the command prints as JSON."""

    def bench(*arguments):
        code, out, err = bench_command(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return bench


def traces(run):
    return [trace.results() for trace in store.read_traces(Path(run["directory"]))]


def test_sessions_start_from_the_mask_and_count_from_there(bench, folder):
    (run,) = bench("-m", DISCS, "-d", folder, "--initial", PERTURB, "--max-clicks", 3, "--out", "o")
    assert run["dataset"] == f"{folder}?initial={PERTURB}"
    assert 0.75 <= run["metrics"]["initial_iou"] <= 0.85
    assert run["metrics"]["iou"][0] == run["metrics"]["initial_iou"]
    assert all(0.75 <= trace["initial_iou"] <= 0.85 for trace in traces(run))
    assert run["provenance"]["dataset"]["id"] == folder
    assert run["provenance"]["initial"]["what"] == PERTURB


def test_the_first_click_is_on_the_error_of_the_mask(bench, folder, tmp_path):
    (tmp_path / "wrong").mkdir()
    for i in range(4):
        target = cv2.imread(str(tmp_path / "photos" / "masks" / f"p{i}.png"), cv2.IMREAD_GRAYSCALE) > 0
        wrong = target.copy()
        wrong[np.argwhere(target)[len(np.argwhere(target)) // 2][0] :] = False
        cv2.imwrite(str(tmp_path / "wrong" / f"p{i}.png"), wrong.astype(np.uint8))
    (run,) = bench(
        "-m", DISCS, "-d", folder, "--initial", f"masks:{tmp_path / 'wrong'}", "--max-clicks", 1, "--out", "o"
    )
    for i, trace in enumerate(traces(run)):
        target = cv2.imread(str(tmp_path / "photos" / "masks" / f"p{i}.png"), cv2.IMREAD_GRAYSCALE) > 0
        wrong = cv2.imread(str(tmp_path / "wrong" / f"p{i}.png"), cv2.IMREAD_GRAYSCALE) > 0
        row, col, positive = trace["clicks"][0][0]
        assert (target & ~wrong)[row, col]
        assert positive


def test_a_mask_that_is_good_enough_needs_no_click(bench, folder, tmp_path):
    arguments = "-m", DISCS, "-d", folder, "--initial", f"masks:{tmp_path / 'photos' / 'masks'}", "--out", "o"
    (run,) = bench(*arguments)
    assert (run["metrics"]["noc85"], run["metrics"]["initial_iou"]) == (0, 1)
    assert all(trace["clicks"] == [] for trace in traces(run))


def test_runs_that_start_differently_lie_side_by_side_and_finished_ones_are_found_again(bench, folder, monkeypatch):
    every = [
        (),
        ("--initial", "perturb"),
        ("--initial", "perturb:seed=1"),
        ("--initial", "perturb", "--progressive-merge"),
        ("--initial", "perturb", "--progressive-merge", "fixed"),
    ]
    first = [bench("-m", DISCS, "-d", folder, "--max-clicks", 2, "--out", "o", *how)[0] for how in every]
    assert len({run["directory"] for run in first}) == 5
    assert len({json.dumps(run["provenance"]["dataset"]) for run in first}) == 1
    assert len({json.dumps(run["provenance"].get("initial")) for run in first}) == 3
    assert [run["provenance"].get("initial", {}).get("what") for run in first[:2]] == [None, PERTURB]
    monkeypatch.setattr("iiszoo.engine.executors.job.Job.load_model", None)
    monkeypatch.setattr("iiszoo.data.read.read_image", None)
    monkeypatch.setattr("iiszoo.data.read.read_mask", None)
    again = [bench("-m", DISCS, "-d", folder, "--max-clicks", 2, "--out", "o", *how)[0] for how in every]
    assert [run["metrics"] for run in again] == [run["metrics"] for run in first]


def test_masks_that_have_changed_are_another_run(bench, bench_command, folder, tmp_path):
    masks = shutil.copytree(tmp_path / "photos" / "masks", tmp_path / "mine")
    arguments = "-m", DISCS, "-d", folder, "--initial", f"masks:{masks}", "--out", "o"
    bench(*arguments, "--limit", 2)
    cv2.imwrite(str(masks / "p0.png"), 255 - cv2.imread(str(masks / "p0.png")))
    code, _, err = bench_command(*arguments)
    assert code != 0
    assert "contains another run (initial.fingerprint:" in err


def test_a_finished_correction_is_refused_once_its_masks_have_changed(bench, bench_command, folder, tmp_path):
    masks = shutil.copytree(tmp_path / "photos" / "masks", tmp_path / "mine")
    arguments = "-m", DISCS, "-d", folder, "--initial", f"masks:{masks}", "--out", "o"
    bench(*arguments)
    cv2.imwrite(str(masks / "p0.png"), 255 - cv2.imread(str(masks / "p0.png")))
    assert "contains another run (initial.fingerprint:" in bench_command(*arguments)[2]


def test_photographs_that_have_changed_are_another_run(bench, bench_command, folder, tmp_path):
    arguments = "-m", DISCS, "-d", folder, "--out", "o"
    bench(*arguments)
    image = tmp_path / "photos" / "images" / "p0.png"
    cv2.imwrite(str(image), cv2.imread(str(image)) ^ 1)
    assert "contains another run (dataset.fingerprint:" in bench_command(*arguments)[2]


def test_a_dataset_with_masks_of_its_own_keeps_its_name(bench, tmp_path):
    """`davis585-sp` and `davis585` have the same images and targets; what sessions start from is stated apart."""
    for name, content in {
        "00001.jpg": 90,
        "x_00001.png": 0,
        "init_sp_x_00001.png": 0,
        "init_stm_x_00001.png": 0,
    }.items():
        picture = np.full((40, 56, 3), content, np.uint8)
        picture[10:30, 10 : (30 if "init" in name else 40)] = 255
        (tmp_path / "davis585" / "bear").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "davis585" / "bear" / name), picture)
    how = "-m", DISCS, "--root", tmp_path, "--max-clicks", 1, "--out", "o"
    plain, own, made = (
        bench(*how, "-d", id, *more)[0]
        for id, *more in (["davis585"], ["davis585-sp"], ["davis585-sp", "--initial", "perturb"])
    )
    assert [run["dataset"] for run in (plain, own, made)] == [
        "davis585",
        "davis585-sp",
        f"davis585-sp?initial={PERTURB}",
    ]
    assert len({run["provenance"]["dataset"]["fingerprint"] for run in (plain, own, made)}) == 1
    assert [run["provenance"].get("initial", {}).get("what") for run in (plain, own, made)] == [None, "own", PERTURB]
    assert bench(*how, "-d", "davis585-sp")[0]["metrics"] == own["metrics"]
    for run in (plain, own, made):
        assert summary.read(Path(run["directory"]))[0]["dataset"] == run["dataset"]


def test_probabilities_are_the_output_before_the_first_click(bench, folder, tmp_path):
    """At a threshold of 0.3 a probability of 0.4 is object, at 0.5 it is not."""
    (tmp_path / "mine").mkdir()
    for sample in load_dataset(folder):
        np.save(tmp_path / "mine" / f"{sample.id}.npy", sample.read_target().object * np.float32(0.4))
    how = "-m", DISCS, "-d", folder, "--initial", f"masks:{tmp_path / 'mine'}", "--max-clicks", 1
    initial = [bench(*how, "--threshold", t, "--out", f"o{t}")[0]["metrics"]["initial_iou"] for t in (0.3, 0.5)]
    assert initial == [1, 0]


@pytest.mark.parametrize("more", [("--batch-size", 3), ("--batch-size", 2, "--workers", 2)])
def test_merged_sessions_do_not_depend_on_batches_and_workers(bench, folder, more):
    arguments = (
        "-d",
        folder,
        "--initial",
        "perturb:iou=0.3-0.4",
        "--progressive-merge",
        "fixed",
        "--max-clicks",
        4,
    )
    models = "-m", REMEMBERING, "-m", "painting_models:RaggedRemembering"
    plain = [traces(run) for run in bench(*models, *arguments, "--out", "a")]
    assert [traces(run) for run in bench(*models, *arguments, *more, "--out", "b")] == plain


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_a_merge_keeps_what_the_click_does_not_touch(bench, folder, threshold):
    """A model that forgets everything: merged, its first answer may only remove what the click lies in."""
    how = ["-d", folder, "--initial", "perturb", "--max-clicks", 1, "--threshold", threshold, "--out", "o"]
    forgetful, merged = bench("-m", FLOOD, *how)[0], bench("-m", FLOOD, *how, "--progressive-merge")[0]
    assert merged["model"] == f"{FLOOD}?progressive_merge=published"
    assert forgetful["metrics"]["iou"][1] == 0
    dataset = load_dataset(merged["dataset"])
    for i, trace in enumerate(store.read_traces(Path(merged["directory"]))):
        (row, col, _), = trace.clicks[0]  # fmt: skip
        start = dataset[i].read_initial_mask()
        expected = progressive_merge(np.zeros_like(start), start, (row, col))
        assert np.array_equal(unpack_mask(trace.final_mask, trace.size), expected)


def test_from_nothing_a_merge_changes_nothing(bench, folder):
    how = "-d", folder, "--max-clicks", 4, "--out", "o"
    assert traces(bench("-m", DISCS, *how)[0]) == traces(bench("-m", DISCS, *how, "--progressive-merge")[0])


def test_the_table_says_how_good_the_masks_were_and_who_cannot_read_them(bench_command, folder):
    how = "-m", "classic/random-walker", "-d", folder, "--max-clicks", 1, "--out", "o"
    code, out, err = bench_command(*how)
    assert code == 0, err
    assert "initial IoU" not in out
    _, out, _ = bench_command(*how, "--initial", "perturb")
    header = next(line for line in out.splitlines() if "NoC@85" in line)
    assert header.split()[2:7] == ["n", "initial", "IoU", "NoC@85", "NoC@90"]
    assert "initial IoU: of the masks that sessions start from, in %" in out
    assert "but the model cannot read that mask: classic/random-walker on folder" in out
    assert "but the model cannot read" not in bench_command(*how, "--initial", "perturb", "--progressive-merge")[1]
    assert "but the model cannot read" not in bench_command("-m", DISCS, *how[2:], "--initial", "perturb")[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--initial", "noise"), "initial mask 'noise' cannot be made; write perturb:"),
        (("--initial", "perturb", "-d", "demo?initial=masks:photos"), "initial masks are given twice"),
        (("--initial", "masks:absent"), "there is no such directory"),
        (("--initial", "masks:photos/masks", "-d", "demo"), "none is named after a sample id of demo"),
        (("--progressive-merge", "always"), "'always' is not one of 'published', 'fixed'"),
        (
            ("-m", "painting_models:discs?progressive_merge=1"),
            "progressive_merge must be 'published' or 'fixed', not 1",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(bench_command, folder, tmp_path, arguments, reason):
    code, _, err = bench_command("-m", DISCS, "-d", folder, "--out", "o", *arguments)
    assert code != 0
    assert reason in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "o").exists()


def test_a_missing_mask_is_a_broken_sample(bench_command, bench, folder, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for i in (0, 1, 3):
        (masks / f"p{i}.png").write_bytes((tmp_path / "photos" / "masks" / f"p{i}.png").read_bytes())
    arguments = "-m", DISCS, "-d", folder, "--initial", f"masks:{masks}", "--out", "o"
    code, _, err = bench_command(*arguments)
    assert code != 0
    assert f"{masks}: sample 'p2' has no initial mask" in err
    (run,) = bench(*arguments, "--skip-broken")
    assert (run["n_done"], list(run["skipped"])) == (3, ["p2"])


def test_the_report_has_the_column_the_fact_and_the_pictures(bench, tmp_path):
    """Also where the masks are gone meanwhile: no picture shows them."""
    shutil.copytree(PLACE / "masks", tmp_path / "copy")
    bench("-m", DISCS, "--initial", f"masks:{tmp_path / 'copy'}", "--max-clicks", 1, "--limit", 2, "--out", "o")
    shutil.rmtree(tmp_path / "copy")
    html = page.render([summary.read(run) for run in store.find_runs(tmp_path / "o")])
    assert "initial IoU" in html
    assert "mean IoU 100.0 %" in html
    assert "data:image/jpeg" in html
