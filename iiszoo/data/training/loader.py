"""What a `DataLoader` needs beside a dataset: the numbers of samples, and workers of one thread each."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import Sampler


class Numbers(Sampler[int]):
    """The numbers of samples from `start` up to `stop`, or without end if it is None.

    Each block of `block` numbers is shuffled, by `seed` and the block's number: epochs of a dataset of that length,
    each in another order. 0: no shuffling.
    """

    def __init__(self, start: int = 0, stop: int | None = None, *, block: int = 0, seed: int = 0) -> None:
        self.start, self.stop, self.block, self.seed = start, stop, block, seed

    def __iter__(self) -> Iterator[int]:
        order = np.arange(0)
        for n in itertools.count(self.start):
            if self.stop is not None and n >= self.stop:
                return
            if not self.block:
                yield n
                continue
            epoch, k = divmod(n, self.block)
            if not k or not order.size:
                order = np.random.default_rng([self.seed, epoch]).permutation(self.block)
            yield epoch * self.block + int(order[k])


def one_thread(worker: int) -> None:
    """For `DataLoader(worker_init_fn=...)`: one thread per worker, as there are many. SIGINT is left to the run, which
    ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
