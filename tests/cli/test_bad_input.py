"""Whatever is wrong: exit code 2, one sentence that names thing, cause and way out; nothing is written or lost."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

DISCS = "painting_models:discs"
FEW = ("--max-clicks", 2)


@pytest.fixture
def photos(tmp_path, painted_photos):
    """`photos(n, **how)`: write a tiny data set to `photos`; returns its directory."""
    return lambda n=3, **how: painted_photos.write(tmp_path / "photos", n, **how)


@pytest.fixture
def command(tmp_path, bench_command):
    """`command(...)`: `iiszoo bench ... --out out`."""
    return lambda *arguments: bench_command(*arguments, "--out", tmp_path / "out")


@pytest.fixture
def refused(command, tmp_path):
    """`refused(...)`: the one sentence of a command that must end with code 2 and touch nothing in `out`."""

    def contents():
        return {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def refused(*arguments):
        before = contents()
        code, out, err = command(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert "Traceback" not in err
        sentence = err[err.lower().index("error: ") + len("error: ") :].strip()
        assert contents() == before
        return sentence

    return refused


def test_unknown_ids_are_answered_with_what_comes_near(refused):
    assert refused("--model", "classic/geocat").startswith(
        "no model is called 'classic/geocat'; nearest: classic/geocut"
    )
    assert "no dataset is called 'grabcot'; nearest: grabcut" in refused("--dataset", "grabcot")
    assert "no robot is called 'rtim'; nearest: ritm" in refused("--robot", "rtim")
    assert "no evaluation protocol is called 'rtim'; presets: standard, ritm, noc95, hq" in refused(
        "--protocol", "rtim"
    )


def test_an_id_that_nothing_comes_near_is_answered_with_the_command_that_lists_all(refused):
    sentence = refused("--model", "zzz/qqq")
    assert "`iiszoo list models` shows all" in sentence
    assert len(sentence) < 200


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nomodule:function", "there is no module 'nomodule'"),
        ("painting_models:nofunction", "module 'painting_models' has no 'nofunction'"),
        ("painting_models:not_callable", "not callable"),
        ("slipping:model", "slipping"),
    ],
)
def test_a_function_that_is_not_there(refused, photos, tmp_path, monkeypatch, model, said):
    (tmp_path / "slipping.py").write_text("raise NameError('a slip of the pen')\n")
    monkeypatch.syspath_prepend(tmp_path)
    sentence = refused("--model", model, "--dataset", f"folder:{photos()}")
    assert said in sentence
    assert len(sentence.splitlines()) == 1


def test_a_dataset_that_is_not_found_says_what_was_expected_where(refused, tmp_path):
    sentence = refused("--dataset", "grabcut")
    assert sentence.startswith("dataset grabcut was not found: looked in ")
    assert "data_GT/NAME.*" in sentence
    assert "--root DIR" in sentence
    sentence = refused("--dataset", "grabcut", "--root", tmp_path / "absent")
    assert f"{tmp_path}/absent" in sentence


def test_a_dataset_of_another_layout_says_what_was_expected_where(refused, photos, tmp_path):
    place = photos()
    sentence = refused("--dataset", "grabcut", "--root", place)
    assert sentence.startswith("dataset grabcut has another layout: looked in ")
    assert str(place) in sentence
    assert "boundary_GT" in sentence
    (tmp_path / "empty").mkdir()
    sentence = refused("--dataset", f"folder:{tmp_path / 'empty'}")
    assert f"{tmp_path}/empty contains no images and masks: expected are folders images and masks" in sentence
    assert "there is no directory" in refused("--dataset", "folder:nowhere")
    assert "needs an argument: folder:DIR" in refused("--dataset", "folder")
    assert "takes no argument" in refused("--dataset", "demo:photos")


def test_images_and_masks_that_do_not_pair_are_all_named(refused, photos):
    place = photos(3)
    (place / "masks" / "p0.png").rename(place / "masks" / "other.png")
    sentence = refused("--model", DISCS, "--dataset", f"folder:{place}")
    assert "mask other.png has no image" in sentence
    assert "image p0.png has no mask" in sentence


def spoil(place: Path) -> None:
    """Break the first five of six samples, each in its own way."""
    ellipse = cv2.imread(str(place / "masks" / "p5.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(place / "masks" / "p0.png"), np.zeros_like(ellipse))
    cv2.imwrite(str(place / "masks" / "p1.png"), np.where(ellipse, 128, 255).astype(np.uint8)[:30])
    (place / "images" / "p2.png").write_bytes((place / "images" / "p2.png").read_bytes()[:40])
    (place / "masks" / "p3.png").write_bytes(b"")
    cv2.imwrite(str(place / "masks" / "p4.png"), ellipse.T)


def test_broken_samples_are_all_named_at_once_with_the_way_out(refused, photos):
    place = photos(6)
    spoil(place)
    first, *faults = refused("--model", DISCS, "--dataset", f"folder:{place}", *FEW).splitlines()
    assert "5 of 6 samples cannot be used" in first
    assert "--skip-broken" in first
    said = ["the target is empty", "differ in size", "cannot be decoded", "cannot be decoded", "differ in size"]
    assert len(faults) == 5
    for i, (fault, cause) in enumerate(zip(faults, said, strict=True)):
        assert f"p{i}.png" in fault
        assert cause in fault


def test_a_target_that_is_ignored_as_a_whole_is_named(refused, tmp_path):
    """GrabCut's rule: 128 is ignored. A mask that holds nothing above it has no object."""
    for name, pixels in {
        "data_GT/a.png": np.zeros((20, 30, 3), np.uint8),
        "boundary_GT/a.png": np.full((20, 30), 128, np.uint8),
    }.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "set" / name), pixels)
    sentence = refused("--model", DISCS, "--dataset", "grabcut", "--root", tmp_path / "set")
    assert "boundary_GT/a.png" in sentence
    assert "nothing to click on" in sentence


