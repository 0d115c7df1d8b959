"""The kit for robots: each check fails on exactly the robot that breaks what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import broken_robots
import pytest
from broken_robots import FAMILY, Random

import iiszoo
from iiszoo import registry
from iiszoo.cards import RobotCard
from iiszoo.errors import UnknownId
from iiszoo.testing import CheckFailed, parametrize_robot_checks, robot_checks
from iiszoo.testing._checks.robot_randomness import agrees_on
from iiszoo.testing.check import ROBOT_CHECKS, Broken
from iiszoo.testing.conformance import outcome, robot_subject_of
from iiszoo.testing.robot_subject import RobotSubject

COSTLY = {"spawned_process"}  # seconds
ELSEWHERE = {"card_json", "plugin_imports_lightly", "card_complete", "loads", "cuda_equals_cpu"}
"""Shared with models, or broken by tests of their own below."""


def failures(robot: str | Random, names: set[str]) -> list[str]:
    subject = robot_subject_of(robot)
    return [name for name in ROBOT_CHECKS if name in names and outcome(subject, name).status == "failed"]


def test_there_is_a_broken_robot_for_each_check() -> None:
    assert FAMILY.keys() | ELSEWHERE == ROBOT_CHECKS.keys()


@pytest.mark.parametrize("broken", FAMILY)
def test_each_check_fails_on_its_own_broken_robot(broken: str) -> None:
    expected = [] if broken in COSTLY else [broken]
    assert failures(FAMILY[broken], ROBOT_CHECKS.keys() - COSTLY) == expected


@pytest.mark.slow
def test_another_process_finds_what_only_this_one_has() -> None:
    assert failures(FAMILY["spawned_process"], COSTLY) == ["spawned_process"]
    assert failures(broken_robots.random, COSTLY) == []


def test_a_sound_robot_passes() -> None:
    assert failures(broken_robots.random, ROBOT_CHECKS.keys() - COSTLY) == []


def test_card_and_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    card = RobotCard(id="idle", loader="broken_robots:FAMILY", summary=" ")
    shelf = registry.registry().robots
    monkeypatch.setitem(shelf._cards, "idle", card)
    assert failures("idle", {"card_complete", "loads"}) == ["card_complete", "loads"]
    monkeypatch.setitem(shelf._cards, "idle", replace(card, loader="iiszoo.clicking.robots:_fraction", summary="idle"))
    assert failures("idle", {"card_complete", "loads"}) == ["loads"]


def test_a_device_whose_tensors_have_no_numbers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnCpu(RobotSubject):
        def clicks(self, question, seed=0, **keywords):  # type: ignore[no-untyped-def]
            question = replace(question, outputs=question.outputs.flip(-1)) if self.moved else question
            self.moved = not self.moved
            return super().clicks(question, seed, **keywords)

        moved = True

    with pytest.raises(Broken, match="tensors on cpu get other clicks"):
        agrees_on(OnCpu(broken_robots.random), "cpu")
    agrees_on(RobotSubject(broken_robots.random), "cpu")


def test_without_pytest_a_failure_is_raised() -> None:
    checks = dict(robot_checks(FAMILY["polarity"]))
    with pytest.raises(CheckFailed, match=r"fails polarity: a positive click lies on the object, .*; look at how"):
        checks["polarity"]()
    with pytest.raises(UnknownId, match="no robot is called 'rit'"):
        robot_checks("rit")


@pytest.mark.parametrize("robot", ["ritm", "random-false", "noisy-ritm:sigma=0.3", "mix:ritm=0.7,random-false=0.3"])
def test_our_own_have_no_fault(robot: str) -> None:
    assert failures(robot, ROBOT_CHECKS.keys() - COSTLY) == []


@pytest.mark.slow
@parametrize_robot_checks(
    [
        "ritm",
        "random*",
        "center-largest",
        "gto99",
        "boundary",
        "noisy-ritm",
        "distance*",
        "mix:ritm=0.7,random-false=0.3",
    ]
)
def test_each_of_our_own(check: Callable[[], None]) -> None:
    check()


def test_every_check_is_documented() -> None:
    page = (Path(iiszoo.__file__).parents[1] / "docs" / "conformance.md").read_text().partition("## Of a robot")[2]
    rows = [f"| `{check.name}` | {check.promise} | {check.catches} |" for check in ROBOT_CHECKS.values()]
    assert "\n".join(rows) in page
