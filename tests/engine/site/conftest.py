from __future__ import annotations

import sys
from pathlib import Path

import painted_photos
import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.results.adding import add
from iiszoo.engine.runs import store

sys.path.append(str(Path(__file__).parents[2] / "annotate"))  # for `browsing`


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Four tiny photographs with masks, of the kind `folder:DIR`."""
    return painted_photos.write(tmp_path_factory.mktemp("site") / "photos")


@pytest.fixture(scope="session")
def repo(photos) -> Path:
    """A results repository: two models, one of them a function, by two robots on the same photographs."""
    for robot in ("ritm", "center-largest"):
        for model in ("classic/geocut", "painting_models:Remembering"):
            bench(model, f"folder:{photos}", out=photos.parent / "runs" / robot, robot=robot, max_clicks=3)
    for run in store.find_runs(photos.parent / "runs"):
        add(run, photos.parent / "repo")
    return photos.parent / "repo"
