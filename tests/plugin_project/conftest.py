from __future__ import annotations

import os
import shlex
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

import click
import numpy
import pytest

REPOSITORY = Path(__file__).parents[2]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]

_OWN = ("iiszoo", "_iiszoo", "_editable_impl_iiszoo", "__editable__")
"""How the names of what iiszoo and its plugins have installed here begin."""


def _fill(place: Path) -> None:
    """A virtual environment with all packages of this one but iiszoo's and its plugins', and iiszoo of the checkout."""
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


@pytest.fixture(scope="session")
def fresh_environment(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """`fresh_environment(script, directory)`: run shell commands where iiszoo was just installed from this checkout.

    pip fetches nothing: what iiszoo needs is there already.
    """
    place = tmp_path_factory.mktemp("fresh") / "environment"
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

    installed = shell(f"pip install -q {shlex.quote(str(REPOSITORY))}", place)
    assert installed.returncode == 0, installed.stderr
    return shell
