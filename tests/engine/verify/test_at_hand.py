"""Another model, other weights or other data than the run's are named; what is missing is listed, with the way out."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import painted_photos
import pytest
import torch
from restated_run import stated

from iiszoo import files
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs import store
from iiszoo.engine.verify.run import AtHand, draw, verify
from iiszoo.errors import BadOption
from iiszoo.registry import resolve_model
from iiszoo.remote import Interpreter


def found(run, check, **at_hand):
    """(status, text) of the findings of a check."""
    made = verify(run, AtHand(**{"samples": 2, **at_hand}))
    return [(finding.status, finding.text) for finding in made.findings if finding.check == check]


def test_another_fingerprint_is_named_and_nothing_is_replayed_on_other_data(benched, photos):
    run = benched()
    painted_photos.write(Path(photos(4).partition(":")[2]), 4, seed=5)
    ((status, text),) = found(run, "data")
    assert status == "differs"
    assert text.startswith("fingerprint is ")
    assert found(run, "replay") == [("unchecked", "no sample was replayed, for lack of the data: see above")]


def test_absent_data_are_listed_with_the_way_out_and_the_rest_is_checked(benched, tmp_path):
    run = benched()
    shutil.rmtree(tmp_path / "photos")
    ((status, text),) = found(run, "data")
    assert status == "unchecked"
    assert "--root" in text
    assert verify(run, AtHand()).agrees


def test_data_that_moved_are_found_under_a_root(benched, tmp_path, monkeypatch):
    painted_photos.write(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    run = benched(dataset="folder:photos", root=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos").rename(tmp_path / "elsewhere" / "photos")
    assert found(run, "data")[0][0] == "unchecked"
    assert found(run, "data", root=tmp_path / "elsewhere")[0][0] == "agrees"
    assert found(run, "replay", root=tmp_path / "elsewhere")[0][0] == "agrees"


def test_a_run_on_other_data_than_the_published_ones_is_named(benched):
    run = benched()
    stated(run, lambda identity: identity["dataset"].update(id="grabcut"))
    status, text = found(run, "data")[0]
    assert status == "differs"
    assert "the published grabcut" in text


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """`own_model(source)`: write the module `owned`, and forget what was imported of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def own_model(more: str = "") -> str:
        (tmp_path / "owned.py").write_text(f"from painting_models import discs as answer{more}\n")
        sys.modules.pop("owned", None)
        return "owned:answer"

    return own_model


def test_a_function_whose_file_changed_is_another_model(benched, own_model):
    run = benched(own_model())
    assert found(run, "code")[0][0] == "agrees"
    own_model("  # better")
    ((status, text),) = found(run, "code")
    assert status == "differs"
    assert text.count("sha256") == 2
    assert found(run, "replay") == [("unchecked", "no sample was replayed, for lack of the model: see above")]


def test_a_model_that_is_not_installed_is_listed(benched):
    run = benched()
    stated(run, lambda identity: identity["model"].update(id="ritm/h99"))
    assert found(run, "code")[0][0] == "unchecked"
    assert "no model is called 'ritm/h99'" in found(run, "code")[0][1]


def test_another_version_of_the_code_is_listed_and_the_replay_decides(benched):
    run = benched("classic/geocut")
    stated(run, lambda identity: identity["model"].update(code="iiszoo 0.0.1"))
    ((status, text),) = found(run, "code")
    assert (status, text[:28]) == ("unchecked", "made with iiszoo 0.0.1; here")
    assert found(run, "replay")[0][0] == "agrees"


def test_another_version_of_the_robot_is_listed(benched):
    run = benched()

    def older(identity):
        rules = identity["protocol"]
        rules["robot_version"] = 7
        rules["hash"] = ResolvedProtocol.from_json(rules).hash

    stated(run, older)
    ((status, text),) = found(run, "robot")
    assert status == "unchecked"
    assert "version 1 here, and clicked in version 7" in text
    assert "clicks were not compared" in found(run, "replay")[0][1]


def test_swapped_weights_are_named_with_both_hashes(benched):
    run = benched("smp/unet-lite0", max_clicks=1)
    assert found(run, "weights", samples=0)[0][0] == "agrees"
    stated(run, lambda identity: identity["model"].update(weights=["unet-lite0.safetensors sha256 " + "0" * 64]))
    ((status, text),) = found(run, "weights")
    assert status == "differs"
    assert "0" * 64 in text
    assert str(resolve_model("smp/unet-lite0")[0].weights[0].sha256) in text


def test_weights_that_are_not_in_the_cache_are_listed_with_the_command_that_fetches_them(benched):
    run = benched()
    (file,) = resolve_model("ritm/h18s")[0].weights
    missing = {"id": "ritm/h18s", "weights": [f"{file.filename} sha256 {file.sha256 or '1' * 64}"]}
    stated(run, lambda identity: identity["model"].update(missing))
    assert found(run, "weights") == [
        ("unchecked", f"{file.filename} is not in the cache; `iiszoo weights get ritm/h18s` fetches it")
    ]


def test_an_own_checkpoint_must_be_given_and_be_the_same_file(benched, tmp_path):
    run = benched()
    file = tmp_path / "own.pth"
    torch.save({}, file)
    here = files.sha256(file)[0]
    own = {"id": "ritm/h18s", "weights": [f"checkpoint sha256 {here}"]}
    stated(run, lambda identity: identity["model"].update(own))
    assert found(run, "weights") == [
        ("unchecked", f"a checkpoint of sha256 {here}; give that file with --checkpoint FILE")
    ]
    assert found(run, "weights", checkpoint=file, samples=0) == [("agrees", f"{file} sha256 {here}")]
    torch.save({"other": 1}, file)
    ((status, text),) = found(run, "weights", checkpoint=file)
    assert status == "differs"
    assert here in text


def test_a_run_of_another_interpreter_asks_for_it_and_is_replayed_there(benched):
    run = benched("painting_models:discs", python=sys.executable)
    assert "give --python PATH" in found(run, "code")[0][1]
    assert {status for status, _ in found(run, "replay", interpreter=Interpreter(sys.executable))} == {"agrees"}


def test_it_is_told_if_the_runs_device_is_absent(benched):
    run = benched()
    summary = json.loads((run / "summary.json").read_text())
    summary["provenance"]["environment"]["device"] = "cuda:77 (NVIDIA H100)"
    store.write_json(run / "summary.json", summary)
    assert ("unchecked", "the run's device cuda:77 is not here, so samples run on the CPU") in found(run, "replay")


def test_an_arm_of_a_campaign_is_checked_by_its_traces_alone(benched):
    run = benched()
    stated(run, lambda identity: identity.update(campaign={"arm": "scratch"}))
    assert found(run, "replay") == [("unchecked", "it is the arm 'scratch' of a campaign; only its traces are checked")]
    assert found(run, "traces")[0][0] == "agrees"


def test_the_seed_draws_the_samples(trace):
    traces = [trace([0.9], i) for i in range(40)]
    drawn = draw(traces, 5, 1)
    assert drawn == draw(traces[::-1], 5, 1)
    assert drawn == sorted(drawn, key=lambda each: each.index)
    assert drawn != draw(traces, 5, 2)
    assert [each.sample for each in drawn] == ["s9", "s23", "s31", "s34", "s36"]  # on every machine, for ever
    assert draw(traces, 0, 1) == []
    assert draw(traces, None, 1) == traces


def test_an_interpreter_that_cannot_be_used_is_an_error(benched, tmp_path):
    with pytest.raises(BadOption, match="--python"):
        verify(benched(), AtHand(interpreter=Interpreter(str(tmp_path / "python"))))
