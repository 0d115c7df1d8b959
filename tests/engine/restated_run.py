"""A finished run that says something else of itself, consistently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iiszoo.engine.runs import store


def stated(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the run's identity, in run.json, in every line and in the summary."""
    identity = json.loads((run / "run.json").read_text())
    change(identity)
    store.write_json(run / "run.json", identity)
    own = store.run_hash(identity)
    lines = [{**json.loads(line), "run": own} for line in (run / "samples.jsonl").read_text().splitlines()]
    (run / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = json.loads((run / "summary.json").read_text())
    summary["provenance"].update(identity)
    store.write_json(run / "summary.json", summary)
