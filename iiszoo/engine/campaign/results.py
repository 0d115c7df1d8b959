"""The results of a campaign, from its directory and a cost model: plain data, and the answer as one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iiszoo import units
from iiszoo.engine.campaign.arms import arm_directory
from iiszoo.engine.campaign.conduct import CAMPAIGN, FORMAT
from iiszoo.engine.campaign.cost import DEFAULT, load_cost
from iiszoo.engine.campaign.cost_model import CostModel
from iiszoo.engine.campaign.outcome import ALONE, Arm, Outcome, outcome
from iiszoo.engine.campaign.plan import CONTINUAL, CROSS_FITTED, GIVEN, SCRATCH, order
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.metrics import bootstrap
from iiszoo.engine.runs import store, summary
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHOOSE_ABOVE = 0.5


@dataclass(frozen=True, eq=False)
class ModelOutcome:
    """One model of a campaign: the traces of each arm by seed, by image; what came of it; `results` as plain data."""

    model: str
    traces: dict[str, list[list[Trace]]]
    summaries: dict[str, dict[str, Any]]
    outcome: Outcome
    results: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Campaign:
    """A finished campaign."""

    directory: Path
    statement: dict[str, Any]
    start: str
    seeds: int
    cost: CostModel
    models: list[ModelOutcome]

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "directory": str(self.directory),
            "statement": self.statement,
            "start": self.start,
            "seeds": self.seeds,
            "cost": self.cost.as_json(),
            "models": [each.results for each in self.models],
        }


def find(directories: Sequence[Path]) -> list[Path]:
    """Every campaign's directory at or below the given ones, each once."""
    return sorted({file.parent.resolve() for place in directories for file in place.rglob(CAMPAIGN)})


def read_all(directories: Sequence[Path], cost: CostModel) -> tuple[list[Campaign], list[str]]:
    """`read` of every directory, and a sentence for each that cannot be read."""
    found, faults = [], []
    for directory in directories:
        try:
            found.append(read(directory, cost))
        except RunError as error:
            faults.append(str(error))
    return found, faults


def read(directory: Path, cost: CostModel | None = None, choose_above: float = CHOOSE_ABOVE) -> Campaign:
    """The campaign in a directory. Raises `RunError` if there is none, if it is damaged, or not finished."""
    found = store.read_json(directory / CAMPAIGN)
    if found is None:
        raise RunError(f"{directory} contains no campaign (no {CAMPAIGN})")
    try:
        statement, models, seeds = found["statement"], list(found["models"]), int(found["seeds"])
        if statement["format"] != FORMAT:
            raise RunError(f"{directory} was written by another version of iiszoo (format {statement['format']!r:.40})")
        cost = load_cost(DEFAULT) if cost is None else cost
        known = [_read_model(directory, statement, model, seeds, cost, choose_above) for model in models]
        return Campaign(directory, statement, str(found["start"]), seeds, cost, known)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{directory / CAMPAIGN} is damaged ({error!r:.100}); repeat the campaign") from error


def _read_model(
    directory: Path, statement: dict[str, Any], model: str, seeds: int, cost: CostModel, choose_above: float
) -> ModelOutcome:
    plan = statement["plan"]
    arms = [SCRATCH, *([GIVEN] if plan["given"] else []), *([CROSS_FITTED] if plan["folds"] else []), CONTINUAL]
    n = statement["dataset"]["n_samples"] - len(statement["left_out"])
    traces: dict[str, list[list[Trace]]] = {}
    summaries: dict[str, dict[str, Any]] = {}
    for arm in arms:
        for seed in range(seeds if arm == CONTINUAL else 1):
            place = arm_directory(directory, model, statement["dataset"]["id"], arm, seed)
            done = [] if not store.is_there(place) else summary.read(place)[1]
            if len(done) < n:
                raise RunError(
                    f"the campaign in {directory} is not finished: {model}, {place.name}: {len(done)} of "
                    f"{units.number_of(n, 'image')}; run the same command again"
                )
            traces.setdefault(arm, []).append(done)
            summaries[place.name] = summary.read(place)[0]
    rules = EvaluationProtocol(**{key: value for key, value in statement["protocol"].items() if key != "hash"})
    found = outcome(
        traces,
        [order(n, seed) for seed in range(seeds)],
        cost,
        target_iou=rules.target_iou,
        max_clicks=rules.max_clicks,
        schedule=plan["schedule"],
        lag=plan["lag"],
        choose_above=choose_above,
    )
    return ModelOutcome(model, traces, summaries, found, results_of(model, found, traces, choose_above))


def results_of(model: str, found: Outcome, traces: dict[str, list[list[Trace]]], choose_above: float) -> dict[str, Any]:
    """One model's results, as plain data."""
    return {
        "model": model,
        "answer": answer(model, found, CONTINUAL),
        "bound": answer(model, found, CROSS_FITTED) if CROSS_FITTED in found.arms else None,
        "arms": {name: _arm_figures(arm) for name, arm in found.arms.items()},
        "savings": savings(found),
        "curves": {name: _curves(arm, found.positions) for name, arm in found.arms.items()},
        "segmenter": _segmenter(found, traces),
        "computer": _computer(traces),
        "choose_above": choose_above,
    }


