"""A run directory, and what is written to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace


@pytest.fixture
def identity() -> Callable[..., dict[str, Any]]:
    """`identity(max_clicks=20, name="standard")`: a run's identity under these rules."""

    def identity(max_clicks: int = 20, name: str = "standard") -> dict[str, Any]:
        return {
            "format": store.FORMAT,
            "model": {"id": "toy/net", "code": "toy 1", "weights": []},
            "protocol": {"max_clicks": max_clicks, "hash": f"h{max_clicks}", "name": name},
            "dataset": {"id": "demo", "n_samples": 9, "fingerprint": "f1"},
        }

    return identity


@pytest.fixture
def directory(tmp_path: Path, identity: Callable[..., dict[str, Any]]) -> Path:
    """The directory of a run that has begun."""
    place = tmp_path / "run"
    store.begin(place, identity()).close()
    return place


@pytest.fixture
def kept() -> Callable[[Path], list[str]]:
    """`kept(directory)`: the samples whose traces are read there."""
    return lambda directory: [trace.sample for trace in store.read_traces(directory)]


@pytest.fixture
def write() -> Callable[..., None]:
    """`write(directory, traces, shard=(1, 1))`: what a process that runs a shard writes."""

    def write(directory: Path, traces: Sequence[Trace], shard: tuple[int, int] = (1, 1)) -> None:
        with store.Writer(directory, shard) as writer:
            for trace in traces:
                writer.append(trace)

    return write
