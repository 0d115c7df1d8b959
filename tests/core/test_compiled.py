"""Where the machine code of compiled functions is kept, told by new processes that find the source folder as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from iiszoo.compiled import compiled


@compiled
def double(n):
    return 2 * n
"""
KEPT = "from iiszoo.compiled import is_kept; from source import doubling; print(is_kept(doubling))"
USE = "from source.doubling import double; print(double(21), sum(double.stats.cache_hits.values()))"


@pytest.fixture
def use(tmp_path, monkeypatch):
    """Calls the function in a new process; returns what it printed: the result, and how often code was found."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "doubling.py").write_text(SOURCE)
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    def run(code: str = USE) -> list[str]:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        return done.stdout.split()

    return run


def kept(folder: Path) -> bool:
    return any(folder.rglob("doubling.double*.nbi"))


def test_machine_code_is_kept_beside_the_source(use, tmp_path):
    assert use() == ["42", "0"]
    assert kept(tmp_path / "source")
    assert use() == ["42", "1"]


def test_machine_code_is_kept_in_the_cache_where_the_source_folder_cannot_be_written(use, tmp_path):
    (tmp_path / "source" / "__pycache__").write_text("a file, so that nothing can be written there")
    assert use() == ["42", "0"]
    assert kept(tmp_path / "cache" / "numba")
    assert use() == ["42", "1"]


def test_a_chosen_folder_comes_first(use, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "chosen"))
    assert use() == ["42", "0"]
    assert kept(tmp_path / "chosen")
    assert not kept(tmp_path / "source")


def test_functions_are_compiled_anew_where_nothing_can_be_written(use, tmp_path, monkeypatch):
    for taken in (tmp_path / "source" / "__pycache__", tmp_path / "cache", tmp_path / "home"):
        taken.write_text("a file, so that nothing can be written there")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    assert use() == use() == ["42", "0"]


def test_a_module_is_kept_when_there_is_machine_code_of_this_source(use, tmp_path):
    assert use(KEPT) == ["False"]
    use()
    assert use(KEPT) == ["True"]
    for index in tmp_path.rglob("doubling.double*.nbi"):  # as if the source had come later, with a new version
        os.utime(index, (0, 0))
    assert use(KEPT) == ["False"]
