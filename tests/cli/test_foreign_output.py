"""stdout holds what iiszoo prints; whatever a plugin or a model prints, on whichever way, goes to stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOISE = """
import atexit, ctypes, logging, os, subprocess, sys, warnings

def noise(where):
    print(f"{where}: print")
    sys.stdout.write(f"{where}: stdout.write\\n")
    os.write(1, f"{where}: os.write\\n".encode())
    ctypes.CDLL(None).printf(f"{where}: printf\\n".encode())  # lies in C's buffer until the process ends
    subprocess.run(["echo", f"{where}: another process"])
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("chatty").debug("nobody wants to know")
    warnings.warn("not available")
"""
PLUGIN = (
    NOISE
    + """
import click
import iiszoo
from iiszoo.cards import DatasetCard, ModelCard, RobotCard
api_version = 1
noise("import")

@iiszoo.hookimpl
def iiszoo_register_models(register):
    noise("hook")
    register(ModelCard(id="noisy/base", loader="plugin_noisy:load", summary="", licence="MIT"))

@iiszoo.hookimpl
def iiszoo_register_robots(register):
    register(RobotCard(id="noisy-robot", loader="plugin_noisy:load_robot", summary=""))

@iiszoo.hookimpl
def iiszoo_register_datasets(register):
    register(DatasetCard(id="noisy-demo", loader="plugin_noisy:load_dataset", summary="", licence="MIT", layout=""))

@iiszoo.hookimpl
def iiszoo_register_commands(cli):
    @cli.command("noisy-hello")
    def hello():
        print("print")
        click.echo("echo")
        sys.stdout.flush()
        os.write(1, b"os.write\\n")
        subprocess.run(["echo", "another process"])

def load_robot(card):
    from iiszoo.clicking.robots import ritm
    def robot(*arguments, **more):
        noise("robot")
        return ritm(*arguments, **more)
    return robot

def load_dataset(card, root):
    noise("dataset")
    import iiszoo
    return iiszoo.load_dataset("demo")

def load(card, device, checkpoint):
    noise("load")
    import torch
    class Model:
        def init_z(self, x):
            noise("init_z")
            return {}
        def __call__(self, x, z, pcs, ncs):
            noise("call")
            return torch.zeros(len(x), 1, *x.shape[-2:])
    return Model()
"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    (site / "plugin_noisy.py").write_text(PLUGIN)
    info = site / "noisy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[iiszoo]\nnoisy = plugin_noisy\n")
    return site


def run(site: Path, where: Path, command: str, **how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "iiszoo", *command.split()],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(site), "IISZOO_PLUGINS": "noisy"},
        text=True,
        timeout=120,
        **{"capture_output": True, **how},  # type: ignore[call-overload]
    )


WAYS = ["print", "stdout.write", "os.write", "printf", "another process"]
BENCH = "bench --model noisy --robot noisy-robot --dataset noisy-demo --limit 1 --max-clicks 1"


@pytest.mark.parametrize(
    ("command", "heard"),
    [
        ("list --json", ["import", "hook"]),
        ("plugins --json", ["import", "hook"]),
        ("show noisy --json", ["import", "hook"]),
        (f"{BENCH} --json", ["import", "hook", "load", "robot", "dataset", "init_z", "call"]),
        (f"{BENCH} --workers 2 --json", ["import", "load", "call"]),
        ("data path noisy-demo --json", ["dataset"]),
        ("check noisy --json", ["load", "init_z", "call"]),
    ],
)
def test_json_stays_json(site: Path, tmp_path: Path, command: str, heard: list[str]) -> None:
    done = run(site, tmp_path, command)
    json.loads(done.stdout)
    for where in heard:
        for way in WAYS:
            assert f"{where}: {way}" in done.stderr
    assert "nobody wants to know" not in done.stderr


def test_help_and_version_are_on_stdout(site: Path, tmp_path: Path) -> None:
    for command, first in (("--help", "Usage: "), ("--version", "iiszoo, version "), ("list --help", "Usage: ")):
        done = run(site, tmp_path, command)
        assert done.returncode == 0
        assert done.stdout.startswith(first)
        assert ": print" not in done.stdout


def test_a_plugins_command_has_stdout_for_itself(site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, "noisy-hello")
    assert done.stdout.splitlines() == ["print", "echo", "os.write", "another process"]


def test_a_reader_that_leaves_early_is_no_traceback(site: Path, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run(site, tmp_path, "list --json", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["1>&-", "2>&-"])
def test_closed_streams_do_not_break_the_program(site: Path, tmp_path: Path, closed: str) -> None:
    command = f"exec {sys.executable} -m iiszoo show ritm --json {closed}"
    env = {**os.environ, "PYTHONPATH": "", "IISZOO_PLUGINS": ""}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert closed == "1>&-" or json.loads(done.stdout)
