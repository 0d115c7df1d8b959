"""Checks of clicks that users make and code forgets. They only require an output of the standard format."""

from __future__ import annotations

from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import all_sound, sound_for
from iiszoo.testing.check import check
from iiszoo.testing.scenes import Scene
from iiszoo.testing.subject import Subject

SIDES, MIDDLE = (64, 96), (32, 48)
N_MANY = 100


@check(
    "clicks on the borders and in the corners are answered",
    catches="a disk or patch around a click that is cut off at the border; an index one beyond the last pixel",
    look="how a click is drawn into a map, and how its neighbourhood is read",
)
def border_clicks(subject: Subject) -> None:
    height, width = SIDES
    x = scenes.one_click(height, width).x
    corners = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)]
    middles = [(0, width // 2), (height - 1, width // 2), (height // 2, 0), (height // 2, width - 1)]
    all_sound(subject, Scene(x, [[corners], [[]]], [[[]], [middles]]))


@check(
    "the same click, made twice at once and again later, is answered",
    catches="division by the distance of two clicks; labels stored per pixel that no longer match their number",
    look="code that needs clicks to differ: distances, dictionaries, triangulations",
)
def repeated_click(subject: Subject) -> None:
    scene = scenes.one_click(*SIDES)
    all_sound(subject, Scene(scene.x, [[[MIDDLE, MIDDLE]], [[MIDDLE]]], [[[]], [[]]]))


@check(
    "a positive and a negative click on one pixel, at once and one after the other, are answered",
    catches="seeds that contradict each other: a singular system, 0 / 0, an assertion",
    look="where positive and negative clicks come together",
)
def contradicting_clicks(subject: Subject) -> None:
    scene = scenes.one_click(*SIDES)
    all_sound(subject, Scene(scene.x, [[[MIDDLE]]], [[[MIDDLE]]]))
    all_sound(subject, Scene(scene.x, [[[MIDDLE]], [[]]], [[[]], [[MIDDLE]]]))


@check(
    "a call without any click is answered, before the first interaction and after an empty one",
    catches="the last click of an empty list, the maximum of nothing, an empty tensor where points are expected",
    look="the first lines that read pcs and ncs",
)
def no_clicks(subject: Subject) -> None:
    scene = scenes.one_click(*SIDES)
    sound_for(subject, scene, [], [])
    sound_for(subject, scene, [[[]]], [[[]]])


@check(
    f"{N_MANY} clicks in as many interactions are answered",
    catches="a buffer for 20 or 24 clicks; recursion or an embedding per interaction",
    look="lengths that were fixed for the 20 clicks of the papers",
)
def many_clicks(subject: Subject) -> None:
    scene = scenes.one_click(*SIDES)
    clicks = [(2 + 6 * (k // 10), 3 + 9 * (k % 10)) for k in range(N_MANY)]
    pcs = [[[click] if k % 2 == 0 else []] for k, click in enumerate(clicks)]
    ncs = [[[click] if k % 2 else []] for k, click in enumerate(clicks)]
    sound_for(subject, scene, pcs, ncs)
