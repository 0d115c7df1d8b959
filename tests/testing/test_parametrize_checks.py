"""`parametrize_checks`: the kit in a plugin's own tests, one item a check, under a pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from iiszoo.errors import BadOption, UnknownId
from iiszoo.testing import parametrize_checks
from iiszoo.testing.check import CHECKS

TESTS = """
from broken_models import FAMILY, ragged, sound
from iiszoo.testing import parametrize_checks


@parametrize_checks(sound)
def test_sound(check):
    check()


@parametrize_checks([sound, ragged])
def test_two(check):
    check()


@parametrize_checks(FAMILY["many_clicks"], expected_failures={"many_clicks": "24 at most"})
def test_expected(check):
    check()


@parametrize_checks(sound, expected_failures={"many_clicks": "24 at most"})
def test_unexpected(check):
    check()
"""
COSTLY = {"rgb_order", "spawned_process", "dataloader_worker"}


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What came of each item of `TESTS`, but of the costly ones, and the line that says so."""
    directory = tmp_path_factory.mktemp("plugin")
    (directory / "test_mine.py").write_text(TESTS)
    quick = " and ".join(f"not {name}" for name in sorted(COSTLY))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-rA",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            "-k",
            quick,
            "test_mine.py",
        ],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]),
            "COLUMNS": "1000",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    items = re.findall(r"test_mine.py::(\S+) (PASSED|FAILED|SKIPPED|XFAIL)(.*)", done.stdout)
    assert items, done.stdout + done.stderr
    failures = dict(re.findall(r"FAILED test_mine.py::(\S+) - (.*)", done.stdout))
    return {item: (what, why + failures.get(item, "")) for item, what, why in items}


def test_each_check_is_one_item_and_a_skip_has_its_reason(came: dict[str, tuple[str, str]]) -> None:
    items = {item: what for item, (what, _) in came.items() if item.startswith("test_sound")}
    assert list(items) == [f"test_sound[sound-{name}]" for name in CHECKS if name not in COSTLY]
    assert set(items.values()) == {"PASSED", "SKIPPED"}
    what, why = came["test_sound[sound-ragged]"]
    assert what == "SKIPPED"
    assert "(the model is not declared ragged)" in why


def test_a_failure_is_the_sentence(came: dict[str, tuple[str, str]]) -> None:
    failed = {item: why for item, (what, why) in came.items() if item.startswith("test_two") and what == "FAILED"}
    assert list(failed) == ["test_two[ragged-ragged]"]
    assert "model ragged fails ragged: a model declared ragged takes a list" in failed["test_two[ragged-ragged]"]


def test_an_expected_failure_is_a_strict_xfail(came: dict[str, tuple[str, str]]) -> None:
    what, why = came["test_expected[make(Buffer)-many_clicks]"]
    assert what == "XFAIL"
    assert "24 at most" in why
    what, why = came["test_unexpected[sound-many_clicks]"]
    assert what == "FAILED"
    assert "XPASS(strict)" in why
    others = [what for item, (what, _) in came.items() if item.startswith(("test_exp", "test_unexp"))]
    assert others.count("FAILED") == others.count("XFAIL") == 1


def test_a_pattern_stands_for_all_models_that_match() -> None:
    ids = [parameter.id for parameter in parametrize_checks("classic/*").mark.args[1]]
    assert ids == [f"classic/{name}-{check}" for name in ("geocut", "grabcut", "random-walker") for check in CHECKS]
    one, *_ = parametrize_checks("smp/unet-lite0?flip=false").mark.args[1]
    assert one.id == "smp/unet-lite0?flip=false-card_complete"


def test_names_that_nothing_has_are_told() -> None:
    with pytest.raises(UnknownId, match="no model's id matches 'clasic/\\*'"):
        parametrize_checks("clasic/*")
    with pytest.raises(BadOption, match="names 'many_click', which is not a check; the checks are card_complete"):
        parametrize_checks("classic/*", expected_failures={"many_click": "24"})
    with pytest.raises(BadOption, match="gives no reason for many_clicks"):
        parametrize_checks("classic/*", expected_failures={"many_clicks": ""})
