"""The program that the checks `spawned_process` start: it does what is requested.

`python -m iiszoo.testing.spawned DIR` reads DIR/request and writes DIR/answer, a pickled pair: ("returned", value),
("raised", a `Broken`), or ("unreachable", why the request could not be read).
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from iiszoo.errors import one_line
from iiszoo.testing.subject import broken_by

REQUEST, ANSWER = "request", "answer"


@dataclass(frozen=True)
class Request:
    """What the other process calls, and its number of torch threads."""

    work: Callable[[], Any]
    n_threads: int


def _answer(directory: Path) -> tuple[str, Any]:
    try:
        request = pickle.loads((directory / REQUEST).read_bytes())
    except BaseException as error:  # noqa: BLE001  whatever importing its module raises
        return "unreachable", one_line(error)
    torch.set_num_threads(request.n_threads)
    try:
        return "returned", request.work()
    except BaseException as error:  # noqa: BLE001  foreign code may raise anything
        return "raised", broken_by(error, after=" there")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / ANSWER).write_bytes(pickle.dumps(_answer(place)))
