"""Models that cost nothing: they paint discs round clicks. Named by tests as `painting_models:NAME`.

A photograph is *marked* where its first pixel is pure red (`painted_photos.write` can do that); the faulty models below
do wrong on marked photographs only.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import Any

import torch
from torch import Tensor


def _disc(y: Tensor, at: tuple[int, int], radius: float, value: float) -> None:
    """Set the pixels of y (1, H, W) whose distance to `at` is at most `radius`."""
    rows = torch.arange(y.shape[-2])[:, None] - at[0]
    cols = torch.arange(y.shape[-1])[None, :] - at[1]
    y[0, rows**2 + cols**2 <= radius**2] = value


def _painted(before: Tensor, positive: list[Any], negative: list[Any], radius: float, sure: float = 0.9) -> Tensor:
    y = before.clone()
    for click in positive:
        _disc(y, click, radius, sure)
    for click in negative:
        _disc(y, click, radius, 1 - sure)
    return y


def _like(x: Any, outputs: list[Tensor]) -> Any:
    return outputs if isinstance(x, list) else torch.stack(outputs)


def discs(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Paints the newest clicks onto the previous output: with each click of a session the disc becomes smaller."""
    outputs = []
    for b, before in enumerate(z["prev_output"]):
        n_clicks = sum(len(p[b]) + len(n[b]) for p, n in zip(pcs, ncs, strict=True))
        outputs.append(_painted(before, pcs[-1][b], ncs[-1][b], min(x[b].shape[-2:]) / (5 + n_clicks)))
    return _like(x, outputs)


