"""`iiszoo bench --robot R` for every robot: the same seed makes the same clicks, however the run is carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.bench import bench
from iiszoo.registry import registry

EVERY = [
    f"{card.id}:ritm=0.7,random-false=0.3" if card.id == "mix" else card.id
    for card in registry().robots.cards()
    if card.id != "recorded"  # it has tests of its own
]
CHOOSING = [id for id in EVERY if id not in ("ritm", "center-largest", "gto99")]


@pytest.fixture
def clicks(tmp_path: Path, results: Any) -> Any:
    """`clicks(dataset, robot, name, ...)`: what the traces of a run hold beside times."""

    def clicks(dataset: str, robot: str, name: str, **how: Any) -> Any:
        (summary,) = bench(
            "painting_models:ragged_discs", dataset, robot=robot, max_clicks=5, out=tmp_path / name, **how
        )
        assert summary["complete"] or how.get("limit")
        return results(Path(summary["directory"]))

    return clicks


@pytest.mark.parametrize("robot", EVERY)
def test_the_batch_changes_no_click(clicks: Any, photos: Any, robot: str) -> None:
    folder = photos(6)
    alone = clicks(folder, robot, "alone", seed=7)
    assert sum(len(trace["clicks"]) for trace in alone) > 6
    assert clicks(folder, robot, "together", seed=7, batch_size=4) == alone
    if robot in CHOOSING:
        assert clicks(folder, robot, "other", seed=8) != alone


@pytest.mark.slow
@pytest.mark.parametrize("robot", EVERY)
def test_on_grabcut_neither_workers_nor_the_batch_change_a_click(clicks: Any, shared: Path, robot: str) -> None:
    how = {"root": shared / "data", "limit": 12}
    alone = clicks("grabcut", robot, "alone", **how)
    assert len(alone) == 12
    assert clicks("grabcut", robot, "together", **how, n_workers=2, batch_size=4) == alone
