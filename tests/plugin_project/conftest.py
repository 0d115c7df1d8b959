from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def fresh_environment(
    tmp_path_factory: pytest.TempPathFactory, environment_without_iiszoo: Callable[[], Shell]
) -> Shell:
    """`fresh_environment(script, directory)`: run shell commands where iiszoo was just installed from this checkout."""
    shell = environment_without_iiszoo()
    installed = shell(f"pip install -q {shlex.quote(str(REPOSITORY))}", tmp_path_factory.mktemp("fresh"))
    assert installed.returncode == 0, installed.stderr
    return shell
