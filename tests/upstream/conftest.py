"""Small git repositories, and git settings that are nobody's but the test's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for upstream_git: pytest's importlib mode adds no test directory

from upstream_git import commit, git

from iiszoo.upstream import Source, _namespace

MakeSource = Callable[..., Source]


@pytest.fixture(autouse=True)
def git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of git's settings in this test; at first they name an author only."""
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\nname = T\nemail = t@example.invalid\n[init]\ndefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in [*os.environ]:
        if name.startswith("GIT_") and name not in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
            monkeypatch.delenv(name)
    return settings


@pytest.fixture(autouse=True)
def no_clones_left() -> Iterator[None]:
    """What a test imported is forgotten after it."""
    yield
    _namespace._namespaces.clear()
    for name in [name for name in sys.modules if name.startswith(_namespace.PRIVATE)]:
        del sys.modules[name]


@pytest.fixture
def repository(tmp_path: Path) -> MakeSource:
    """`repository(files, name="fork")`: a repository on this machine with one commit of these files, as a `Source`."""

    def make(files: Mapping[str, str | bytes], name: str = "fork") -> Source:
        folder = tmp_path / "repositories" / name
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet")
        return Source(str(folder), commit(folder, files))

    return make


@pytest.fixture
def over_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], Source]:
    """`over_ssh(source)`: the same repository behind git's own transport, as a server would serve it.

    Each connection leaves a line in `tmp_path / "connections"`.
    """
    program = tmp_path / "ssh"
    command = "for command; do :; done"  # the last argument
    program.write_text(f'#!/bin/sh\n{command}\necho "$command" >> "{tmp_path}/connections"\nexec sh -c "$command"\n')
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return lambda source: Source(f"ssh://server{source.repo}", source.commit)
