from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import painted_photos
import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.results.adding import add
from iiszoo.engine.runs import store


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Complete runs on four tiny photographs: `made/ROBOT/...` of a model with a card, and of a function."""
    place = tmp_path_factory.mktemp("results")
    photos = f"folder:{painted_photos.write(place / 'photos')}"
    for robot in ("ritm", "center-largest"):
        for model in ("classic/geocut", "painting_models:Remembering"):
            bench(model, photos, out=place / "runs" / robot, robot=robot, max_clicks=3)
    return place / "runs"


@pytest.fixture
def run(made, tmp_path) -> Callable[..., Path]:
    """`run(model, robot)`: a copy of a run, to be changed."""

    def run(model: str = "geocut", robot: str = "ritm") -> Path:
        (found,) = (made / robot).glob(f"*{model}*")
        return Path(shutil.copytree(found, tmp_path / "copies" / robot / found.name, dirs_exist_ok=True))

    return run


@pytest.fixture
def repo(made, tmp_path) -> Path:
    """A results repository with all four runs."""
    for found in store.find_runs(made):
        add(found, tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def edited() -> Callable[[Path], None]:
    """`edited(run)`: the first IoU is another, and the summary is left as it was."""

    def edited(run: Path) -> None:
        first, *others = (run / "samples.jsonl").read_text().splitlines()
        trace = json.loads(first)
        trace["iou"][0] = 0.123
        (run / "samples.jsonl").write_text("\n".join([json.dumps(trace), *others]) + "\n")

    return edited
