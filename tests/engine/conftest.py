from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.runs.trace import Trace

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for painting_models and painted_photos: pytest's importlib mode adds no test directory


@pytest.fixture(autouse=True)
def _importable_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., str]:
    """`photos(n, **how)`: write a tiny data set (see `painted_photos.write`); returns its id, `folder:DIR`."""
    import painted_photos

    def photos(n: int = 4, name: str = "photos", **how: Any) -> str:
        return f"folder:{painted_photos.write(tmp_path / name, n, **how)}"

    return photos


@pytest.fixture
def trace() -> Callable[..., Trace]:
    """`trace([0.5, 0.9], ...)`: what a session of those IoUs leaves behind, one positive click an interaction."""

    def trace(iou: list[float], index: int = 0, **fields: Any) -> Trace:
        times = {
            "model_seconds": [0.01] * len(iou),
            "robot_seconds": [0.002] * len(iou),
            "clicks": [[[k, k, 1]] for k in range(len(iou))],
        }
        return Trace(f"s{index}", index, [8, 8], iou=iou, **{**times, **fields})

    return trace


@pytest.fixture
def results() -> Callable[[Path], list[dict[str, Any]]]:
    """`results(run_directory)`: what its traces hold beside times, in the order of the samples."""
    from iiszoo.engine.runs import store

    return lambda directory: [trace.results() for trace in store.read_traces(directory)]


@pytest.fixture
def lasting() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """`lasting(summary)`: the summary without times, argv and place: what stopping and resuming must not change."""

    def lasting(summary: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in summary.items() if key not in ("times", "directory")}
        environment = {key: value for key, value in kept["provenance"]["environment"].items() if key != "argv"}
        return {**kept, "provenance": {**kept["provenance"], "environment": environment}}

    return lasting
