from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from iiszoo.cli.data import command as data_command
from iiszoo.cli.main import main

ENGINE_TESTS = Path(__file__).parents[1] / "engine"


@pytest.fixture
def painted_photos(monkeypatch):
    """The module that writes tiny data sets."""
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    return importlib.import_module("painted_photos")


@pytest.fixture
def own_command(monkeypatch, capsys):
    """`own_command(...)`: run `iiszoo ...` in this process; returns its exit code, stdout and stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["iiszoo", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def bench_command(tmp_path, monkeypatch, own_command):
    """`bench_command(...)`: run `iiszoo bench ...` in this process; returns its exit code, stdout and stderr.

    The models of `painting_models` can be named in it.
    """
    monkeypatch.syspath_prepend(ENGINE_TESTS)
    monkeypatch.chdir(tmp_path)
    return partial(own_command, "bench")


@pytest.fixture
def told_alike(bench_command):
    """`told_alike(dataset, fault)`: `data check`, with and without `--full`, and `bench` report this fault once, and
    `--skip-broken` leaves out its sample, one of two.
    """

    def told(dataset, fault):
        for full in ((), ("--full",)):
            checked = CliRunner().invoke(data_command, ["check", dataset, *full])
            assert checked.exit_code != 0
            assert str(checked.exception).count(fault) == 1
        bench = ("-m", "painting_models:discs", "-d", dataset, "--max-clicks", 1)
        code, _, err = bench_command(*bench)
        assert code == 2
        assert err.count(fault) == 1
        code, out, err = bench_command(*bench, "--skip-broken", "--json")
        assert code == 0, err
        assert json.loads(out)[0]["n_done"] == 1

    return told
