"""What a first turn needs is compiled beside the loading of the model; a faulty dataset is left to its check."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from iiszoo import load_dataset
from iiszoo.engine import first_turn

COMPILED_LATER = """
from numba.core import event

from iiszoo.engine.bench import bench
from iiszoo.engine.first_turn import compile_beside, wait_for_compilers


def nothing(x, z, pcs, ncs):
    return z["prev_output"]


compile_beside("demo")
wait_for_compilers()
with event.install_recorder("numba:compile") as recorder:
    bench(nothing, "demo", limit=1, max_clicks=2)
print("compiled later:", len(recorder.buffer))
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile_for_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "machine code"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run([sys.executable, "-c", COMPILED_LATER], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["compiled later: 0"], done.stderr


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The arguments of the compilers that are started, which do nothing here."""
    found: list[list[str]] = []
    monkeypatch.setattr(first_turn, "_compilers", [])
    monkeypatch.setattr(first_turn.subprocess, "Popen", lambda command, **how: found.append(command[4:]))
    return found


def test_a_compiler_is_started_for_each_part_once(started, monkeypatch):
    monkeypatch.setattr(first_turn, "is_kept", lambda module: False)
    first_turn.compile_beside("demo")
    first_turn.compile_beside("demo")
    height, width = load_dataset("demo")[0].read_image().shape[:2]
    assert started == [[name, str(height), str(width), ""] for name in ("score", "search")]


def test_none_is_started_where_the_machine_code_is_kept(started, monkeypatch):
    monkeypatch.setattr(first_turn, "is_kept", lambda module: True)
    first_turn.compile_beside("demo")
    assert started == []


def test_a_dataset_that_cannot_be_read_says_so_elsewhere(started, monkeypatch, capfd):
    monkeypatch.setattr(first_turn, "is_kept", lambda module: False)
    first_turn.compile_beside("folder:nowhere")
    first_turn.compile_beside("no dataset")
    assert started == []
    assert capfd.readouterr() == ("", "")
