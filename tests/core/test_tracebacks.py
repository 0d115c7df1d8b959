"""The line that an author wants to see is that of the author's own code, whoever raised, wherever it is installed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo import tracebacks
from iiszoo.errors import ModelError, with_place
from iiszoo.tracebacks import (
    TRACEBACK_LIMIT,
    Frame,
    RemoteTraceback,
    as_text,
    foreign_traceback,
    frames_from,
    place_of,
    traceback_of,
)

Raise = Callable[[str], BaseException]


@pytest.fixture
def raised_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raise:
    """`raised_in(source)`: what importing this source as the module `mine` raises, in an own working directory."""
    monkeypatch.chdir(tmp_path)

    def run(source: str) -> BaseException:
        Path("mine.py").write_text(source)
        code = "import importlib, sys; importlib.import_module('mine')"
        monkeypatch.syspath_prepend(str(tmp_path))
        try:
            exec(code, {"__name__": "iiszoo.somewhere"})
        except BaseException as error:  # noqa: BLE001
            return error
        finally:
            sys.modules.pop("mine", None)
        raise AssertionError("nothing was raised")

    return run


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("def f():\n    return [][3]\nf()", "mine.py:2, in f"),
        ("import json\njson.loads('{')", "mine.py:2, in <module>"),
        ("import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return torch.cat(3)\nNet()(1)",
         "mine.py:4, in forward"),
        ("import numpy as np\nnp.concatenate(3)", "mine.py:2, in <module>"),
        ("import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\n    def __post_init__(self):\n"
         "        1 / 0\nA(3)", "mine.py:6, in __post_init__"),
        ("exec('1 / 0')", "mine.py:1, in <module>"),
        ("def f(:\n    pass", "mine.py:1"),
        ("x = 1\n  y = 2", "mine.py:2"),
        ("import ast\nast.parse('f(')", "mine.py:2, in <module>"),
        ("import no_such_module_anywhere", "mine.py:1, in <module>"),
        ("try:\n    [][3]\nexcept IndexError as error:\n    raise ValueError('no') from error",
         "mine.py:4, in <module>"),
        ("import sys\nsys.exit('no')", "mine.py:2, in <module>"),
    ],
)  # fmt: skip
def test_the_place_is_the_last_line_of_the_foreign_code(source: str, place: str, raised_in: Raise) -> None:
    error = raised_in(source)
    assert place_of(error) == place
    assert with_place(error).endswith(f" ({place})")
    assert with_place(error, "on sample 'x'").endswith(f" ({place}; on sample 'x')")
    assert ", line " not in with_place(error)  # of a SyntaxError, which has its own place


def test_a_place_elsewhere_is_absolute_and_one_that_python_or_iiszoo_raised_is_none(
    raised_in: Raise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = raised_in("1 / 0")
    monkeypatch.chdir("/")
    monkeypatch.setattr(os, "getcwd", lambda: "/elsewhere")
    assert place_of(error) == f"{tmp_path}/mine.py:1, in <module>"
    assert (place_of(ValueError("no")), with_place(ValueError("no"))) == ("", "ValueError: no")


SITE = "/venv/lib/python3.9/site-packages"
IISZOO = Frame("/iiszoo/engine/inference.py", 9, "_ask", "iiszoo.engine.inference")
TORCH = Frame(f"{SITE}/torch/nn/modules/module.py", 1, "_call_impl", "torch.nn.modules.module")


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        ([IISZOO], ""),
        ([IISZOO, TORCH], f"{TORCH.file}:1, in _call_impl"),
        ([IISZOO, Frame("/iiszoo/models/zoom.py", 3, "crop", "iiszoo.models.zoom"), TORCH],
         "/iiszoo/models/zoom.py:3, in crop"),
        ([IISZOO, Frame(f"{SITE}/iiszoo_x/net.py", 3, "f", "iiszoo_x.net"),
          Frame("/iiszoo/models/zoom.py", 3, "crop", "iiszoo.models.zoom")], f"{SITE}/iiszoo_x/net.py:3, in f"),
        ([IISZOO, TORCH, Frame(f"{SITE}/mine/a.py", 3, "f", "mine.a"), Frame(f"{SITE}/einops/e.py", 4, "g", "einops")],
         f"{SITE}/mine/a.py:3, in f"),
        ([IISZOO, Frame(f"{SITE}/mine/a.py", 3, "f", "mine.a"), Frame(f"{SITE}/mine/b.py", 4, "g", "mine.b")],
         f"{SITE}/mine/b.py:4, in g"),
        ([IISZOO, Frame("/home/a.py", 3, "f", "a"), Frame("/home/b.py", 4, "g", "b")], "/home/b.py:4, in g"),
        ([IISZOO, Frame("/cache/files/isegm/model.py", 3, "f", "_iiszoo_upstream.ritm_b9b4.isegm.model"), TORCH],
         "/cache/files/isegm/model.py:3, in f"),
        ([IISZOO, Frame("<stdin>", 3, "f", "__main__"), TORCH], "<stdin>:3, in f"),
        ([IISZOO, Frame("/a\x1b[2J\ud800.py", 3, "f\n", "a")], "/a\\x1b[2J\\ud800.py:3, in f\\n"),
    ],
)  # fmt: skip
def test_whose_code_it_is(frames: list[Frame], place: str) -> None:
    assert place_of(RemoteTraceback("there", frames)) == place


@given(st.text(max_size=400), st.text(max_size=400), st.integers())
def test_a_place_is_bounded_and_printable(file: str, function: str, line: int) -> None:
    said = place_of(RemoteTraceback("", [Frame(file + "x" * 1000, line, function, "m")]))
    assert said.isprintable()
    assert len(said) < 3500


def test_what_another_process_reports_is_filtered() -> None:
    good = ["a.py", 3, "f", "m"]
    assert frames_from([good, 3, ["a.py", "3", "f", "m"], ["a.py", 3, "f"], None, [None, None, "", ""]]) == [
        Frame("a.py", 3, "f", "m")
    ]
    assert frames_from("frames") == frames_from(None) == []


class Hostile(Exception):
    __notes__ = property(lambda self: 1 / 0)
    __cause__ = property(lambda self: sys.exit())  # type: ignore[assignment]
    __traceback__ = property(lambda self: sys.exit())  # type: ignore[assignment]

    def __str__(self) -> str:
        raise self


def test_an_exception_whose_attributes_raise_has_no_place_and_some_traceback() -> None:
    error = ModelError("no")
    error.__cause__ = Hostile()
    for one in (Hostile(), error):
        assert place_of(one) == ""
        assert traceback_of(one)
        assert foreign_traceback(one) is None


@pytest.mark.parametrize("text", ["x" * 1_000_000, "x\n" * 500_000, "\x1b[2J\x00\ud800" * 1000])
def test_a_traceback_is_bounded_and_steers_no_terminal(text: str, raised_in: Raise) -> None:
    said = traceback_of(raised_in(f"raise ValueError({text!r})"))
    assert len(said) <= TRACEBACK_LIMIT
    assert said.replace("\n", "").isprintable()
    if "\n" not in text:
        assert 'mine.py", line 1' in said


def report(error: BaseException) -> ModelError:
    made = ModelError(f"model m raised {with_place(error)}")
    made.__cause__ = error
    return made


def test_the_traceback_of_a_report_is_that_of_the_foreign_code(raised_in: Raise) -> None:
    error = raised_in("try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('no') from error")
    for one in (report(error), ModelError(f"{report(error)}; and so on")):
        one.__cause__ = one.__cause__ or report(error)
        said = foreign_traceback(one)
        assert said is not None
        assert said == "".join(traceback.format_exception(error)).strip()
        assert "KeyError: 'a'" in said
        assert "ModelError" not in said


def test_an_error_of_iiszoo_itself_reports_no_foreign_code() -> None:
    with pytest.raises(ModelError) as error:
        raise ModelError("two outputs")
    assert foreign_traceback(error.value) is None
    assert "test_tracebacks.py" in traceback_of(error.value)


def test_a_traceback_travels_as_text(raised_in: Raise) -> None:
    here = report(raised_in("1 / 0"))
    there = ModelError(str(here))
    there.__cause__ = pickle.loads(pickle.dumps(as_text(here)))
    assert traceback_of(there) == foreign_traceback(there) == traceback_of(here)


def test_the_libraries_are_those_that_iiszoo_depends_on() -> None:
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(distribution.lower().replace("_", "-"), set()).add(module)
    tools = ("extra == 'dev'", "extra == 'docs'")
    needed = {
        line.split(";")[0].split(">")[0].split("[")[0].strip().lower()
        for line in requires("iiszoo") or ()
        if "iiszoo" not in line and not any(tool in line.replace('"', "'") for tool in tools)
    }
    lacking = {
        name: top - tracebacks.LIBRARIES
        for name in needed & modules.keys()
        if not (top := {m for m in modules[name] if not m.startswith("_")}) & tracebacks.LIBRARIES
    }
    assert needed
    assert not lacking


def test_naming_a_place_imports_nothing_heavy() -> None:
    program = "import sys, iiszoo.tracebacks; sys.exit(bool({'torch', 'numpy', 'cv2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
