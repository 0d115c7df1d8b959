"""`iiszoo list`, `show` and `plugins`: what is installed, at once, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import iiszoo as package
from iiszoo.builtin.datasets import DATASETS
from iiszoo.builtin.models import MODELS

Run = Callable[..., "CompletedProcess[str]"]

HYGIENE = """
import contextlib, io, json, sys

heavy = {"torch", "numpy", "cv2", "scipy", "numba", "skimage"}
found = {}


def look(what):
    found[what] = sorted(heavy & sys.modules.keys())


import iiszoo
look("import iiszoo")
from iiszoo.cli.main import cli
for line in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        cli.main(line.split(), standalone_mode=False)
    assert said.getvalue().strip(), line
    look(line)
print(json.dumps(found))
"""


def imports(iiszoo: Run, toy_plugin: Path, verbs: list[str], env: dict[str, str] | None = None) -> dict[str, list[str]]:
    """Verb -> the heavy packages that were imported once it had run, all verbs one after another in one process."""
    done = iiszoo(json.dumps(verbs), program=HYGIENE, path=[toy_plugin], env={"IISZOO_PLUGINS": "toy", **(env or {})})
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert list(found) == ["import iiszoo", *verbs]
    return found


def test_listing_imports_nothing_heavy(iiszoo: Run, toy_plugin: Path, tmp_path: Path) -> None:
    from PIL import Image

    for directory in ("images", "masks"):
        (tmp_path / "berkeley" / directory).mkdir(parents=True)
        Image.new("RGB", (8, 8), "white").save(tmp_path / "berkeley" / directory / "1.png")
    verbs = [
        "list",
        "list models",
        "list datasets --json",
        "list robots",
        "show classic/geocut",
        "show toy --json",
        "show grabcut",
        "show ritm",
        "plugins",
        "plugins --json",
        "data path demo",
        "data add berkeley berkeley",
        "data path berkeley --json",
    ]
    assert {verb for verb, heavy in imports(iiszoo, toy_plugin, verbs).items() if heavy} == set()


def test_help_imports_nothing_heavy(iiszoo: Run, toy_plugin: Path) -> None:
    verbs = ["--help", "bench --help", "list --help", "data --help", "data check -h", "--version"]
    assert {verb for verb, heavy in imports(iiszoo, toy_plugin, verbs).items() if heavy} == set()


def test_list_shows_everything_that_iiszoo_brings(iiszoo: Run) -> None:
    done = iiszoo("list", env={"IISZOO_PLUGINS": ""})
    assert (done.returncode, done.stderr) == (0, "")
    for card in (*MODELS, *DATASETS):
        assert card.id in done.stdout
        assert card.summary in done.stdout
    assert "classic/geocut*" in done.stdout
    assert "classic/grabcut*" not in done.stdout
    assert "folder:…" in done.stdout
    assert "noc95" in done.stdout


def test_list_of_one_kind(iiszoo: Run) -> None:
    robots = iiszoo("list", "robots", env={"IISZOO_PLUGINS": ""})
    assert "ritm" in robots.stdout
    assert "classic/geocut" not in robots.stdout
    assert "grabcut" not in robots.stdout
    wrong = iiszoo("list", "metrics")
    assert wrong.returncode == 2
    assert "metrics" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_json_for_machines(iiszoo: Run) -> None:
    env = {"IISZOO_PLUGINS": ""}
    everything = json.loads(iiszoo("list", "--json", env=env).stdout)
    assert everything.keys() == {"models", "datasets", "robots", "protocols"}
    installed = [card["id"] for card in everything["models"] if card["installed"]]
    assert installed == sorted(card.id for card in MODELS)
    geocut = next(card for card in everything["models"] if card["id"] == "classic/geocut")
    assert geocut["loader"] == "iiszoo.models.classic.geocut:load_geocut"
    assert json.loads(iiszoo("list", "datasets", "--json", env=env).stdout) == everything["datasets"]
    (builtin,) = json.loads(iiszoo("plugins", "--json", env=env).stdout)
    assert (builtin["name"], builtin["version"], builtin["status"]) == ("iiszoo", package.__version__, "ok")
    ids = {card["id"] for kind in ("datasets", "robots") for card in everything[kind]}
    assert {*installed, *ids} == set(builtin["cards"])
    shown = json.loads(iiszoo("show", "grabcut", "--json", env=env).stdout)
    assert list(shown) == ["dataset"]
    assert shown["dataset"] == next(card for card in everything["datasets"] if card["id"] == "grabcut")


def test_json_on_stdout_stays_json_beside_broken_plugins(iiszoo: Run, broken_plugins: Path) -> None:
    for arguments in (("list", "--json"), ("plugins", "--json"), ("show", "ritm", "--json")):
        done = iiszoo(*arguments, path=[broken_plugins], env={"IISZOO_STRICT_PLUGINS": "0"})
        assert done.returncode == 0
        assert json.loads(done.stdout)
        assert ("needy" in done.stderr) == (arguments[0] == "list"), "the footer of `list` is on stderr"


def test_show_prints_what_the_card_says(iiszoo: Run) -> None:
    done = iiszoo("show", "classic")
    assert done.returncode == 0
    assert done.stdout.startswith("model classic/geocut\n")
    assert "  licence: MIT\n" in done.stdout
    assert "  uses: clicks and a mask to correct\n" in done.stdout
    assert "input size" not in done.stdout, "what is empty is left out"


def test_an_unknown_id_is_one_line_with_a_suggestion(iiszoo: Run) -> None:
    done = iiszoo("show", "clasic/geocut")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: no model, dataset, robot or evaluation protocol is called 'clasic/geocut'; ")
    assert "nearest: classic/geocut, " in done.stderr


@pytest.mark.parametrize("arguments", [["lst"], ["show"], ["list", "--jsno"]])
def test_a_command_line_that_is_wrong_exits_with_2(arguments: list[str], iiszoo: Run) -> None:
    done = iiszoo(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")
    assert arguments[-1] in done.stderr or "Missing argument" in done.stderr


def test_the_version(iiszoo: Run) -> None:
    assert package.__version__ in iiszoo("--version").stdout
