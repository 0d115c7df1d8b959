"""The table for comparing models: one row per run, published figures beside the measured ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from iiszoo import units
from iiszoo.cards import ModelCard
from iiszoo.engine.comparison import data
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.metrics import NOC_TARGETS
from iiszoo.engine.report.columns import column, initial_iou
from iiszoo.errors import IISZooError
from iiszoo.figures import Published, lookup
from iiszoo.models.merge_rule import MERGE
from iiszoo.names import parse_name
from iiszoo.registry import resolve_model

LAST_METRICS = ("iou@1", "iou@5", "init_ms_median", "model_ms_median")
"""What every table shows after NoC and NoF, unless other metrics are chosen; `report.columns.KNOWN` names all."""
BRACKETS = "in brackets: as published"
STARRED = "* the model was trained on this dataset"
MADE_UP = "clicks of ritm, where no recorded one was left"
BLIND = "the first click is on the error of the initial mask, but the model cannot read that mask"


def columns(names: Sequence[str]) -> tuple[str, ...]:
    """The titles of the columns. Raises `BadOption` for an unknown metric, naming all known ones."""
    return ("model", "dataset", "n", *(column(name).title for name in names))


def metrics_for(summaries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The metrics that fit the runs: NoC of the two highest IoUs up to the target of their evaluation protocol, NoF of
    the highest, `LAST_METRICS`; before them the IoU of the initial masks if any run had some.
    """
    goals, highest = set(), set()
    for summary in summaries:
        known = [round(100 * goal) for goal in NOC_TARGETS if goal <= summary["protocol"]["target_iou"]]
        goals.update(known[-2:])
        highest.update(known[-1:])
    counted = (*(f"noc{goal}" for goal in sorted(goals)), *(f"nof{goal}" for goal in sorted(highest)))
    initial = ("initial_iou",) if any(initial_iou(summary) for summary in summaries) else ()
    return (*initial, *counted, *LAST_METRICS)


def rows(summaries: Sequence[dict[str, Any]], names: Sequence[str] | None = None) -> list[list[str]]:
    """The cells of every run, in the order of `columns(names)`; a dash for an unknown figure. `names` None: those of
    `metrics_for`.

    `n` is the number of samples done, with the total if some are missing. A published figure stands in brackets beside
    a NoC if the run is comparable: complete, the published figure's robot, 20 clicks, the model's own threshold and
    weights. IoU, Boundary IoU and AuC are in percent; ms/click is the median time of the model.
    """
    names = metrics_for(summaries) if names is None else names
    places = dataset_names(summaries)
    return [
        _row(label, place, summary, names)
        for label, place, summary in zip(labels(summaries), places, summaries, strict=True)
    ]


