"""The kit for datasets: each check fails on exactly the dataset that breaks what it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_datasets import CARD, CARDS, FAMILY, Squares

import iiszoo
from iiszoo import plugins, registry
from iiszoo.cards import DatasetCard
from iiszoo.errors import UnknownId
from iiszoo.testing import CheckFailed, dataset_checks, parametrize_dataset_checks
from iiszoo.testing.check import DATASET_CHECKS
from iiszoo.testing.conformance import dataset_subject_of, outcome

COSTLY = {"spawned_process"}  # seconds
ELSEWHERE = {"plugin_imports_lightly", "card_json"}  # shared with models, and tested there

Shelve = Callable[[DatasetCard], None]


@pytest.fixture
def shelve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelve]:
    """Registers a card, as if a plugin had."""

    def put(card: DatasetCard) -> None:
        own = plugins.Plugin("squares", "json", "squares", "1", [card])
        monkeypatch.setattr(plugins, "installed", lambda: (own,))
        registry.registry.cache_clear()

    yield put
    registry.registry.cache_clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "squares.txt").touch()
    return tmp_path


def failures(dataset: str | Squares, names: set[str], root: Path | None = None) -> list[str]:
    subject = dataset_subject_of(dataset, root=root)
    return [name for name in DATASET_CHECKS if name in names and outcome(subject, name).status == "failed"]


def test_there_is_a_broken_dataset_for_each_check() -> None:
    assert FAMILY.keys() | CARDS.keys() | ELSEWHERE == DATASET_CHECKS.keys()


@pytest.mark.parametrize("broken", FAMILY)
def test_each_check_fails_on_its_own_broken_dataset(broken: str) -> None:
    expected = [] if broken in COSTLY else [broken]
    assert failures(FAMILY[broken](), DATASET_CHECKS.keys() - COSTLY) == expected


@pytest.mark.parametrize("broken", CARDS)
def test_each_check_of_a_card_fails_on_its_own(broken: str, shelve: Shelve, root: Path) -> None:
    shelve(CARDS[broken])
    assert failures("squares", DATASET_CHECKS.keys() - COSTLY, root) == [broken]


@pytest.mark.slow
def test_another_process_finds_what_only_this_one_has() -> None:
    assert failures(FAMILY["spawned_process"](), COSTLY) == ["spawned_process"]
    assert failures(Squares(), COSTLY) == []


def test_a_sound_dataset_passes_and_what_is_skipped_is_said(shelve: Shelve, root: Path) -> None:
    shelve(CARD)
    subject = dataset_subject_of("squares", root=root)
    came = {name: outcome(subject, name) for name in DATASET_CHECKS.keys() - COSTLY}
    assert {name: (one.status, one.message) for name, one in came.items() if one.status != "passed"} == {}
    assert outcome(dataset_subject_of(Squares()), "card_complete").message == "a loaded dataset has no card"


def test_absent_files_are_no_fault_of_the_dataset_unless_the_root_is_given(shelve: Shelve, tmp_path: Path) -> None:
    shelve(CARD)
    absent = outcome(dataset_subject_of("squares"), "loads")
    assert absent.status == "skipped"
    assert "dataset squares was not found" in absent.message
    given = outcome(dataset_subject_of("squares", root=tmp_path), "loads")
    assert given.status == "failed"
    assert "dataset squares fails loads: " in given.message


def test_without_pytest_a_failure_is_raised() -> None:
    checks = dict(dataset_checks(FAMILY["image_format"]()))
    with pytest.raises(CheckFailed, match=r"gives float64 \(20, 30, 3\); look at read_image"):
        checks["image_format"]()
    assert checks["threads"]() == "it is meaningless because image_format fails"
    with pytest.raises(UnknownId, match="no dataset is called 'dem'"):
        dataset_checks("dem")


def test_each_check_is_one_item() -> None:
    ids = [parameter.id for parameter in parametrize_dataset_checks(["dem*", Squares()]).mark.args[1]]
    assert ids == [f"{name}-{check}" for name in ("demo", "squares") for check in DATASET_CHECKS]


def test_the_embedded_dataset_has_no_fault() -> None:
    assert failures("demo", DATASET_CHECKS.keys() - COSTLY) == []


@pytest.mark.slow
@parametrize_dataset_checks("demo")
def test_the_embedded_dataset(check: Callable[[], None]) -> None:
    check()


def test_every_check_is_documented() -> None:
    page = (Path(iiszoo.__file__).parents[1] / "docs" / "conformance.md").read_text().partition("## Of a dataset")[2]
    rows = [f"| `{check.name}` | {check.promise} | {check.catches} |" for check in DATASET_CHECKS.values()]
    assert "\n".join(rows) in page
