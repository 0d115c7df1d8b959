from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE_TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # for after_some


@pytest.fixture(scope="session")
def cache_of_workers(_places: Path) -> Path:
    """The iiszoo cache of all Ray workers, so that they compile once."""
    return _places / "ray"


@pytest.fixture(scope="module")
def ray_settings(cache_of_workers: Path) -> Iterator[None]:
    """Ray for tests: no token, and neither its guard against full memory nor its niceness, as this machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("IISZOO_CACHE", str(cache_of_workers))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ENGINE_TESTS), os.environ.get("PYTHONPATH", "")]))
        yield


@pytest.fixture(scope="module")
def ray_here(ray_settings: None) -> Iterator[None]:
    """A cluster of this machine alone, with two cores."""
    ray = pytest.importorskip("ray")
    ray.init(
        "local",  # another test's cluster may be running
        num_cpus=2,
        object_store_memory=80_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()
