"""Runs are found by what lies in a directory."""

from __future__ import annotations

import pytest

from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def test_runs_are_found_below_a_directory(tmp_path, identity):
    for name in ("b--demo", "a--demo"):
        store.begin(tmp_path / "out" / name, identity()).close()
    assert [path.name for path in store.find_runs(tmp_path)] == ["a--demo", "b--demo"]
    assert store.find_runs(tmp_path / "out" / "a--demo") == [tmp_path / "out" / "a--demo"]


def test_a_directory_without_runs_is_said_to_be_so(tmp_path):
    with pytest.raises(RunError, match=r"contains no run .*--out"):
        store.find_runs(tmp_path)
    with pytest.raises(RunError, match=r"absent is not a directory; .*--out"):
        store.find_runs(tmp_path / "absent")
