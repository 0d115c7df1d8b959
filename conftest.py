"""What every test of iiszoo and of its plugins gets: a cache and settings of its own, one torch thread, and the program
`iiszoo` to run.
"""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import filelock
import numpy
import pytest

REPOSITORY = Path(__file__).resolve().parent
FIXTURES = REPOSITORY / "tests" / "fixtures"
_PYTHONPATH = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
"""A second worktree tests its own code with it, not the installed checkout."""
_numbers = itertools.count()

os.environ["OMP_NUM_THREADS"] = "1"  # before anybody imports torch, here or in a process that a test starts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background by a shell, which makes all that is started here deaf to Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.fixture(autouse=True)
def _own_places(_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's cache and settings nor choices made in the environment reach a test; a broken plugin does."""
    own = _places / str(next(_numbers))
    monkeypatch.setenv("IISZOO_CACHE", str(own / "cache"))
    monkeypatch.setenv("IISZOO_CONFIG", str(own / "config"))
    for name in ("IISZOO_DATA", "IISZOO_PLUGINS", "IISZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IISZOO_STRICT_PLUGINS", "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(params=["torch", "onnx"])
def runtime(request: pytest.FixtureRequest, _places: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What computes the networks of a test's models, in turn. A test run exports each network once."""
    runtime: str = request.param
    if runtime == "onnx":
        for package in ("onnx", "onnxruntime"):
            pytest.importorskip(package, reason=f"runtime=onnx needs {package}")
        monkeypatch.setenv("IISZOO_CACHE", str(_places / "exported"))
    return runtime


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of fixtures that are not part of the repository."""
    folder = Path(os.environ.get("IISZOO_SHARED") or REPOSITORY.parent / "shared").resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the shared fixtures, and there is no {folder}; IISZOO_SHARED can say where they are")
    return folder


@pytest.fixture
def iiszoo(tmp_path: Path) -> Run:
    """Run `iiszoo ARGUMENTS` in a process of its own, in the test's temporary directory.

    `path`: directories of installed plugins. `env`: variables to set. `program`: Python source to run in its place.
    """

    def run(
        *arguments: object, path: Iterable[Path] = (), env: dict[str, str] | None = None, program: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        start = ["-c", program] if program else ["-m", "iiszoo"]
        return subprocess.run(
            [sys.executable, *start, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, path), *_PYTHONPATH]), **(env or {})},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def drawn_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small photographs with label maps of two objects each, for `labels:DIR`."""
    import cv2
    import numpy as np

    place = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for n in range(4):
        image = rng.integers(0, 90, (92, 100, 3), dtype=np.uint8)
        labels = np.zeros((92, 100), np.uint8)
        cv2.circle(labels, (40, 30 + n), 22, 1, -1)
        cv2.rectangle(labels, (60, 50), (95, 88), 2, -1)
        image[labels > 0] += 120
        cv2.imwrite(str(place / f"p{n}.png"), image)
        cv2.imwrite(str(place / f"p{n}_0.png"), labels)
    return place


@pytest.fixture
def train_by_recipe(tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """Train by a file of benchmarks/training for some steps on a CPU: (run directory, the network's state dict).

    `dataset` and its `min_area` replace the recipe's; `changes` are entries of its tables; `start` "": random weights.
    """
    import torch

    from iiszoo import files
    from iiszoo.engine.training.config_file import from_data
    from iiszoo.engine.training.run import train

    def run(name: str, dataset: str, min_area: int, start: str = "", **changes: Any) -> tuple[Path, dict[str, Any]]:
        data = files.read_toml(REPOSITORY / "benchmarks" / "training" / f"{name}.toml", "configuration")
        selector = [{**entry, "min_area": min_area} for entry in data["data"][0]["selector"]]
        changes["run"] = {"workers": 0, "device": "cpu", "log_every": 1, **changes.get("run", {})}
        data |= {table: {**data[table], **values} for table, values in changes.items()}
        data |= {"data": [{"dataset": dataset, "selector": selector}], "start": start}
        out = tmp_path / f"run{next(_numbers)}"
        train(from_data(data, name), out, say=lambda _: None)
        state = torch.load(out / "last.ckpt", weights_only=True)["state_dict"]
        own = "network."
        return out, {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}

    return run


_OWN = ("iiszoo", "_iiszoo", "_editable_impl_iiszoo", "__editable__")
"""How the names of what iiszoo and its plugins have installed here begin."""


@pytest.fixture(scope="session")
def environment_without_iiszoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Run]:
    """Makes a virtual environment with all packages of this one but iiszoo's and its plugins', and returns
    `shell(script, directory)`, which runs shell commands there. pip fetches nothing.
    """

    def make() -> Run:
        place = tmp_path_factory.mktemp("environment") / "environment"
        _fill(place)
        alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        # to pip, 0 there means no isolation

        def shell(script: str, directory: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
            env = {**os.environ, **alone, "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"}
            env.pop("PYTHONPATH", None)
            return subprocess.run(
                ["bash", "-euxo", "pipefail", "-c", script],
                cwd=directory,
                env=env,
                capture_output=True,
                text=True,
                timeout=timeout,
            )

        return shell

    return make


def _fill(place: Path) -> None:
    venv.create(place, with_pip=False, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    for home in {Path(module.__file__).parents[1] for module in (numpy, pytest, click)}:
        for package in home.iterdir():
            if not package.name.startswith(_OWN) and package.name != "__pycache__":
                (site / package.name).symlink_to(package)
    for name in ("pip", "pytest"):
        script = place / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(place / "bin" / "python"))} -m {name} "$@"\n')
        script.chmod(0o755)


def _pip_install(tmp_path_factory: pytest.TempPathFactory, name: str, packages: Iterable[str]) -> Path:
    """Install packages of tests/fixtures into one directory, once for all xdist workers of a test run."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target, done = base / name, base / f"{name}.done"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    with filelock.FileLock(f"{target}.lock"):
        if not done.exists():
            sources = [str(FIXTURES / package) for package in packages]
            subprocess.run(
                [*pip, "--disable-pip-version-check", "--target", str(target), *sources], check=True, timeout=300
            )
            done.touch()
    return target


@pytest.fixture(scope="session")
def toy_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin `toy` (iiszoo-toy 1.2.3) is installed: on PYTHONPATH, its entry point is found."""
    return _pip_install(tmp_path_factory, "toy", ["iiszoo_toy"])


@pytest.fixture(scope="session")
def broken_plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where five plugins are installed that break in five ways; `twin` only breaks beside `toy`."""
    packages = [f"iiszoo_{name}" for name in ("halfway", "needy", "oldapi", "quitter", "twin")]
    return _pip_install(tmp_path_factory, "broken", packages)
