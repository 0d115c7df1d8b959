"""Checks that sessions do not affect each other: in turns, in one batch, in one list."""

from __future__ import annotations

from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import near, same, sound
from iiszoo.testing.check import NotApplicable, check
from iiszoo.testing.scenes import Scene
from iiszoo.testing.subject import Subject


@check(
    "two sessions that take turns get the outputs that each gets alone",
    catches="set_image, or a list of clicks, kept in a predictor object: one session gets the other image's output",
    look="what init_z and the call keep in the model object instead of z",
    after=("repeatable",),
)
def interleaved_sessions(subject: Subject) -> None:
    pair = [scenes.session(k) for k in range(2)]
    zs = [subject.start(scene.x) for scene in pair]
    for step in range(2):
        for k, scene in enumerate(pair):
            y, zs[k] = subject.call(scene.x, zs[k], scene.pcs[: step + 1], scene.ncs[: step + 1])
            same(y, subject.alone(k).outputs[step], f"output {step + 1} of session {k + 1} of two that take turns")


@check(
    "a batch of three gets the outputs of three batches of one",
    catches="batch statistics; clicks or sizes of the first element used for all; code that allows B = 1 only",
    look="what is computed over the batch axis, and the loop over its elements",
    after=("repeatable",),
)
def batch_equals_single(subject: Subject) -> None:
    for step, y in enumerate(subject.together().outputs):
        for b in range(3):
            alone = subject.alone(b).outputs[step]
            near(y[b : b + 1], alone, subject.tolerance, f"output {step + 1} of element {b + 1} of the batch")


@check(
    "empty interactions before the clicks change nothing: with them a session joins a running batch",
    catches="len(pcs) taken for the number of clicks; pcs[0] taken for the first click",
    look="what the model derives from the number of interactions",
    after=("interleaved_sessions",),
)
def empty_interactions(subject: Subject) -> None:
    scene, once = scenes.session(0), subject.alone(0)
    y, _ = subject.call(scene.x, once.start, [[[]], [[]], *scene.pcs[:1]], [[[]], [[]], *scene.ncs[:1]])
    near(y, once.outputs[0], subject.tolerance, "the output after two empty interactions and one click")


@check(
    "a model declared ragged takes a list of images of several sizes, and gives each the output it gets alone",
    catches="ragged on the card of a model that stacks its images, or whose padding leaks into other outputs",
    look="the card's ragged, and how the images of a list are brought to one size",
    after=("repeatable",),
)
def ragged(subject: Subject) -> None:
    if not subject.model.ragged:
        raise NotApplicable("the model is not declared ragged")
    large, small = scenes.session(0), scenes.one_click(64, 96)
    scene = Scene([large.x[0], small.x[0]], [[large.pcs[0][0], small.pcs[0][0]]], [[[], []]])
    (y,) = subject.play(scene).outputs
    sound(y, scene)
    for b, alone in enumerate((subject.alone(0).outputs[0], subject.play(small).outputs[0])):
        near([y[b]], [alone[0]], subject.tolerance, f"the output for element {b + 1} of the list")