def test_skip_broken_goes_on_and_says_how_many(command, photos):
    place = photos(6)
    spoil(place)
    arguments = "--model", DISCS, "--dataset", f"folder:{place}", *FEW, "--skip-broken"
    code, out, err = command(*arguments)
    assert code == 0, err
    assert f"broken samples left out: {DISCS} on folder:{place} 5" in out.replace("\n", "")
    (summary,) = json.loads(command(*arguments, "--json")[1])
    assert (summary["n_done"], len(summary["skipped"]), summary["complete"]) == (1, 5, True)


def test_a_directory_of_another_protocol_is_refused_with_what_differs(command, refused, photos):
    place = photos()
    arguments = "--model", DISCS, "--dataset", f"folder:{place}"
    assert command(*arguments, *FEW)[0] == 0
    sentence = refused(*arguments, "--max-clicks", 3)
    assert "contains another run (" in sentence
    assert "protocol.max_clicks: 2 there, 3 now" in sentence
    assert "--out" in sentence
    assert "--overwrite" in sentence


def test_overwrite_with_broken_data_loses_nothing(command, refused, photos):
    place = photos()
    arguments = "--model", DISCS, "--dataset", f"folder:{place}", *FEW
    assert command(*arguments)[0] == 0
    (place / "masks" / "p1.png").write_bytes(b"torn")
    assert "p1.png" in refused(*arguments, "--overwrite")


FAULTS = {
    "wrong_shape": "must answer with shape (1, 40, 56), not (1, 40, 55)",
    "not_a_number": "not with NaN",
    "above_one": "probabilities in [0, 1], not with values in [0.5, 1.4]",
    "double_precision": "must answer in float32, not torch.float64",
    "numpy_answer": "must return a torch tensor as y, not a numpy array",
    "raising": "in raising; on sample 'p1' at click 1)",
    "RaisingInit": "in init_z; in init_z, on the image of sample 'p1')",
}


@pytest.mark.parametrize("model", FAULTS)
def test_a_model_that_fails_is_named_with_the_sample(command, photos, tmp_path, model):
    place = photos(3, marked=[1])
    code, out, err = command("--model", f"painting_models:{model}", "--dataset", f"folder:{place}", *FEW)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert f"model painting_models:{model}" in sentence
    assert "'p1'" in sentence
    assert FAULTS[model] in sentence


