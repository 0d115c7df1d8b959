"""What decides a model's answers, found without loading it; and the environment that a run was measured in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import painting_models
import pytest

import iiszoo
from iiszoo.engine.runs import provenance
from iiszoo.errors import BadOption, UnknownId
from iiszoo.model_reference import resolve

CODE = f"sha256 {hashlib.sha256(Path(painting_models.__file__).read_bytes()).hexdigest()}"


def test_a_plugins_model_is_known_by_its_resolved_id_and_the_plugins_version():
    identity = resolve("classic").identity()
    assert identity == {
        "id": "classic/geocut",
        "code": f"iiszoo {iiszoo.__version__}",
        "options": {},
        "weights": [],
    }
    assert resolve("classic", None, {"side": 3}).identity()["options"] == {"side": 3}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("painting_models:discs", "painting_models:discs"),
        (painting_models.discs, "painting_models:discs"),
        (painting_models.Remembering, "painting_models:Remembering"),
    ],
)
def test_a_bare_function_is_known_by_the_file_that_defines_it(model, name):
    assert resolve(model).identity() == {"id": name, "code": CODE, "options": {}, "weights": []}


def test_an_object_is_known_by_itself_alone():
    one, other = painting_models.Remembering(), painting_models.Remembering()
    assert resolve(one).identity()["id"] == "painting_models:Remembering"
    assert resolve(one).identity() == resolve(one).identity()
    assert resolve(one).identity() != resolve(other).identity()


def test_own_weights_are_known_by_their_hash(tmp_path):
    file = tmp_path / "own.pth"
    file.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert resolve("classic", file).identity()["weights"] == [f"checkpoint sha256 {sha256}"]
    with pytest.raises(BadOption, match=r"absent\.pth does not exist"):
        resolve("classic", tmp_path / "absent.pth")


def test_what_is_not_there_is_named():
    with pytest.raises(BadOption, match="there is no module 'no_such_module'"):
        resolve("no_such_module:model").identity()
    with pytest.raises(BadOption, match=r"No module named 'no_such'"):
        resolve("no_such.module:model").identity()
    with pytest.raises(UnknownId, match="nearest: classic/geocut"):
        resolve("classic/geocat").identity()


def test_finding_it_does_not_run_the_module(tmp_path, monkeypatch):
    (tmp_path / "costly_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("costly_module:model").identity()["code"].startswith("sha256 ")


def test_the_environment_names_libraries_plugins_machine_and_device():
    environment = provenance.environment("cpu", 3)
    assert (environment["device"], environment["threads"]) == ("cpu", 3)
    assert {"torch", "numpy", "opencv-python", "numba", "scipy"} <= set(environment["libraries"])
    assert all(environment["libraries"].values())
    assert environment["plugins"]["iiszoo"] == f"iiszoo {iiszoo.__version__}"
    assert environment["machine"]["cores"] >= 1
