"""Checks of the output: that there is one, its format, and that it is repeatable."""

from __future__ import annotations

from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import same, sound
from iiszoo.testing.check import Broken, check
from iiszoo.testing.subject import Subject, broken_by

SIZES = ((1, 1), (37, 53), (17, 400), (1200, 30))


@check(
    "a model can be loaded",
    catches="a loader that fails anywhere but on its author's machine",
    look="the loader, and what it imports",
    after=(),
)
def loads(subject: Subject) -> None:
    _ = subject.model


@check(
    "y is float32 (B, 1, H, W) in [0, 1] at the image's own size",
    catches="logits; masks of bool or of 0 and 255; float64 or float16; the network's own size or stride",
    look="the end of the model, where logits become y",
    after=("loads",),
)
def output_format(subject: Subject) -> None:
    for y in subject.alone(0).outputs:
        sound(y, scenes.session(0))


@check(
    "an image of any size gets an output of that size, even of 1 x 1, 37 x 53, 17 x 400 and 1200 x 30 pixels",
    catches="sides that must divide by the stride; a crop or a resized side of no pixels; a fixed input size",
    look="padding, resizing, and the crop of a zoom",
)
def image_sizes(subject: Subject) -> None:
    for height, width in SIZES:
        scene = scenes.one_click(height, width)
        try:
            sound(subject.play(scene).outputs[0], scene)
        except Broken as found:
            raise Broken(f"on {height} x {width} pixels {found}") from found
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise broken_by(error, f"on {height} x {width} pixels ") from error


@check(
    "the same arguments give the same output",
    catches="dropout left on, unseeded noise, a predictor that remembers its last output or counts its calls",
    look="model.eval(), random numbers, and what a call leaves in the model object",
)
def repeatable(subject: Subject) -> None:
    scene = scenes.session(0)
    z = subject.start(scene.x)
    for step in range(2):
        arguments = scene.x, z, scene.pcs[: step + 1], scene.ncs[: step + 1]
        (once, z), (again, _) = subject.call(*arguments), subject.call(*arguments)
        same(again, once, f"the output of call {step + 1}, made again,")
        same(once, subject.alone(0).outputs[step], f"output {step + 1} of a session that is run again")
