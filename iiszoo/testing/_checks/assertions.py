"""Assertions on outputs that several checks share; each raises `Broken`, saying what was found."""

from __future__ import annotations

from typing import Any

from iiszoo.errors import ModelError
from iiszoo.protocol import Clicks, Outputs, check_output
from iiszoo.testing.check import Broken
from iiszoo.testing.scenes import Scene
from iiszoo.testing.subject import Subject
from iiszoo.testing.values import difference

SAME = 1e-5
"""How far two outputs of the same computation may differ: memory alignment can change the kernel."""


def sound(y: Any, scene: Scene) -> None:
    """The output has the standard format."""
    try:
        check_output(y, scene.x, "under check")
    except ModelError as error:
        raise Broken(f"it broke that: it must {str(error).partition(' must ')[2]}") from error


def all_sound(subject: Subject, scene: Scene) -> None:
    """So has every output of a session."""
    for y in subject.play(scene).outputs:
        sound(y, scene)


def sound_for(subject: Subject, scene: Scene, pcs: Clicks, ncs: Clicks) -> None:
    """So has the output for these clicks, as the first of a session."""
    y, _ = subject.call(scene.x, subject.start(scene.x), pcs, ncs)
    sound(y, scene)


def same(y: Outputs, other: Outputs, which: str) -> None:
    """The two come from the same computation."""
    near(y, other, SAME, which)


def near(y: Outputs, other: Outputs, tolerance: float, which: str) -> None:
    """The two differ by at most `tolerance`."""
    apart = difference(y, other)
    if not apart <= tolerance:
        raise Broken(f"{which} differs by {apart:.3g} ({tolerance:g} is allowed)")