def savings(found: Outcome) -> list[dict[str, Any]]:
    """What each arm saves of the scratch arm's clicks and seconds (waiting included), from the first image on and from
    each new M on.
    """
    rows = []
    scratch = found.arms[SCRATCH]
    for name, arm in found.arms.items():
        if name in (SCRATCH, ALONE):
            continue
        for begin in [0] if name in (CROSS_FITTED, GIVEN) else [0, *found.from_images]:
            counted = found.positions >= begin
            rows.append(
                {
                    "arm": name,
                    "from_image": begin + 1,
                    "clicks": _plain(bootstrap.saved(scratch.clicks, arm.clicks, counted)),
                    "seconds": _plain(bootstrap.saved(scratch.all_seconds, arm.all_seconds, counted)),
                    "seconds_without_waiting": _plain(bootstrap.saved(scratch.seconds, arm.seconds, counted)),
                }
            )
    return rows


def answer(model: str, found: Outcome, arm: str) -> str:
    """Is M helpful? One sentence, for the clicks from the first proposal on."""
    begin = found.from_images[0] if arm == CONTINUAL and found.from_images else 0
    if not found.arms[arm].proposed.any():
        return f"with {model}, the campaign ended before M was trained"
    scratch = found.arms[SCRATCH]
    interval = bootstrap.saved(scratch.clicks, found.arms[arm].clicks, found.positions >= begin)
    who = "M" if arm == CONTINUAL else f"a {arm} M"
    where = "of the clicks" if begin == 0 else f"of the clicks from image {begin + 1} on"
    if interval is None:
        return f"with {model}, no click is needed from image {begin + 1} on"
    low, high = (f"{100 * value:.0f}" for value in (interval.low, interval.high))
    if not interval.sure:
        percent = f"{100 * interval.value:.0f} % ({low} to {high})"
        return f"with {model}, it is open whether {who} saves clicks: {percent} {where}"
    if interval.value > 0:
        return f"with {model}, {who} saves {100 * interval.value:.0f} % ({low} to {high}) {where}"
    low, high = (f"{-100 * value:.0f}" for value in (interval.high, interval.low))
    more = where.replace("of the clicks", "more clicks")
    return f"with {model}, {who} costs {-100 * interval.value:.0f} % ({low} to {high}) {more}"


def _arm_figures(arm: Arm) -> dict[str, Any]:
    """Means per image over images and seeds."""
    missed = ~arm.at_target
    return {
        "clicks": float(arm.clicks.mean()),
        "seconds": float(arm.seconds.mean()),
        "wait_seconds": float(arm.wait.mean()),
        "at_target": float(arm.at_target.mean()),
        "not_reached": float(missed.sum(axis=1).mean()),
        "iou_where_not_reached": float(arm.iou[missed].mean()) if missed.any() else None,
        "iou": float(arm.iou.mean()),
    }


def _curves(arm: Arm, positions: NDArray[np.int64]) -> dict[str, Any]:
    """Sums up to each image of the order: mean, lowest and highest over seeds."""
    found = {}
    for name, values in (("clicks", arm.clicks), ("seconds", arm.all_seconds), ("at_target", arm.at_target)):
        ordered = np.take_along_axis(values.astype(np.float64), np.argsort(positions, axis=1), axis=1)
        sums = np.cumsum(ordered, axis=1)
        found[name] = {
            "mean": sums.mean(axis=0).round(3).tolist(),
            "low": sums.min(axis=0).round(3).tolist(),
            "high": sums.max(axis=0).round(3).tolist(),
        }
    return found


def _segmenter(found: Outcome, traces: dict[str, list[list[Trace]]]) -> dict[str, Any]:
    """M's quality: `proposals`, for each stretch between two trainings its first image, the number of images that M was
    trained on, its mean IoU on them and the mean IoU on the test split (None if there is none); `cross_fitted`: of all
    images.
    """
    ends = [*found.from_images[1:], found.positions.shape[1]]
    rows = []
    for begin, end in zip(found.from_images, ends, strict=True):
        inside = (found.positions >= begin) & (found.positions < end)
        known = [traces[CONTINUAL][s][i].proposal for s, i in zip(*np.nonzero(inside), strict=True)]
        there = [proposal for proposal in known if proposal is not None]
        ious = found.proposal_iou[inside]
        rows.append(
            {
                "from_image": begin + 1,
                "trained_on": _mean([each["n_images"] for each in there]),
                "iou": _mean(ious[~np.isnan(ious)].tolist()),
                "test_iou": _mean([each["test_iou"] for each in there if each.get("test_iou") is not None]),
                "empty": sum(each["empty"] for each in there) / len(there) if there else None,
            }
        )
    crossed = [trace.initial_iou for trace in traces.get(CROSS_FITTED, [[]])[0]]
    return {"proposals": rows, "cross_fitted_iou": _mean(crossed)}


def _computer(traces: dict[str, list[list[Trace]]]) -> dict[str, Any]:
    """The computer's share, in seconds: of the interactive model, by arm, and of M's predictions, for an image; of M's
    trainings, for an order (the cross-fitted ones, and the continual ones).
    """
    model = {
        arm: _mean([trace.init_seconds + sum(trace.model_seconds) for one in by_seed for trace in one])
        for arm, by_seed in traces.items()
    }
    predictions = [
        trace.proposal["predict_seconds"]
        for by_seed in traces.values()
        for one in by_seed
        for trace in one
        if trace.proposal is not None and "predict_seconds" in trace.proposal
    ]
    trainings: dict[str, float] = {}
    for arm, by_seed in traces.items():
        made = {
            trace.proposal["checkpoint"]: trace.proposal["training_seconds"]
            for one in by_seed
            for trace in one
            if trace.proposal is not None and "checkpoint" in trace.proposal
        }
        if made:
            trainings[arm] = sum(made.values()) / len(by_seed)
    return {"model_seconds": model, "predict_seconds": _mean(predictions), "training_seconds": trainings}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _plain(interval: bootstrap.Interval | None) -> dict[str, float] | None:
    return None if interval is None else asdict(interval)
