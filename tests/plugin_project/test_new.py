"""`iiszoo new` writes a plugin that is complete: it installs, passes its own tests, and runs, untouched."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import iiszoo
from iiszoo import files, plugin_project, trained_file
from iiszoo.errors import BadOption, WeightsError

SHIPPED = Path(iiszoo.__file__).parent / "models/weights/unet-lite0.safetensors"

FILES = {
    "pyproject.toml",
    "README.md",
    ".gitignore",
    ".github/workflows/test.yml",
    "iiszoo_my_model/__init__.py",
    "iiszoo_my_model/cards.py",
    "iiszoo_my_model/model.py",
    "tests/test_model.py",
}


def files_of(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def test_the_command_writes_a_whole_project_and_says_what_comes_next(iiszoo, tmp_path):
    done = iiszoo("new", "my-model")
    assert done.returncode == 0, done.stderr
    assert files_of(tmp_path / "iiszoo-my-model") == FILES
    for line in ("cd iiszoo-my-model", "pip install -e '.[test]'", "pytest", "iiszoo bench --model my-model"):
        assert f"\n  {line}\n" in done.stdout
    elsewhere = iiszoo("new", "my-model", "--dir", "else where")
    assert files_of(tmp_path / "else where") == FILES
    assert "cd 'else where'" in elsewhere.stdout


@pytest.mark.parametrize("trained", ["", str(SHIPPED)])
def test_what_is_written_is_python_that_ruff_would_not_change(tmp_path, trained):
    plugin_project.write("mine", tmp_path, trained)
    for check in (["check", "--select", "E,F,W,I,B,UP,SIM,C4,RET,PT"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "120", str(tmp_path)]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "Mine", "my_model", "my model", "-mine", "mine-", "3d", "../mine", "a/b", "a--b"])
def test_a_name_that_cannot_be_a_family_and_a_module_is_refused(name, tmp_path):
    with pytest.raises(BadOption, match="cannot name a plugin: it becomes a model's family"):
        plugin_project.write(name, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_a_name_that_is_taken_is_refused(iiszoo, toy_plugin):
    for name, owner in (("classic", "iiszoo"), ("toy", "iiszoo-toy 1.2.3")):
        done = iiszoo("new", name, path=[toy_plugin])
        assert done.returncode == 2
        assert f"the name {name!r} is taken by the plugin" in done.stderr
        assert owner in done.stderr


def test_nothing_that_is_there_is_overwritten(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    plugin_project.write("mine", place)  # an empty directory is filled
    (place / "pyproject.toml").write_text("my own")
    with pytest.raises(BadOption, match="is not empty, and nothing is overwritten; give another --dir"):
        plugin_project.write("mine", place)
    assert (place / "pyproject.toml").read_text() == "my own"
    with pytest.raises(BadOption, match="cannot be written: Not a directory; give another --dir"):
        plugin_project.write("mine", place / "pyproject.toml")


@pytest.mark.slow
def test_the_project_installs_passes_its_own_tests_and_runs(fresh_environment, tmp_path):
    done = fresh_environment(
        "iiszoo new my-model; cd iiszoo-my-model; pip install -q '.[test]'; cd ..; iiszoo list models; iiszoo plugins;"
        "pytest -q -p no:cacheprovider iiszoo-my-model; iiszoo bench --model my-model --limit 2",
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my-model/nearest*" in done.stdout  # of `iiszoo list`: the family's default
    assert "iiszoo-my-model 0.1.0" in done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
    assert "2/12" in done.stdout  # of `iiszoo bench`


def test_a_trained_network_becomes_a_plugin_that_says_what_it_was_trained_on(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="has not saved a network yet"):
        plugin_project.write("mine", tmp_path / "early", str(run))
    facts = trained_file.facts_of(SHIPPED)
    figures = {"noc85": 2.5, "noc90": 3.25, "nof90": 0.1, "iou1": 0.7, "iou5": 0.9}
    facts["training"] = {"step": 9, "batch_size": 4, "datasets": ["sbd-train", "labels:DIR"], "validation": figures}
    save_file({"x": torch.zeros(1)}, run / "best.safetensors", metadata={trained_file.ENTRY: json.dumps(facts)})
    place = tmp_path / "project"
    written = plugin_project.write("mine", place, str(run))
    assert (place / "iiszoo_mine/mine.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()
    assert {str(path.relative_to(place)) for path in written} == files_of(place)
    (card,) = runpy.run_path(str(place / "iiszoo_mine/cards.py"))["CARDS"]
    assert card.id == "mine/unet"
    assert card.training_datasets == ("sbd-train",)
    assert "2.50/3.25" in card.notes
    assert "labels:DIR" in card.notes
    assert card.weights[0].sha256 == files.sha256(run / "best.safetensors")[0]
    assert card.weights[0].sha256 in (place / "README.md").read_text()


def test_the_plugin_of_a_network_of_mmsegmentation_needs_it(tmp_path):
    facts = trained_file.facts_of(SHIPPED)
    for library, needs in (("smp", '"iiszoo>='), ("mmseg", '"iiszoo[mmseg]>=')):
        facts["network"]["library"] = library
        weights = tmp_path / f"{library}.safetensors"
        save_file({"x": torch.zeros(1)}, weights, metadata={trained_file.ENTRY: json.dumps(facts)})
        plugin_project.write("mine", tmp_path / library, str(weights))
        assert needs in (tmp_path / library / "pyproject.toml").read_text()


def test_only_a_trained_network_can_be_exported(tmp_path):
    with pytest.raises(BadOption, match="neither the directory of a training run nor"):
        plugin_project.write("mine", tmp_path / "place", str(tmp_path))
    assert not (tmp_path / "place").exists()


@pytest.mark.slow
def test_the_plugin_of_a_trained_network_installs_passes_its_tests_and_runs(fresh_environment, tmp_path):
    done = fresh_environment(
        f"iiszoo new my-net --from {SHIPPED}; cd iiszoo-my-net; pip install -q '.[test]'; cd ..; iiszoo list models;"
        "pytest -q -p no:cacheprovider iiszoo-my-net; iiszoo bench --model my-net --limit 2; iiszoo bench --limit 1",
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my-net/unet*" in done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
    assert "2/12" in done.stdout
