from __future__ import annotations

import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
PAINTING = HERE.parent / "engine"
sys.path[:0] = [str(HERE), str(PAINTING)]  # for painted_photos and painting_models


@pytest.fixture(autouse=True)
def _importable_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a worker finds modules of the working directory, iiszoo's own would be among them
    monkeypatch.setenv("IISZOO_PLUGINS", "")  # what else is installed does not matter
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(PAINTING)]))


def _environment(place: Path, packages: list[Path]) -> str:
    """A virtual environment that has nothing but these directories of packages; returns its interpreter."""
    venv.create(place, with_pip=False, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    for package in packages:
        (site / package.name).symlink_to(package)
    return str(place / "bin" / "python")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with numpy, and neither torch nor iiszoo."""
    home = Path(np.__file__).parent
    libraries = [path for path in [home, home.parent / "numpy.libs"] if path.is_dir()]
    return _environment(tmp_path_factory.mktemp("bare"), libraries)


@pytest.fixture(scope="session")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the standard library alone."""
    return _environment(tmp_path_factory.mktemp("empty"), [])


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., str]:
    """`photos(n, **how)`: write a tiny data set (see `painted_photos.write`); returns its id, `folder:DIR`."""
    import painted_photos

    def photos(n: int = 4, **how: Any) -> str:
        return f"folder:{painted_photos.write(tmp_path / 'photos', n, **how)}"

    return photos


@pytest.fixture
def results() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """`results(summary)`: what the run's traces hold beside times, in the order of the samples."""
    from iiszoo.engine.runs import store

    return lambda summary: [trace.results() for trace in store.read_traces(Path(summary["directory"]))]
