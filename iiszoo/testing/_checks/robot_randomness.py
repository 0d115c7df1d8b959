"""Checks of what a robot's clicks may depend on: its arguments, and nothing else."""

from __future__ import annotations

from functools import partial

import torch

from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.new_process import in_new_process
from iiszoo.testing.robot_subject import RobotSubject, errors, turns_anew

N_TURNS = 5


@check(
    "the same arguments, with generators in the same state, get the same clicks",
    catches="numpy's or torch's global generator in place of the element's own; clicks kept from the last session",
    look="what the robot draws from, and what it keeps between calls",
    after=("click_lists",),
    of=("robot",),
)
def repeatable(subject: RobotSubject) -> None:
    if subject.turns(N_TURNS) != subject.turns(N_TURNS):
        raise Broken(f"{N_TURNS} turns played again have other clicks")


@check(
    "an element of a batch gets the clicks that it gets alone",
    catches="one generator for the whole batch; the maximum over all elements; clicks of the first element for all",
    look="what is computed over the batch axis, and the loop over its elements",
    after=("repeatable",),
    of=("robot",),
)
def batch_equals_single(subject: RobotSubject) -> None:
    for seed in range(3):
        pcs, ncs = subject.clicks(errors(), seed)
        for b in range(len(pcs)):
            if subject.clicks(errors().element(b), seed + b) != ([pcs[b]], [ncs[b]]):
                raise Broken(f"element {b + 1} of the batch gets other clicks alone")


@check(
    "outputs and targets on CUDA get the same clicks as on the CPU",
    catches="numpy() of a tensor on a GPU; distances in half precision",
    look="where tensors become arrays",
    after=("repeatable",),
    of=("robot",),
)
def cuda_equals_cpu(subject: RobotSubject) -> None:
    if not torch.cuda.is_available():
        raise NotApplicable("torch finds no CUDA device here")
    agrees_on(subject, "cuda")


def agrees_on(subject: RobotSubject, device: str) -> None:
    """Raise `Broken` unless the robot makes the same clicks for tensors on `device`."""
    question = errors()
    there = type(question)(question.outputs.to(device), question.targets.to(device))
    if subject.clicks(there) != subject.clicks(question):
        raise Broken(f"tensors on {device} get other clicks")


@check(
    "a robot loaded in the same way in a new process makes the same clicks",
    catches="hash() of strings, a set, the clock or the process id as a seed",
    look="what the loader leaves to chance",
    after=("repeatable",),
    of=("robot",),
)
def spawned_process(subject: RobotSubject) -> None:
    if in_new_process(partial(turns_anew, subject.what, N_TURNS), subject.timeout) != subject.turns(N_TURNS):
        raise Broken(f"{N_TURNS} turns have other clicks there")
