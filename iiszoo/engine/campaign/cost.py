"""The cost models that `--cost` names: presets, a file of times, or the sessions of real people."""

from __future__ import annotations

from pathlib import Path

from iiszoo import files
from iiszoo.engine.campaign import recorded_times
from iiszoo.engine.campaign.cost_model import TIMES, CostModel
from iiszoo.errors import BadOption

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
        return recorded_times.cost_of(Path(cost))
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
