"""What a first turn of a robot needs compiled, compiled by processes of its own while a model is loaded.

On a new machine the compiler works for several seconds, half of them with Python's lock, which loading needs too. The
machine code is kept on disk (`iiszoo.compiled`), so the process that waits for it, and all later ones, only read it.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL

import numpy as np

from iiszoo.clicking import _exact_distance
from iiszoo.compiled import is_kept
from iiszoo.engine import metrics
from iiszoo.engine.metrics import packed_masks

_compilers: list[subprocess.Popen[bytes]] = []


def compile_beside(dataset: str, root: str | Path | None = None) -> None:
    """Start to compile scores and the search of `ritm`, on which most robots rest, for masks like those of a dataset's
    first sample, if that has not been done yet and can be kept. A second call does nothing.

    Nothing is raised: what is wrong with the dataset its check tells, and what is not compiled here is at its first
    call.
    """
    if _compilers:
        return
    with suppress(Exception):
        left = [name for name, (_, module) in _TURNS.items() if not is_kept(module)]
        if left:
            from iiszoo.loading import load_dataset  # here, since the compilers' processes are waited for

            object, ignore = load_dataset(dataset, root)[0].read_target()
            masks = [*map(str, object.shape), "" if ignore is None else "ignore"]
            for name in left:
                command = [sys.executable, "-P", "-m", __name__, name, *masks]
                _compilers.append(subprocess.Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL))


def wait_for_compilers() -> None:
    """Wait until what was started has ended; whoever does not wait compiles the same once more."""
    for process in _compilers:
        process.wait()


def _score(height: int, width: int, ignore: bool) -> None:
    nothing = np.zeros((height, width), bool)
    metrics.score(nothing.astype(np.float32), metrics.prepare(nothing, nothing if ignore else None))


def _search(height: int, width: int, ignore: bool) -> None:
    nothing = np.zeros((height, width), np.uint8)
    _exact_distance.farthest_error(nothing, nothing, nothing if ignore else None, np.zeros((0, 2), np.int64))


_TURNS = {"score": (_score, packed_masks), "search": (_search, _exact_distance)}
"""By name: a call for masks (H, W), with ignored pixels or without, and the module whose functions it compiles."""


def _main(name: str, height: str, width: str, ignore: str) -> None:
    turn, _ = _TURNS[name]
    turn(int(height), int(width), bool(ignore))


if __name__ == "__main__":
    _main(*sys.argv[1:])
