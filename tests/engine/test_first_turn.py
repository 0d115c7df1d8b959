"""What a first click needs is compiled beside the loading of the model; a faulty dataset is left to its check."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from iiszoo.engine.first_turn import compile_beside
from iiszoo.errors import DatasetError

COMPILED_LATER = """
from numba.core import event

from iiszoo.engine.bench import bench
from iiszoo.engine.first_turn import compile_beside
from iiszoo.loading import load_dataset


def nothing(x, z, pcs, ncs):
    return z["prev_output"]


compile_beside(load_dataset("demo")).join()
with event.install_recorder("numba:compile") as recorder:
    bench(nothing, "demo", limit=1, max_clicks=2)
print("compiled later:", len(recorder.buffer))
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile_for_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "machine code"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run([sys.executable, "-c", COMPILED_LATER], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["compiled later: 0"], done.stderr


def test_a_dataset_that_cannot_be_read_says_so_elsewhere(capfd):
    class Unreadable:
        def __getitem__(self, i):
            raise DatasetError("no such file")

    compile_beside(Unreadable()).join()
    compile_beside([]).join()
    assert capfd.readouterr() == ("", "")
