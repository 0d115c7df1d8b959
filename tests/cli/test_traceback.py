"""What a model, a plugin or a robot raises: its line in the sentence, its traceback on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., "CompletedProcess[str]"]

MINE = """
import torch
from torch import nn

def deep(x):
    return [1, 2][x]

def model(x, z, pcs, ncs):
    return deep(7)

class Net(nn.Module):
    def forward(self, x, z, pcs, ncs):
        return torch.cat(3)
"""
PLUGIN = """
import iiszoo
from iiszoo.cards import DatasetCard, ModelCard, RobotCard

api_version = 1

@iiszoo.hookimpl
def iiszoo_register_models(register):
    register(ModelCard(id="frail/net", loader="frail_code:load", summary="", licence="MIT"))

@iiszoo.hookimpl
def iiszoo_register_robots(register):
    register(RobotCard(id="shaky", loader="frail_code:load_robot", summary=""))

@iiszoo.hookimpl
def iiszoo_register_datasets(register):
    for id in ("faint", "torn"):
        register(DatasetCard(id=id, loader="frail_code:load_dataset", summary="", licence="", layout="", embedded=True))

@iiszoo.hookimpl
def iiszoo_register_commands(cli):
    import click

    @cli.command("frail-do")
    def do():
        import frail_code
        frail_code.deep(7)
"""
CODE = """
import numpy as np
from iiszoo.data.base import EvaluationDataset, Sample, Target

def deep(x):
    return [1, 2][x]

def load(card, *, device, checkpoint=None, reach: int = 3):
    deep(7)

def load_robot(card):
    return lambda *arguments, **rest: deep(7)

class Torn(EvaluationDataset):
    name = "torn"
    def __len__(self):
        return 1
    def sample(self, i):
        return Sample("a", "a", (), lambda: deep(7), lambda: Target(np.ones((5, 5), bool), None))

def load_dataset(card, root=None):
    return Torn() if card.id == "torn" else deep(7)
"""
SNAPPED = "import frail_code\nfrail_code.deep(7)\n"


@pytest.fixture
def run(iiszoo: Run, tmp_path: Path) -> Run:
    """Run `iiszoo` where the module `mine` and the plugins `frail` and, broken, `snapped` are."""
    (tmp_path / "mine.py").write_text(MINE)
    site = tmp_path / "site"
    for name, module in (("frail", PLUGIN), ("snapped", SNAPPED)):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[iiszoo]\n{name} = {name}\n")
        (site / f"{name}.py").write_text(module)
    (site / "frail_code.py").write_text(CODE)
    return lambda *arguments, env=None: iiszoo(
        *arguments, path=[site], env={"IISZOO_STRICT_PLUGINS": "0", "IISZOO_PLUGINS": "frail,snapped", **(env or {})}
    )


BENCH = ("bench", "--limit", "1", "--model")
RAISED = "IndexError: list index out of range"
HINT = "(--traceback shows the whole traceback)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*BENCH, "mine:model"), f"model mine:model raised {RAISED} (mine.py:6, in deep; on sample 'astronaut"),
        ((*BENCH, "mine:Net"), "(mine.py:13, in forward; on sample 'astronaut__helmet'"),
        ((*BENCH, "mine:model", "--limit", "2", "--workers", "2"), "(mine.py:6, in deep; on sample 'a"),
        ((*BENCH, "mine:model", "--python", sys.executable), f"{RAISED} (mine.py:6, in deep; in {sys.executable})"),
        ((*BENCH, "frail"), f"model frail/net cannot be loaded: {RAISED} (site/frail_code.py:6, in deep)"),
        ((*BENCH, "snapped"), f"plugin snapped (snapped 1.0) is broken: {RAISED} (site/frail_code.py:6, in deep)"),
        ((*BENCH, "classic", "--robot", "shaky"), f"robot shaky raised {RAISED} (site/frail_code.py:6, in deep; on "),
        (("bench", "-d", "faint"), f"dataset faint cannot be loaded: {RAISED} (site/frail_code.py:6, in deep)"),
        (("bench", "-d", "torn"), f"sample 'a' cannot be read: {RAISED} (site/frail_code.py:6, in deep)"),
        (("frail-do",), f"command frail-do of plugin frail (frail 1.0) raised {RAISED} (site/frail_code.py:6, in "),
    ],
    ids=["function", "module", "worker", "interpreter", "loader", "import", "robot", "dataset", "reading", "command"],
)  # fmt: skip
def test_the_line_is_in_the_sentence_and_the_traceback_on_request(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments, "--traceback")
    assert done.returncode == 2
    above, _, sentence = done.stderr.rpartition("error: ")
    assert said in sentence
    assert HINT not in done.stderr
    assert above.startswith("Traceback (most recent call last):\n")
    assert above.rstrip().splitlines()[-1].startswith(("IndexError: ", "TypeError: "))


def test_the_sentence_alone_says_how_to_see_more(run: Run) -> None:
    done = run(*BENCH, "frail")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: model frail/net cannot be loaded: ")
    assert done.stderr.endswith(f"{HINT}\n")


def test_it_is_an_option_of_the_program_and_a_variable_too(run: Run) -> None:
    said = run("--traceback", "frail-do").stderr
    assert "\nIndexError: list index" in said
    assert run("frail-do", env={"IISZOO_TRACEBACK": "1"}).stderr == said
    assert "Traceback" not in run("frail-do", env={"IISZOO_TRACEBACK": "0"}).stderr


def test_an_error_that_no_foreign_code_raised_gives_no_hint_but_has_a_traceback(run: Run) -> None:
    assert HINT not in run("show", "clasic").stderr
    said = run("show", "clasic", "--traceback").stderr
    assert "\niiszoo.errors.UnknownId: " in said
    assert said.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("verb", [("bench",), ("list",), ("upstream", "verify"), ("data", "get"), ("frail-do",)])
def test_every_verb_takes_it(run: Run, verb: tuple[str, ...]) -> None:
    assert "--traceback" in run(*verb, "--help").stdout


def test_the_line_of_a_failed_sample_holds_its_traceback(run: Run, tmp_path: Path) -> None:
    done = run(*BENCH, "mine:model", "--keep-going", "--out", "out")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").rglob("samples.jsonl")
    (line,) = map(json.loads, file.read_text().splitlines())
    assert "(mine.py:6, in deep; on sample" in line["error"]
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert line["traceback"].endswith(RAISED)
    assert 'mine.py", line 6, in deep' in line["traceback"]


def test_an_option_of_the_wrong_type_is_refused_first(run: Run) -> None:
    for verb in (("bench", "-m"), ("check",)):
        done = run(*verb, "frail?reach=abc")
        assert done.stderr == "error: model frail/net: option 'reach' must be a whole number, not 'abc'\n"
