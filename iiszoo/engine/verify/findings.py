"""What the checks of a run find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iiszoo.engine.runs.json_values import shortened

Status = Literal["agrees", "differs", "unchecked"]


@dataclass(frozen=True)
class Finding:
    """The outcome of a check, or one of its outcomes: a sentence, and the sample and field of a trace that it is about,
    if it is about one. `unchecked`: it could not be told; the sentence says why, and the way out.
    """

    check: str
    status: Status
    text: str
    sample: str | None = None
    field: str | None = None

    @property
    def sentence(self) -> str:
        """With sample and field."""
        where = " ".join(filter(None, [f"sample {self.sample}" if self.sample is not None else "", self.field]))
        return f"{where}: {self.text}" if where else self.text


def other(stored: object, found: object) -> str:
    """How a stored value differs from what was found."""
    return f"{shortened(stored)} in the run, but {shortened(found)}"


def agreed(check: str, found: Iterable[Finding], text: str) -> list[Finding]:
    """The findings; if none of them differs, also that the check agrees, with `text`."""
    listed = list(found)
    if any(finding.status == "differs" for finding in listed):
        return listed
    return [Finding(check, "agrees", text), *listed]


@dataclass(frozen=True)
class Verification:
    """What was found about a run. `seed` drew the samples `replayed`, by id; `conditions` are what differs between the
    run's environment and this one.
    """

    run: Path
    title: str
    seed: int
    replayed: list[str]
    conditions: list[str]
    findings: list[Finding]

    @property
    def agrees(self) -> bool:
        """Whether everything that could be checked agrees."""
        return all(finding.status != "differs" for finding in self.findings)
