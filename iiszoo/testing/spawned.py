"""The program that the check `spawned_process` starts: it loads a model as requested, and runs the first session.

`python -m iiszoo.testing.spawned DIR` reads DIR/request and writes DIR/answer, a pickled pair: ("outputs", arrays),
("raised", a `Broken`), or ("unreachable", why the request could not be read).
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from iiszoo.errors import one_line
from iiszoo.testing import scenes
from iiszoo.testing.subject import Origin, broken_by, play

REQUEST, ANSWER = "request", "answer"


@dataclass(frozen=True)
class Request:
    """The model that the other process loads, and its number of torch threads."""

    origin: Origin
    n_threads: int


def _answer(directory: Path) -> tuple[str, Any]:
    try:
        request = pickle.loads((directory / REQUEST).read_bytes())
    except BaseException as error:  # noqa: BLE001  whatever importing its module raises
        return "unreachable", one_line(error)
    torch.set_num_threads(request.n_threads)
    try:
        outputs = play(request.origin.load(), scenes.session(0)).outputs
    except BaseException as error:  # noqa: BLE001  a model may raise anything
        return "raised", broken_by(error, after=" there")
    return "outputs", [torch.as_tensor(y).numpy() for y in outputs]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / ANSWER).write_bytes(pickle.dumps(_answer(place)))
