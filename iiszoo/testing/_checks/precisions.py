"""Checks of the precisions that a card lists beside float32: on CUDA where torch finds it, else on the CPU."""

from __future__ import annotations

import torch

from iiszoo.models.compute import FLOAT32, PRECISION_OPTION
from iiszoo.models.runtime import RUNTIME, TORCH
from iiszoo.protocol import Model, State
from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import near, sound
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.subject import Subject, play
from iiszoo.testing.values import fresh

TIMES_TOLERANCE = {"tf32": 40, "float16": 40, "bfloat16": 200}
"""How many times a model's tolerance its probabilities may differ from those in float32.

tf32 and float16 have 10 bits of mantissa, bfloat16 has 7. In the kit's three sessions on a CPU, with the trained
weights of `smp/unet-lite0` and synthetic ones of RITM, FocalClick, SimpleClick and SAM, the largest difference was
0.011 in float16 and 0.066 in bfloat16, both of the trained ones: 11 and 66 times the usual tolerance.
"""


@check(
    "with precision=tf32, if the card lists it, the outputs are close to those in float32 (CUDA only)",
    catches="a precision on the card that the network does not stand",
    look="the card's precisions, and what of the network needs float32",
    after=("repeatable",),
)
def tf32_near_float32(subject: Subject) -> None:
    _near_float32(subject, "tf32")


@check(
    "with precision=bfloat16, if the card lists it, the outputs are close to those in float32",
    catches="small differences of great numbers, coordinates or sums of many pixels, rounded to 8 bits",
    look="the card's precisions, and what of the network needs float32",
    after=("repeatable",),
)
def bfloat16_near_float32(subject: Subject) -> None:
    _near_float32(subject, "bfloat16")


@check(
    "with precision=float16, if the card lists it, the outputs are close to those in float32",
    catches="numbers above 65504, which become infinite, or very small ones that become 0",
    look="the card's precisions, and what of the network needs float32",
    after=("repeatable",),
)
def float16_near_float32(subject: Subject) -> None:
    _near_float32(subject, "float16")


def _near_float32(subject: Subject, precision: str) -> None:
    """Raise `Broken` unless all outputs of the three sessions agree, both computed on one device; each call but the
    first gets the state that float32 has left.
    """
    if subject.card is None:
        raise NotApplicable("a bare function has no card")
    if precision not in subject.card.precisions:
        raise NotApplicable(f"its card does not list {precision}")
    usual = {PRECISION_OPTION.name: FLOAT32, RUNTIME: TORCH}
    if chosen := [name for name in usual if subject.model.options.get(name, usual[name]) != usual[name]]:
        raise NotApplicable(f"its {chosen[0]} is chosen already; leave that option out")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "tf32" and device == "cpu":
        raise NotApplicable("torch finds no CUDA device here")
    coarse = subject.origin.load(device, precision)
    exact = subject.model if device == "cpu" else subject.origin.load(device)
    allowed = TIMES_TOLERANCE[precision] * subject.tolerance
    for k in range(3):
        scene = scenes.session(k)
        if device != "cpu":
            scene = scenes.Scene(torch.as_tensor(scene.x).to(device), scene.pcs, scene.ncs)
        wanted = subject.alone(k) if device == "cpu" else play(exact, scene)
        z = _started(coarse, scene)
        for step, right in enumerate(wanted.outputs, 1):
            with torch.no_grad():
                y, _ = coarse(fresh(scene.x), fresh(z), fresh(scene.pcs[:step]), fresh(scene.ncs[:step]))
            try:
                sound(y, scene)
            except Broken as found:
                raise Broken(f"in {precision} {found}") from found
            near(y, right, allowed, f"output {step} of session {k + 1} in {precision}")
            z = wanted.states[step - 1]  # of float32: another crop, where a threshold was near, is no fault


def _started(model: Model, scene: scenes.Scene) -> State:
    with torch.no_grad():
        return model.init_z(fresh(scene.x))