def dataset_names(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """The name of every run's data; different data of the same name get different names."""
    known = data.names(summaries)
    return [known[data.data_of(summary)] for summary in summaries]


def labels(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """A label for every run, unique on its data: the model's id, if that is enough."""
    named = []
    for summary in summaries:
        rivals = [other for other in summaries if data.data_of(other) == data.data_of(summary)]
        named.append(next(name(summary) for name in _NAMINGS if _is_unique(name, summary, rivals)))
    return named


# from the shortest label of a run to one that no other run has
_NAMINGS: tuple[Callable[[dict[str, Any]], str], ...] = (
    lambda summary: str(summary["model"]),
    lambda summary: f"{summary['model']} ({summary['protocol']['name']})",
    lambda summary: f"{summary['model']} ({summary['protocol']['robot']})",
    lambda summary: f"{summary['model']} (seed {summary['protocol']['seed']})",
    lambda summary: f"{summary['model']} ({summary['protocol']['robot']}, seed {summary['protocol']['seed']})",
    lambda summary: f"{summary['model']} ({summary.get('directory', '')})",
)


def _is_unique(
    name: Callable[[dict[str, Any]], str], summary: dict[str, Any], rivals: Sequence[dict[str, Any]]
) -> bool:
    return name is _NAMINGS[-1] or Counter(map(name, rivals))[name(summary)] == 1


def notes(summaries: Sequence[dict[str, Any]], names: Sequence[str] | None = None) -> list[str]:
    """The lines under the table: what its columns mean, where times were measured, which runs are incomplete or had
    failures. `names` None: those of `metrics_for`.
    """
    names = metrics_for(summaries) if names is None else names
    meanings = [meaning for name in names if (meaning := column(name).meaning)]
    brackets = [BRACKETS] if any(_published(summary, name) for summary in summaries for name in names) else []
    lines = ["; ".join([*dict.fromkeys(meanings), *brackets])] if meanings else []
    if any(column(name).timed for name in names):
        places = sorted({_place(summary) for summary in summaries})
        lines.append(f"times: on {' or '.join(places)}")
    if any(_trained_on(summary) for summary in summaries):
        lines.append(STARRED)
    lines += sorted({_rules(summary) for summary in summaries})
    lines += data.notes(summaries)
    named = [
        (f"{label} on {place}", summary)
        for label, place, summary in zip(labels(summaries), dataset_names(summaries), summaries, strict=True)
    ]
    blind = [label for label, summary in named if _blind_to_masks(summary)]
    if blind:
        lines.append(f"{BLIND}: {', '.join(blind)}")
    replayed = [f"{label} {_made_up(summary)}" for label, summary in named if _made_up(summary)]
    if replayed:
        lines.append(f"{MADE_UP}: {', '.join(replayed)}")
    for meaning, count in (
        ("incomplete, samples left", lambda s: s["n_samples"] - _n_done(s) - len(s["skipped"])),
        ("the model failed, counted as failures", lambda s: s["n_failed"]),
        ("broken samples left out", lambda s: len(s["skipped"])),
    ):
        found = [f"{label} {count(summary)}" for label, summary in named if count(summary)]
        if found:
            lines.append(f"{meaning}: {', '.join(found)}")
    return lines


def _made_up(summary: dict[str, Any]) -> str:
    """The share of clicks that a run of recorded clicks had to make up, "" for another run."""
    known = summary["metrics"].get("unrecorded") is not None
    return "" if not known else _cell(summary, "unrecorded") + " %"


def published_beside(summary: dict[str, Any], metric: str) -> Published | None:
    """The published figure that is comparable with a run's own, or None."""
    rules = summary["protocol"]
    own = summary.get("provenance", {}).get("model", {}).get("weights", [])
    card = card_of(summary["model"])
    found = lookup(summary["model"], summary["dataset"], metric)
    comparable = (
        found is not None
        and summary["complete"]
        and not summary["skipped"]
        and rules["robot"] == found.robot
        and rules["max_clicks"] == 20
        and (card is None or rules["threshold"] == card.threshold)
        and not any(name.startswith("checkpoint ") for name in own)
    )
    return found if comparable else None


def _row(label: str, place: str, summary: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [
        label,
        place + ("*" if _trained_on(summary) else ""),
        number_done(summary),
        *(_cell(summary, name) for name in names),
    ]


def number_done(summary: dict[str, Any]) -> str:
    """The number of samples that the figures are of, with the dataset's if some are missing."""
    done, total = summary["n_done"], summary["n_samples"]
    return f"{done}" if done == total else f"{done}/{total}"


def _n_done(summary: dict[str, Any]) -> int:
    """The samples that the run has done, also those that the table leaves out (`comparison.samples`)."""
    return int(summary["n_done"]) + int(summary.get("left_out", 0))


def _cell(summary: dict[str, Any], name: str) -> str:
    wanted = column(name)
    value = wanted.value(summary)
    measured = "–" if value is None else wanted.form(value)
    published = _published(summary, name)
    return f"{measured} ({wanted.form(published.value)})" if published else measured


def _published(summary: dict[str, Any], name: str) -> Published | None:
    return published_beside(summary, name) if column(name).published else None


def _place(summary: dict[str, Any]) -> str:
    """The device and the number of threads that a run's model had."""
    environment = summary.get("provenance", {}).get("environment", {})
    threads = environment.get("threads")
    number = "" if threads is None else f", {units.number_of(threads, 'thread')}"
    return f"{environment.get('device', 'an unknown device')}{number}"


def _trained_on(summary: dict[str, Any]) -> bool:
    card = card_of(summary["model"])
    dataset = parse_name(summary["dataset"]).id
    return card is not None and dataset in card.training_datasets


def _blind_to_masks(summary: dict[str, Any]) -> bool:
    """Whether sessions start from masks that, by its card, the model cannot use, and no merge keeps them."""
    card = card_of(summary["model"])
    merged = MERGE in summary.get("provenance", {}).get("model", {}).get("options", {})
    return card is not None and "mask" not in card.prompts and not merged and initial_iou(summary) is not None


def card_of(model: str) -> ModelCard | None:
    """The card of a run's model, if it is installed."""
    try:
        return resolve_model(model)[0]
    except IISZooError:  # a bare function, or a plugin that is no longer installed
        return None


def _rules(summary: dict[str, Any]) -> str:
    rules = ResolvedProtocol.from_json(summary["protocol"])
    seed = f", seed {rules.seed}" if rules.seed else ""
    return f"evaluation protocol {rules.name} ({summary['protocol']['hash']}): {rules.sentence()}{seed}"
