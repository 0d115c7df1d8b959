"""Checks of the state z, and that a model changes none of its arguments."""

from __future__ import annotations

import torch

from iiszoo import protocol
from iiszoo.errors import ModelError
from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import near, same, sound
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.subject import Subject
from iiszoo.testing.values import change, difference, fresh


@check(
    "a model changes none of its arguments x, z, pcs, ncs",
    catches="x.sub_(mean); z filled in place, so that two sessions that start from one z share it; clicks appended",
    look="operations in place, and assignments to entries of z",
    after=("loads",),
)
def inputs_unchanged(subject: Subject) -> None:
    scene = scenes.session(0)
    x, z = fresh(scene.x), None
    with torch.no_grad():
        for step in range(3):
            given = {"x": x, "z": z, "pcs": fresh(scene.pcs[:step]), "ncs": fresh(scene.ncs[:step])}
            before = fresh(given)
            new = subject.model.init_z(x) if z is None else subject.model(*given.values())[1]
            for name, value in given.items():
                changed = change(before[name], value, name)
                if changed is not None:
                    raise Broken(f"{'init_z' if z is None else f'call {step}'} changed {changed}")
            z = new


@check(
    "z can be indexed by batch element: split, reordered and joined again, the session continues as before",
    catches="a counter or a module in z; an entry with the batch on another axis; a cache by position in the batch",
    look="every entry of z: a tensor with leading axis B, or a list of length B",
    after=("interleaved_sessions",),
)
def state_splits(subject: Subject) -> None:
    scene, once = scenes.all_sessions(), subject.together()
    order = [2, 0, 1]
    try:
        for z in (once.start, once.states[0]):
            protocol.check_state(z, 3, "under check")
        parts = protocol.split(fresh(once.states[0]))
        z = protocol.stack([parts[b] for b in order])
    except ModelError as error:
        raise Broken(f"{str(error).removeprefix('model under check: ')}") from error
    pcs, ncs = ([[interaction[b] for b in order] for interaction in clicks] for clicks in (scene.pcs, scene.ncs))
    y, _ = subject.call(torch.stack([scene.x[b] for b in order]), z, pcs, ncs)
    near(y, [once.outputs[1][b] for b in order], subject.tolerance, "the next output")


@check(
    'z["prev_output"] is an output of x\'s size from init_z on, and after each call the y of that call',
    catches="a state that lacks the output, or keeps logits, a crop or a binary mask in its place",
    look="what the model returns as z",
)
def prev_output_stored(subject: Subject) -> None:
    scene, once = scenes.session(0), subject.alone(0)
    sound(once.start["prev_output"], scene)
    for step, (y, z) in enumerate(zip(once.outputs, once.states, strict=True)):
        if "prev_output" not in z:
            raise Broken(f"z has no such entry after call {step + 1}")
        same(z["prev_output"], y, f"the entry after call {step + 1}")


@check(
    'a model with "mask" in its card\'s prompts gives another output if z["prev_output"] is a mask to start from',
    catches="a mask to correct that is accepted and silently ignored",
    look="the card's prompts, and whether the first call reads prev_output",
    after=("interleaved_sessions",),
)
def prev_output_used(subject: Subject) -> None:
    scene, start = scenes.session(0), subject.alone(0).start
    mask = torch.zeros(1, 1, *scenes.SIDES)
    mask[..., : scenes.SIDES[1] // 2] = 1
    changed = False
    situations: list[tuple[protocol.Clicks, protocol.Clicks]] = [
        (scene.pcs[:1], scene.ncs[:1]),
        ([[[]]], [[[(48, 100)]]]),
    ]
    for pcs, ncs in situations:  # in one of them the image alone may decide
        with_mask, _ = subject.call(scene.x, {**start, "prev_output": mask}, pcs, ncs)
        sound(with_mask, scene)
        changed = changed or difference(with_mask, subject.call(scene.x, start, pcs, ncs)[0]) > 0
    if subject.card is None:
        raise NotApplicable("a bare function declares no prompts")
    if "mask" in subject.card.prompts and not changed:
        raise Broken("a mask of half the image changed no pixel after a positive click, and none after a negative one")
