"""Golden sessions: stored, compared, and what a test is told when they differ or are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from iiszoo.protocol import Model, as_model
from iiszoo.testing import golden

CLICKS = [(240, 200, True), (60, 60, False)]


def answering(value: float) -> Model:
    return as_model(lambda x, z, pcs, ncs: torch.full((1, 1, *x.shape[-2:]), value / len(pcs)))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IISZOO_GOLDEN", "write")
    golden.compare(answering(0.6), tmp_path / "golden.json", "one", CLICKS)
    golden.compare(answering(0.2), tmp_path / "golden.json", "other", CLICKS)
    monkeypatch.setenv("IISZOO_GOLDEN", "")
    return tmp_path / "golden.json"


def test_what_was_stored_is_compared_by_name(file: Path) -> None:
    golden.compare(answering(0.6), file, "one", CLICKS)
    golden.compare(answering(0.2), file, "other", CLICKS)
    with pytest.raises(AssertionError, match=r"other, click 1: figures differ by 1 from the golden ones"):
        golden.compare(answering(0.6), file, "other", CLICKS)


def test_figures_that_are_not_there_are_asked_for(file: Path) -> None:
    for place in (file, file.with_name("absent.json")):
        with pytest.raises(AssertionError, match=f"{place.name} has no figures of third; IISZOO_GOLDEN=write stores"):
            golden.compare(answering(0.6), place, "third", CLICKS)
