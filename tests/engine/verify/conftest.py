from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.runs import store
from iiszoo.engine.runs.summary import summarise
from iiszoo.engine.verify.findings import Verification
from iiszoo.engine.verify.run import AtHand, verify

Line = dict[str, Any]


def lines_of(run: Path) -> list[Line]:
    return [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]


def write_lines(run: Path, lines: list[Line]) -> None:
    """Write traces as lines of the run in `run.json`, whatever run they say they belong to."""
    own = store.run_hash(store.read_json(run / "run.json") or {})
    (run / "samples.jsonl").write_text("".join(json.dumps({**line, "run": own}) + "\n" for line in lines))


def summed_up(run: Path) -> None:
    """Write the summary that follows from the traces, as a careful forger would."""
    stored = json.loads((run / "summary.json").read_text())
    identity = store.read_identity(run)
    stored.update(summarise(identity, store.read_traces(run), stored["skipped"]))
    stored["provenance"].update(identity)
    store.write_json(run / "summary.json", stored)


@pytest.fixture
def forged() -> Callable[..., None]:
    """`forged(run, change)`: change the list of its lines; the summary then follows from them."""

    def forged(run: Path, change: Callable[[list[Line]], object]) -> None:
        lines = lines_of(run)
        change(lines)
        write_lines(run, lines)
        summed_up(run)

    return forged


@pytest.fixture
def benched(photos, tmp_path) -> Callable[..., Path]:
    """`benched(model, ...)`: the directory of a run on four tiny photographs."""

    def benched(model: Any = "painting_models:Remembering", dataset: str | None = None, **how: Any) -> Path:
        dataset = photos(4, "photos") if dataset is None else dataset
        (summary,) = bench(model, dataset, out=tmp_path / "runs", **{"max_clicks": 6, **how})
        return Path(summary["directory"])

    return benched


@pytest.fixture
def checked() -> Callable[..., Verification]:
    """`checked(run, ...)`: what verifying it finds, with every sample replayed."""
    return lambda run, **at_hand: verify(run, AtHand(**{"samples": None, **at_hand}))


@pytest.fixture
def differing(checked) -> Callable[..., list[tuple[str, str | None, str | None]]]:
    """`differing(run, ...)`: (check, sample, field) of all that differs."""
    return lambda run, **at_hand: [
        (finding.check, finding.sample, finding.field)
        for finding in checked(run, **at_hand).findings
        if finding.status == "differs"
    ]


@pytest.fixture
def unchecked(checked) -> Callable[..., dict[str, str]]:
    """`unchecked(run, ...)`: why what could not be checked, by check."""
    return lambda run, **at_hand: {
        finding.check: finding.text for finding in checked(run, **at_hand).findings if finding.status == "unchecked"
    }
