"""Who replayed a run with `iiszoo results verify`, and what came of it: `replays.json` beside the run.

Nobody can tell from the file whether a replay took place: a repository's maintainers let only those in whom they know.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import iiszoo
from iiszoo.engine.results import layout
from iiszoo.engine.runs import json_values, store
from iiszoo.engine.runs.json_values import flag, list_of, text, whole
from iiszoo.engine.verify.findings import Verification
from iiszoo.errors import RunError

Tier = Literal["published", "submitted", "replayed"]
TIERS: dict[Tier, str] = {
    "published": "a paper's figure, not run here",
    "submitted": "all traces are there, and every figure follows from them",
    "replayed": "somebody ran samples again, and got the same clicks and IoUs",
}


@dataclass(frozen=True)
class Replay:
    """One replay. `samples` are the ids of those replayed, drawn by `seed`, of `n_samples`; `told` is its outcome in
    sentences; `conditions` are what differed from the run's environment; `content` says of which traces it was
    (`layout.content_of`); `date` is YYYY-MM-DD.
    """

    by: str
    date: str
    iiszoo: str
    agrees: bool
    seed: int
    samples: list[str]
    n_samples: int
    told: list[str]
    conditions: list[str]
    content: str


_CHECKED = json_values.record(
    {
        "by": text, "date": text, "iiszoo": text, "agrees": flag, "seed": whole(0, 2**63), "samples": list_of(text),
        "n_samples": whole(1, 2**31), "told": list_of(text), "conditions": list_of(text), "content": text,
    }
)  # fmt: skip
_FILE = json_values.record({"replays": list_of(_CHECKED)})


def read(run: Path) -> list[Replay]:
    """All replays of a run, the oldest first. Raises `RunError` if the file is damaged."""
    path = run / layout.REPLAYS
    values = store.read_json(path)
    try:
        return [] if values is None else [Replay(**each) for each in _FILE(values, "")["replays"]]
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it from the repository's history") from error


def record(found: Verification, n_samples: int, by: str) -> Replay:
    """Add a verification to its run's `replays.json`. Raises `RunError` if it replayed nothing."""
    if not found.replayed:
        raise RunError(f"{found.run}: no sample was replayed, so that there is no replay to record")
    told = [one.sentence for one in found.findings if one.status == "differs" or one.check == "replay"]
    replay = Replay(
        by=by,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        iiszoo=iiszoo.__version__,
        agrees=found.agrees,
        seed=found.seed,
        samples=found.replayed,
        n_samples=n_samples,
        told=told,
        conditions=found.conditions,
        content=layout.content_of(found.run),
    )
    values = [asdict(each) for each in (*read(found.run), replay)]
    store.write_json(found.run / layout.REPLAYS, {"replays": values})
    return replay


def tier_of(replays: Sequence[Replay]) -> Tier:
    """`replayed` if a replay agreed and none differed."""
    return "replayed" if replays and all(replay.agrees for replay in replays) else "submitted"
