"""What a person's work costs, in seconds: plain data with sources.

a session from nothing        change + first_look + click x clicks
the correction of a proposal  change + review + click x clicks
accepting or rejecting one    change + review
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from iiszoo.errors import BadOption

_LONGEST = 3600.0


@dataclass(frozen=True)
class CostModel:
    """Means, in seconds. Raises `BadOption` for a value that is not a time.

    Attributes:
        click: deciding where to click and clicking, once the object or the error is in view.
        first_look: finding the object in an image, before the first click.
        review: looking at a proposal and deciding whether it is good enough.
        change: from one image to the next.
        source: where the times come from, and what they were measured on.
    """

    name: str
    click: float
    first_look: float
    review: float
    change: float
    source: str

    def __post_init__(self) -> None:
        for name in TIMES:
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value <= _LONGEST:  # false for NaN
                raise BadOption(f"cost model {self.name}: {name} must be a number of seconds, not {value!r:.40}")
        if not isinstance(self.source, str) or not self.source.strip():
            raise BadOption(f"cost model {self.name}: source must say where its times come from")

    def sentence(self) -> str:
        """The times, for people."""
        times = ", ".join(f"{name.replace('_', ' ')} {getattr(self, name):.3g} s" for name in TIMES)
        return f"cost model {self.name}: {times} ({self.source})"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


TIMES = tuple(field.name for field in fields(CostModel) if field.type == "float")
