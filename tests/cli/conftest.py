from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from iiszoo.cli.main import main

ENGINE_TESTS = Path(__file__).parents[1] / "engine"


@pytest.fixture
def painted_photos(monkeypatch):
    """The module that writes tiny data sets."""
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    return importlib.import_module("painted_photos")


@pytest.fixture
def bench_command(tmp_path, monkeypatch, capsys):
    """`bench_command(...)`: run `iiszoo bench ...` in this process; returns its exit code, stdout and stderr.

    The models of `painting_models` can be named in it.
    """
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["iiszoo", "bench", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return code, out, err

    return command
