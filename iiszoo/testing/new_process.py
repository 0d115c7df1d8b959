"""Doing something in a new process, as checks of what depends on its process do."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from iiszoo.errors import one_line
from iiszoo.testing.check import Broken, NotApplicable
from iiszoo.testing.spawned import ANSWER, REQUEST, Request


def in_new_process(work: Callable[[], Any], timeout: float) -> Any:
    """What `work()` returns there; it and what it returns are pickled. Runs a program, because multiprocessing's spawn
    would run the caller's main program again.

    Raises `Broken` if it raises, dies or takes more than `timeout` seconds, `NotApplicable` if it cannot be sent.
    """
    try:
        request = pickle.dumps(Request(work, torch.get_num_threads()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise NotApplicable(
            f"it cannot be sent to another process ({one_line(error)}); "
            "give an id, or a function or factory of a module"
        ) from error
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, REQUEST).write_bytes(request)
        with open(Path(directory, "stderr"), "w+") as stderr:
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "iiszoo.testing.spawned", directory],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    timeout=timeout,
                )
            except subprocess.TimeoutExpired as error:
                raise Broken(f"no answer within {timeout:g} s") from error
            stderr.seek(0)
            last = (stderr.read().strip() or "it printed nothing").splitlines()[-1]
        answer = Path(directory, ANSWER)
        if not answer.exists():
            raise Broken(f"it ended with code {done.returncode} before it answered ({last})")
        kind, value = pickle.loads(answer.read_bytes())
    if kind == "unreachable":
        raise NotApplicable(f"another process cannot import it ({value}); put it in a module on sys.path")
    if kind == "raised":
        raise value
    return value
