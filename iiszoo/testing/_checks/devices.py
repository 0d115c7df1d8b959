"""Check of the device that a model runs on."""

from __future__ import annotations

import torch

from iiszoo.device import ON_CUDA
from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import near, sound
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.subject import Subject


@check(
    "on CUDA y is float32, on x's device, and close to the output on the CPU",
    catches="tensors made on the CPU; half precision left on; an output on another device than the image",
    look="where the model makes tensors, and autocast",
    after=("repeatable",),
)
def cuda_equals_cpu(subject: Subject) -> None:
    if not torch.cuda.is_available():
        raise NotApplicable("torch finds no CUDA device here")
    agrees_on(subject, "cuda")


def agrees_on(subject: Subject, device: str) -> None:
    """Raise `Broken` unless the model, loaded on `device`, gives the same outputs there as on the CPU."""
    scene = scenes.session(0)
    model = subject.origin.load(device)
    x = torch.as_tensor(scene.x).to(device)
    with torch.no_grad():
        y, _ = model(x, model.init_z(x), scene.pcs[:1], scene.ncs[:1])
    sound(y, scene)
    if y[0].device != x.device:
        raise Broken(f"x is on {x.device} and y on {y[0].device}")
    near(y, subject.alone(0).outputs[0], ON_CUDA * subject.tolerance, f"the answer on {device}")
