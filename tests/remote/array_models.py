"""Models of numpy alone, for an interpreter that has neither torch nor iiszoo. Named by tests as `array_models:NAME`.

They do wrong on marked photographs only, whose first pixel is pure red (see tests/engine/painted_photos.py).
"""

import ctypes
import os
import signal
import sys
import threading
import time

import numpy as np


def _painted(before, clicks, radius, value):
    rows, cols = np.ogrid[: before.shape[-2], : before.shape[-1]]
    for row, col in clicks:
        before[0][(rows - row) ** 2 + (cols - col) ** 2 <= radius**2] = value


def discs(x, z, pcs, ncs):
    """As `painting_models.discs`: the newest clicks onto the previous output, each disc smaller than the last."""
    y = np.array(z["prev_output"])
    for b in range(len(x)):
        n_clicks = sum(len(pcs[k][b]) + len(ncs[k][b]) for k in range(len(pcs)))
        radius = min(x[b].shape[-2:]) / (5 + n_clicks)
        _painted(y[b], pcs[-1][b], radius, np.float32(0.9))
        _painted(y[b], ncs[-1][b], radius, np.float32(1 - 0.9))
    return y


def _marked(x):
    return any(list(image[:, 0, 0]) == [1, 0, 0] for image in x)


def _faulty(fault):
    def model(x, z, pcs, ncs):
        if _marked(x) and len(pcs) > 1:
            return fault(x, z, pcs, ncs)
        return discs(x, z, pcs, ncs)

    return model


def _exit(*_):
    sys.stdout.write("I go now\n")
    sys.stdout.flush()
    os._exit(7)


def _exit_and_leave_a_child(*_):
    """The child has all that its parent had open, the pipe too."""
    if os.fork() == 0:
        time.sleep(60)
    os._exit(7)


exits_and_leaves_a_child = _faulty(_exit_and_leave_a_child)
exits = _faulty(_exit)
is_killed = _faulty(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
hangs = _faulty(lambda *_: time.sleep(60))
segfaults = _faulty(lambda *_: ctypes.string_at(0))
raises = _faulty(lambda *_: 1 / 0)
leaves = _faulty(lambda *_: sys.exit(3))
has_no_answer = _faulty(lambda *_: None)
has_wrong_shape = _faulty(lambda x, z, p, n: discs(x, z, p, n)[..., :-1])
is_not_float32 = _faulty(lambda x, z, p, n: discs(x, z, p, n).astype(float))
has_three_answers = _faulty(lambda x, z, p, n: (discs(x, z, p, n), z, 3))
has_odd_state = _faulty(lambda x, z, p, n: (discs(x, z, p, n), {"prev_output": z["prev_output"], "turns": 3}))


def dies_in_batches(x, z, pcs, ncs):
    if len(x) > 1:
        os._exit(1)
    return discs(x, z, pcs, ncs)


def dies_always(x, z, pcs, ncs):
    os._exit(1)


def prints(x, z, pcs, ncs):
    """Chatters on every channel, more than a pipe holds."""
    sys.stdout.write("x" * 100_000)
    os.write(1, b"y" * 100_000)
    os.write(2, b"z" * 100_000)
    return discs(x, z, pcs, ncs)


class Remembering:
    """Its answer depends on its whole state: the image's mean, the count of turns, and a trail of them."""

    def init_z(self, x):
        return {"mean": x.mean(axis=(1, 2, 3)), "turns": [0] * len(x), "trail": np.zeros((len(x), 3), np.float32)}

    def __call__(self, x, z, pcs, ncs):
        trail = np.roll(z["trail"], 1, axis=1)
        trail[:, 0] = z["mean"]
        y = np.zeros_like(x[:, :1])
        for b in range(len(x)):
            y[b] = (z["turns"][b] + trail[b].sum() + np.float32(z["prev_output"][b].mean())) / 20
        return y, {"mean": z["mean"], "turns": [n + 1 for n in z["turns"]], "trail": trail, "prev_output": y}


class Counted:
    there = 0

    def __init__(self):
        Counted.there += 1

    def __del__(self):
        Counted.there -= 1

    def __reduce__(self):
        return Counted, ()


class Counting:
    """Says how many of the entries that it ever made are still kept."""

    def init_z(self, x):
        return {"counted": [Counted() for _ in x]}

    def __call__(self, x, z, pcs, ncs):
        y = np.full_like(x[:, :1], Counted.there / 100)
        return y, {"counted": [Counted() for _ in x], "prev_output": y}


class Unpicklable:
    def init_z(self, x):
        return {"lock": [threading.Lock() for _ in x]}

    def __call__(self, x, z, pcs, ncs):
        return np.zeros_like(x[:, :1]), z


def sleeping(x, z, pcs, ncs):
    open("in_a_call", "w").close()
    time.sleep(float(os.environ["SLEEPING_SECONDS"]))
    return discs(x, z, pcs, ncs)


def ragged_means(x, z, pcs, ncs):
    return [np.full((1, *image.shape[1:]), image.mean(), np.float32) for image in x]


ragged_means.ragged = True
not_callable = 3


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def _raise(error):
    raise error


is_unspeakable = _faulty(lambda x, z, p, n: _raise(Unspeakable()))
raises_a_megabyte = _faulty(lambda x, z, p, n: _raise(ValueError("x" * 1_000_000)))
