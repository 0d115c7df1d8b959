from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.runs.summary import Result, summarise
from iiszoo.engine.runs.trace import Trace


@pytest.fixture
def run(trace: Callable[..., Trace]) -> Callable[..., Result]:
    """`run("toy/a", {0: 3, 1: 20})`: a run whose session of sample 0 reaches IoU 0.9 with click 3, of 1 never."""

    def run(
        model: str,
        clicks: dict[int, int] | Sequence[int],
        *,
        name: str = "folder:my",
        fingerprint: str = "f" * 64,
        initial: str | None = None,
        n_samples: int = 1000,
        **rules: Any,
    ) -> Result:
        wanted = clicks if isinstance(clicks, dict) else dict(enumerate(clicks))
        identity = {
            "format": 2,
            "model": {"id": model, "code": "toy 1", "options": {}, "weights": []},
            "protocol": EvaluationProtocol(**{"threshold": 0.5, **rules}).as_json(),
            "dataset": {"id": name, "n_samples": n_samples, "fingerprint": fingerprint},
            **({} if initial is None else {"initial": {"what": "own", "fingerprint": initial}}),
        }
        traces = [trace([*[0.5] * (min(n, 20) - 1), 0.5 if n >= 20 else 0.92], i) for i, n in wanted.items()]
        summary = summarise(identity, traces, {})
        return {**summary, "provenance": identity, "directory": f"runs/{model}"}, traces

    return run
