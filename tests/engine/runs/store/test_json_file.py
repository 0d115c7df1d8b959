"""A JSON file is whole at any moment."""

from __future__ import annotations

import json
import threading

import pytest

from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def test_a_json_file_is_replaced_in_one_step(tmp_path):
    """A reader sees a whole file at any moment, and a failing write leaves the old one."""
    path = tmp_path / "summary.json"
    store.write_json(path, {"n": -1, "filling": "x" * 200_000})
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            try:
                assert len(json.loads(path.read_text())["filling"]) == 200_000
            except Exception as error:  # noqa: BLE001
                torn.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(60):
        store.write_json(path, {"n": n, "filling": "x" * 200_000})
    stop.set()
    reader.join()
    assert not torn
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_json_file_that_cannot_be_written_leaves_the_old_one_and_no_litter(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "summary.json"
    store.write_json(path, {"n": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"summary\.json cannot be written: File too large"):
            store.write_json(path, {"n": 2, "filling": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.read_json(path) == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
