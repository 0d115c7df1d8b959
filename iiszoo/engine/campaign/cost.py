"""What a person's work costs, in seconds: plain data with sources.

a session from nothing        change + first_look + click x clicks
the correction of a proposal  change + review + click x clicks
accepting or rejecting one    change + review
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from iiszoo import files
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

PRESETS = {
    preset.name: preset
    for preset in (
        CostModel(
            "seed",
            click=2.0,
            first_look=0.0,
            review=0.0,
            change=0.4,
            source=(
                "the seed of this project: a click takes 0 to 4 s, uniformly, of which this is the mean, and the next "
                "image 0.4 s; looking costs nothing. Assumed, not measured"
            ),
        ),
        CostModel(
            "bearman",
            click=0.9,
            first_look=1.5,
            review=1.5,
            change=0.0,
            source=(
                "Bearman et al., What's the Point: Semantic Segmentation with Point Supervision, ECCV 2016, arXiv "
                "1506.02106: medians of 2.4 s for the first click on a class's object in an image and 0.9 s for each "
                "further instance, quoted without the paper at hand. They are not of corrections; their difference is "
                "taken for the first look, and a review for as long as that: an assumption"
            ),
        ),
        CostModel(
            "extreme-clicking",
            click=1.75,
            first_look=0.0,
            review=1.75,
            change=0.0,
            source=(
                "Papadopoulos et al., Extreme clicking for efficient object annotation, ICCV 2017, arXiv 1708.02750: 7 "
                "s for four clicks on the outermost points of an object of known class, finding it included. They are "
                "not of corrections; a review is taken to last as long as a click: an assumption"
            ),
        ),
    )
}
DEFAULT = "seed"


def load_cost(cost: str) -> CostModel:
    """A preset; or a FILE.toml with `click`, `first_look`, `review`, `change` (seconds) and `source`; or the times of
    real people, in a `sessions.jsonl` of `iiszoo annotate`. Raises `BadOption`.
    """
    if cost in PRESETS:
        return PRESETS[cost]
    if cost.endswith(".jsonl"):
        from iiszoo.engine.campaign.recorded_times import cost_of

        return cost_of(Path(cost))
    if cost.endswith(".toml"):
        return _from_toml(Path(cost))
    raise BadOption(
        f"no cost model is called {cost!r:.80}; presets: {', '.join(PRESETS)}; or give a FILE.toml, or a "
        "sessions.jsonl of `iiszoo annotate`"
    )


def _from_toml(path: Path) -> CostModel:
    values = files.read_toml(path, "cost model")
    wanted = {*TIMES, "source"}
    for key in sorted(wanted ^ (values.keys() - {"name"})):
        what = "is missing" if key in wanted else "is unknown"
        raise BadOption(f"cost model {path}: {key!r:.60} {what}; it needs {', '.join((*TIMES, 'source'))}")
    return CostModel(**{"name": path.stem, **values})
