"""Checks of where a model runs: threads, a forked worker of a DataLoader, a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import partial
from queue import Empty, Queue
from threading import Thread
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from iiszoo.protocol import Model, Outputs
from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import near
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.new_process import in_new_process
from iiszoo.testing.subject import Subject, broken_by, first_session, play


@check(
    "two threads, each with a session, get the outputs that each session gets alone",
    catches="buffers that calls share; signals, event loops and connections that belong to the main thread",
    look="what calls share, and what only the main thread may do",
    after=("interleaved_sessions",),
)
def threads(subject: Subject) -> None:
    alone, model, came = [subject.alone(k).outputs for k in range(2)], subject.model, Queue()  # type: ignore[var-annotated]

    def run(k: int) -> None:
        try:
            came.put((k, play(model, scenes.session(k)).outputs))
        except BaseException as error:  # noqa: BLE001  reported below; otherwise it would be lost
            came.put((k, error))

    for k in range(2):
        Thread(target=run, args=(k,), daemon=True).start()  # a daemon: one that hangs does not keep the program
    for _ in range(2):
        try:
            k, outputs = came.get(timeout=subject.timeout)
        except Empty as error:
            raise Broken(f"no answer within {subject.timeout:g} s") from error
        if isinstance(outputs, BaseException):
            raise broken_by(outputs) from outputs
        _like(outputs, alone[k], subject, f"in thread {k + 1} of 2")


class _Sessions(Dataset[Any]):
    """One session, run by the process that asks for it: its outputs, or what is broken if the model raised."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        try:
            return [torch.as_tensor(y).numpy() for y in play(self.model, scenes.session(index)).outputs]
        except BaseException as error:  # noqa: BLE001  reported to the parent
            return broken_by(error, after=" there")


def _as_it_is(batch: list[Any]) -> Any:
    return batch[0]


@check(
    "a loaded model also works in a forked worker of a DataLoader",
    catches="a pool of threads, a server or a session of another runtime that does not survive a fork: it hangs",
    look="threads that the loader starts; start them at first use, in the process that uses them",
    after=("repeatable",),
)
def dataloader_worker(subject: Subject) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise NotApplicable("processes cannot be forked on this system")
    alone = subject.alone(0).outputs
    loader = DataLoader(
        _Sessions(subject.model),
        num_workers=1,
        collate_fn=_as_it_is,
        multiprocessing_context="fork",
        timeout=subject.timeout,
    )
    try:
        (outputs,) = loader
    except RuntimeError as error:
        cause = str(error).splitlines()[0]
        raise Broken(f"no answer from there within {subject.timeout:g} s ({cause})") from error
    if isinstance(outputs, Broken):
        raise outputs
    _like([torch.from_numpy(y) for y in outputs], alone, subject, "in the worker")


@check(
    "a model loaded in the same way in a new process gives the same outputs",
    catches="layers left at random because a checkpoint was read with strict=False; state that only the first process "
    "has; hash() of strings",
    look="what the loader leaves to chance, and the globals that it needs",
    after=("repeatable",),
)
def spawned_process(subject: Subject) -> None:
    alone = subject.alone(0).outputs
    outputs = in_new_process(partial(first_session, subject.origin), subject.timeout)
    _like([torch.from_numpy(y) for y in outputs], alone, subject, "in the new process")


def _like(outputs: Sequence[Outputs], alone: Sequence[Outputs], subject: Subject, where: str) -> None:
    for step, (y, other) in enumerate(zip(outputs, alone, strict=True)):
        near(y, other, subject.tolerance, f"output {step + 1} {where}")