def test_the_way_out_of_a_failing_sample_is_named(command, photos):
    code, _, err = command("--model", "painting_models:raising", "--dataset", f"folder:{photos(2, marked=[1])}", *FEW)
    assert code == 2
    assert "--keep-going" in err


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("model", ["not_a_number", "raising", "RaisingInit"])
def test_keep_going_counts_the_sample_as_a_failure_and_says_so(command, photos, model, batch_size):
    place = photos(4, marked=[1])
    arguments = (
        "--model", f"painting_models:{model}", "--dataset", f"folder:{place}", *FEW, "--keep-going",
        "--batch-size", batch_size,
    )  # fmt: skip
    code, out, err = command(*arguments)
    assert code == 0, err
    note = f"the model failed, counted as failures: painting_models:{model} on folder:{place} 1"
    assert note in out.replace("\n", "")
    (summary,) = json.loads(command(*arguments, "--json")[1])
    assert (summary["n_done"], summary["n_failed"], summary["complete"]) == (4, 1, True)
    assert summary["metrics"]["nof90_strict"] >= 1


def test_a_device_that_is_absent(refused, photos, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = "--model", DISCS, "--dataset", f"folder:{photos()}"
    sentence = refused(*arguments, "--device", "cuda")
    assert sentence == "device 'cuda' is not available: torch finds no such device here; use --device cpu"
    assert "device 'abacus' is not one of torch's" in refused(*arguments, "--device", "abacus")


def test_a_checkpoint_where_none_belongs(refused, photos, tmp_path):
    file = tmp_path / "own.pth"
    file.write_bytes(b"weights")
    data = "--dataset", f"folder:{photos()}"
    assert "is a bare function: it takes no checkpoint and no option" in refused(
        "--model", DISCS, *data, "--checkpoint", file
    )
    assert "a checkpoint needs exactly one model" in refused(
        "--model", DISCS, "--model", "classic/geocut", *data, "--checkpoint", file
    )
    assert "own.pth" in refused("--model", "classic/geocut", *data, "--checkpoint", tmp_path / "absent" / "own.pth")


def test_a_checkpoint_for_a_model_that_has_no_weights(refused, photos, tmp_path):
    file = tmp_path / "own.pth"
    file.write_bytes(b"weights")
    sentence = refused("--model", "classic/geocut", "--dataset", f"folder:{photos()}", "--checkpoint", file)
    assert sentence == (
        "model classic/geocut has no weights, so it takes no checkpoint; leave --checkpoint (checkpoint=) out"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "3/2"], "'3/2' is not of the form i/n with i from 1 to n, such as 1/4"),
        (["--shard", "0/2"], "'0/2' is not of the form i/n"),
        (["--shard", "half"], "'half' is not of the form i/n"),
        (["--batch-size", "0"], "'--batch-size': 0 is not in the range"),
        (["--batch-size", "many"], "'--batch-size': 'many' is not a valid integer"),
        (["--workers", "0"], "'--workers': 0 is not in the range"),
        (["--limit", "0"], "'--limit': 0 is not in the range"),
        (["--max-clicks", "0"], "'--max-clicks': 0 is not in the range"),
        (["--target-iou", "90"], "'--target-iou': 90.0 is not in the range"),
        (["--threshold", "1"], "'--threshold': 1.0 is not in the range"),
        (["--seed", "-1"], "'--seed': -1 is not in the range"),
        (["--protocol", "absent.toml"], "evaluation protocol absent.toml cannot be read"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_a_value_that_cannot_be_used(refused, arguments, said):
    assert said in refused(*arguments)


def test_an_output_directory_that_is_a_file(command, photos, tmp_path):
    (tmp_path / "out").write_text("mine")
    code, _, err = command("--model", DISCS, "--dataset", f"folder:{photos()}")
    assert code == 2
    assert "'--out'" in err
    assert "is a file" in err
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_directory_that_is_being_written_is_refused(command, photos, tmp_path):
    from iiszoo.engine.runs import store

    arguments = "--model", DISCS, "--dataset", f"folder:{photos()}", *FEW
    assert command(*arguments, "--limit", 1)[0] == 0
    (run,) = store.find_runs(tmp_path / "out")
    with store.Writer(run):
        code, _, err = command(*arguments)
    assert code == 2
    assert "is being written by another iiszoo process; wait for it or give another --out" in err