def ragged_discs(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    return discs(x, z, pcs, ncs)


ragged_discs.ragged = True  # type: ignore[attr-defined]


def nothing(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """The null model: there is no object anywhere."""
    return _like(x, [torch.zeros((1, *image.shape[-2:])) for image in x])


class Remembering:
    """Its answer depends on all of z: a number that `init_z` takes from the image, and the count of its own turns."""

    ragged = False

    def __init__(self) -> None:
        self.encoded = 0

    def init_z(self, x: Any) -> dict[str, Any]:
        self.encoded += len(x)
        return {"brightness": torch.stack([image.mean() for image in x]), "turns": [0] * len(x)}

    def __call__(self, x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
        outputs = [
            _painted(
                z["prev_output"][b],
                pcs[-1][b],
                ncs[-1][b],
                (2 + 8 / (1 + z["turns"][b])) * (1 + float(z["brightness"][b])),
                min(0.6 + 0.05 * z["turns"][b], 1.0),
            )
            for b in range(len(x))
        ]
        y = _like(x, outputs)
        return y, {**z, "turns": [turn + 1 for turn in z["turns"]], "prev_output": y}


class RaggedRemembering(Remembering):
    ragged = True


def sleeping_discs(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Takes as many seconds as the environment says, so that a run can be stopped in the middle."""
    time.sleep(float(os.environ.get("PAINTING_SECONDS", "0")))
    return discs(x, z, pcs, ncs)


def mortal_discs(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Takes its process down on a marked photograph, if the environment says so; the code stays the same."""
    if os.environ.get("PAINTING_DIES") and any(map(is_marked, x)):
        os._exit(7)
    return discs(x, z, pcs, ncs)


def growing_z(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Sound, and adds an entry to z only when it first answers."""
    turns = z.get("turns", [0] * len(x))
    y = _like(x, [_painted(z["prev_output"][b], pcs[-1][b], ncs[-1][b], 9 / (1 + turns[b] / 4)) for b in range(len(x))])
    return y, {**z, "turns": [turn + 1 for turn in turns], "prev_output": y}


# the faulty ones


def is_marked(image: Tensor) -> bool:
    return image[:, 0, 0].tolist() == [1.0, 0.0, 0.0]


def wrong_shape(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return y[..., :-1] if any(map(is_marked, x)) else y


def ragged_wrong_size(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """One of its answers has another size than its image."""
    y = discs(x, z, pcs, ncs)
    outputs = [y[b][..., :-1] if is_marked(image) else y[b] for b, image in enumerate(x)]
    alike = isinstance(x, torch.Tensor) and len({output.shape for output in outputs}) == 1
    return torch.stack(outputs) if alike else outputs


ragged_wrong_size.ragged = True  # type: ignore[attr-defined]


def too_few_answers(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return y[:-1] if any(map(is_marked, x)) else y


def not_a_number(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    for b, image in enumerate(x):
        if is_marked(image):
            y[b, 0, 3, 3] = float("nan")
    return y


def above_one(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Forgets the sigmoid, as wrapped networks do."""
    y = discs(x, z, pcs, ncs)
    for b, image in enumerate(x):
        if is_marked(image):
            y[b] += 0.5
    return y


def below_zero(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    for b, image in enumerate(x):
        if is_marked(image):
            y[b] -= 0.5
    return y


def double_precision(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return y.double() if any(map(is_marked, x)) else y


def numpy_answer(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return y.numpy() if any(map(is_marked, x)) else y


def no_answer(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    return None if any(map(is_marked, x)) else discs(x, z, pcs, ncs)


def three_answers(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return (y, z, 3) if any(map(is_marked, x)) else y


def raising(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    if any(map(is_marked, x)):
        raise RuntimeError("red is not for me")
    return discs(x, z, pcs, ncs)


def raising_later(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Fails on a marked photograph at its third click."""
    for b, image in enumerate(x):
        if is_marked(image) and sum(bool(p[b] or n[b]) for p, n in zip(pcs, ncs, strict=True)) == 3:
            raise RuntimeError("thrice is too often")
    return discs(x, z, pcs, ncs)


def raising_while_z_grows(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    if any(map(is_marked, x)):
        raise RuntimeError("red is not for me")
    return growing_z(x, z, pcs, ncs)


def raising_in_batches(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """A model that was never tried with more than one image."""
    if len(x) > 1:
        raise ValueError("only one image at a time")
    return discs(x, z, pcs, ncs)


def leaving(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    if any(map(is_marked, x)):
        raise SystemExit("red is not for me")
    return discs(x, z, pcs, ncs)


def interrupting(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    if any(map(is_marked, x)):
        raise KeyboardInterrupt
    return discs(x, z, pcs, ncs)


def unspeakable(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    if any(map(is_marked, x)):
        raise Unspeakable
    return discs(x, z, pcs, ncs)


class NotInWorkers:
    """Raises where it is made in a process that is not the first."""

    def __init__(self) -> None:
        if multiprocessing.parent_process() is not None:
            raise EOFError("no second one")

    __call__ = staticmethod(discs)


class KilledInWorkers:
    """Its process is killed where it is made, if that is not the first."""

    def __init__(self) -> None:
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    __call__ = staticmethod(discs)


class RaisingInit:
    def init_z(self, x: Any) -> dict[str, Any]:
        if any(map(is_marked, x)):
            raise RuntimeError("red is not for me")
        return {}

    def __call__(self, x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
        return discs(x, z, pcs, ncs)


class SmallPrevOutput:
    """Starts from a previous output of another size than the image."""

    def init_z(self, x: Any) -> dict[str, Any]:
        size = [n // 2 if any(map(is_marked, x)) else n for n in x.shape[-2:]]
        return {"prev_output": torch.zeros((len(x), 1, *size))}

    def __call__(self, x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
        return discs(x, z, pcs, ncs)


def state_of_no_element(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    """Puts something into z that is not indexable by batch element."""
    y = discs(x, z, pcs, ncs)
    return y, {"prev_output": y, "turns": 3 if any(map(is_marked, x)) else [3] * len(x)}


def state_of_too_many(x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
    y = discs(x, z, pcs, ncs)
    return y, {"prev_output": y, "turns": torch.zeros(len(x) + any(map(is_marked, x)))}


not_callable = 3
