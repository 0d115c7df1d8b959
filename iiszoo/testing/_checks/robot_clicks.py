"""Checks of a robot's card, and of the clicks that it makes."""

from __future__ import annotations

from dataclasses import replace

import torch

from iiszoo.protocol import Click
from iiszoo.testing._checks.assertions import card_of, states
from iiszoo.testing.check import Broken, check
from iiszoo.testing.robot_subject import Question, RobotSubject, disk, errors
from iiszoo.testing.values import change, fresh

SIZES = ((1, 1), (1, 9), (17, 3), (5, 200))


@check(
    "a card states a summary",
    catches="a robot whose rule a user has to guess",
    look="the card",
    after=(),
    of=("robot",),
)
def card_complete(subject: RobotSubject) -> None:
    states(card_of(subject), "summary")


@check(
    "a robot can be loaded",
    catches="a loader that fails anywhere but on its author's machine; one that returns no function",
    look="the loader",
    after=(),
    of=("robot",),
)
def loads(subject: RobotSubject) -> None:
    if not callable(subject.robot):
        raise Broken(f"it is of type {type(subject.robot).__name__}")


@check(
    "a robot returns (pcs, ncs), one interaction longer; earlier clicks stay, and a new one is (row, col), two whole "
    "numbers inside the image",
    catches="only the new clicks returned; clicks as arrays or floats; (x, y) for (row, col)",
    look="the end of the robot, where its lists are made; `iiszoo.clicking.single_sample` makes them",
    after=("loads",),
    of=("robot",),
)
def click_lists(subject: RobotSubject) -> None:
    question = errors()
    for turn in range(3):
        new_pcs, new_ncs = subject.clicks(question, 10 * turn)
        pcs, ncs = subject.answer(question, 10 * turn)
        for before, after, name in ((question.pcs, pcs, "pcs"), (question.ncs, ncs, "ncs")):
            if after[:-1] != before:
                raise Broken(f"the earlier interactions of {name} differ after turn {turn + 1}")
        for clicks in (*new_pcs, *new_ncs):
            for click in clicks:
                _sound(click, question)
        question = replace(question, pcs=pcs, ncs=ncs)


def _sound(click: Click, question: Question) -> None:
    if not isinstance(click, tuple) or len(click) != 2 or not all(type(place) is int for place in click):
        raise Broken(f"a click is {click!r:.80}")
    rows, cols = question.outputs.shape[-2:]
    if not (0 <= click[0] < rows and 0 <= click[1] < cols):
        raise Broken(f"a click is {click} on an image of {rows} rows, {cols} columns")


@check(
    "where the prediction is wrong the robot clicks",
    catches="one kind of error that is forgotten: what is missed, or what is taken for the object by mistake",
    look="how the robot finds the errors",
    after=("click_lists",),
    of=("robot",),
)
def answers_errors(subject: RobotSubject) -> None:
    pcs, ncs = subject.clicks(errors())
    for b, what in enumerate(("is missed", "has a prediction that is too large", "has a prediction that is displaced")):
        if not pcs[b] and not ncs[b]:
            raise Broken(f"there is no click if the object {what}")


@check(
    "where prediction and target agree there is no click, whatever the rest of the batch does",
    catches="a click at (0, 0), or at the last pixel, if nothing is wrong: the session never ends",
    look="the maximum of an empty map",
    after=("click_lists",),
    of=("robot",),
)
def silent_when_right(subject: RobotSubject) -> None:
    question = errors()
    right = question.outputs.clone()
    right[1] = torch.where(question.targets[1], 0.8, 0.2)
    pcs, ncs = subject.clicks(replace(question, outputs=right))
    _none([*pcs[1], *ncs[1]], "there the clicks are {}")


@check(
    "a positive click lies on the object, a negative one beside it",
    catches="positive and negative mixed up; a click moved off the error that it is for",
    look="how a click is sorted by the target's value at its pixel",
    after=("click_lists",),
    of=("robot",),
)
def polarity(subject: RobotSubject) -> None:
    question = errors()
    for seed in range(3):
        for name, clicks, object in zip(
            ("positive", "negative"), subject.clicks(question, seed), (True, False), strict=True
        ):
            for b, element in enumerate(clicks):
                for row, col in element:
                    if bool(question.targets[b, 0, row, col]) != object:
                        raise Broken(f"a {name} click is at {(row, col)}, which is {'not ' * object}on the object")


@check(
    "ignored pixels are never clicked, and errors that are all ignored get no click",
    catches="ignore that is accepted and not used: clicks on the blurred edge of a mask",
    look="where the errors are computed",
    after=("silent_when_right",),
    of=("robot",),
)
def ignored_pixels(subject: RobotSubject) -> None:
    question = errors()
    wrong = (question.outputs > 0.5) != question.targets
    pcs, ncs = subject.clicks(replace(question, ignore=wrong))
    _none([click for clicks in (*pcs, *ncs) for click in clicks], "if all errors are ignored the clicks are {}")
    half = torch.zeros_like(wrong)
    half[..., : wrong.shape[-1] // 2] = True
    for seed in range(3):
        for clicks in subject.clicks(replace(question, ignore=half), seed):
            for element in clicks:
                _none([click for click in element if click[1] < wrong.shape[-1] // 2], "there are clicks {} on them")


@check(
    "a pixel is predicted as object where outputs > threshold, and not where they are equal",
    catches="a fixed threshold of 0.5, while the run scores at 0.49; >= for >",
    look="where outputs become a mask",
    after=("silent_when_right",),
    of=("robot",),
)
def threshold(subject: RobotSubject) -> None:
    object = disk(20, 28, 12)[None, None]
    for value, at, right in ((0.6, 0.5, True), (0.6, 0.7, False), (0.3, 0.25, True), (0.5, 0.5, False)):
        question = Question(torch.where(object, value, 0.1), object)
        pcs, ncs = subject.clicks(question, threshold=at)
        made = [*pcs[0], *ncs[0]]
        if right and made:
            raise Broken(f"outputs of {value} on the object and 0.1 elsewhere are right at threshold {at}: it clicks")
        if not right and not pcs[0] and subject.clicks(question, 1, threshold=at) == ([[]], [[]]):
            raise Broken(f"outputs of {value} on the object miss it at threshold {at}: there is no click")


@check(
    "with n_points there are at most that many clicks per element, and at least one where something is wrong",
    catches="n_points that is accepted and ignored, or taken for the whole batch",
    look="the loop over points",
    after=("answers_errors",),
    of=("robot",),
)
def several_points(subject: RobotSubject) -> None:
    for n in (1, 3):
        pcs, ncs = subject.clicks(errors(), n_points=n)
        for b, made in enumerate(zip(pcs, ncs, strict=True)):
            count = sum(map(len, made))
            if not 1 <= count <= n:
                raise Broken(f"element {b + 1} gets {count} clicks for n_points={n}")


@check(
    "a robot changes none of its arguments outputs, targets, pcs, ncs, ignore",
    catches="clicks appended to the given lists; errors subtracted from the targets in place",
    look="what the robot writes to, and arrays that share a tensor's memory",
    after=("click_lists",),
    of=("robot",),
)
def inputs_unchanged(subject: RobotSubject) -> None:
    question = errors()
    first = subject.answer(question)
    ignore = torch.zeros_like(question.targets)
    ignore[..., :5] = True
    given = {
        "outputs": fresh(question.outputs), "targets": fresh(question.targets),
        "pcs": fresh(first[0]), "ncs": fresh(first[1]), "ignore": ignore,
    }  # fmt: skip
    before = fresh(given)
    subject.robot(**given, generators=[None] * len(question.outputs))
    for name, value in given.items():
        found = change(before[name], value, name)
        if found:
            raise Broken(f"it changes {found}")


@check(
    "targets of bool, uint8 and float32 get the same clicks",
    catches="~ or - of the wrong type: ~1 is 254 in uint8",
    look="where targets become masks",
    after=("repeatable",),
    of=("robot",),
)
def target_types(subject: RobotSubject) -> None:
    question = errors()
    expected = subject.clicks(question)
    for kind in (torch.uint8, torch.float32):
        if subject.clicks(replace(question, targets=question.targets.to(kind))) != expected:
            raise Broken(f"targets of {kind} get other clicks than those of bool")


@check(
    "images of any size are answered, even of 1 x 1 and 17 x 3 pixels, all of them object",
    catches="a border or patch that a small image does not have; an object without a background",
    look="kernels, crops and distances to an outside that is not there",
    after=("click_lists",),
    of=("robot",),
)
def image_sizes(subject: RobotSubject) -> None:
    for size in SIZES:
        whole = torch.ones(1, 1, *size, dtype=torch.bool)
        question = Question(torch.zeros(1, 1, *size), whole)
        pcs, ncs = subject.clicks(question)
        made = [*pcs[0], *ncs[0]]
        if not made:
            raise Broken(f"an object of {size[0]} x {size[1]} pixels, all missed, gets no click")
        _sound(made[0], question)


@check(
    "100 turns in which the prediction never changes are answered",
    catches="a search for an unclicked pixel that never ends, or fails when all are clicked",
    look="what the robot does with earlier clicks",
    after=("click_lists",),
    of=("robot",),
)
def many_turns(subject: RobotSubject) -> None:
    small = Question(torch.zeros(1, 1, 5, 7), torch.ones(1, 1, 5, 7, dtype=torch.bool))
    for turn in range(100):
        new_pcs, new_ncs = subject.clicks(small, turn)
        for click in (*new_pcs[0], *new_ncs[0]):
            _sound(click, small)
        small = replace(small, pcs=[*small.pcs, new_pcs], ncs=[*small.ncs, new_ncs])


def _none(clicks: list[Click], sentence: str) -> None:
    if clicks:
        raise Broken(sentence.format(clicks[:3]))
