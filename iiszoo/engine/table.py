"""The table that people compare models by: one row a run, published figures beside the measured ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from iiszoo.cards import ModelCard
from iiszoo.engine.published import Published, lookup
from iiszoo.errors import IISZooError
from iiszoo.registry import registry

COLUMNS = ("model", "dataset", "n", "NoC@85", "NoC@90", "NoF@90", "IoU@1", "IoU@5", "ms/click")
FOOTNOTE = "NoC: mean number of clicks to reach an IoU; NoF: samples that took all clicks; (in brackets: as published)"
STARRED = "* the model was trained on this dataset"


def rows(summaries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The cells of every run, in the order of `COLUMNS`.

    `n` says how many samples are done, and of how many where some are missing. A published figure stands in brackets
    where the run is comparable: complete, the robot `ritm`, 20 clicks, the model's own threshold and weights. ms/click
    is the median time of the model.
    """
    return [_row(label, summary) for label, summary in zip(labels(summaries), summaries, strict=True)]


def labels(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """A name for every run that no other run on its dataset has: the model's id, where that is enough."""
    named = []
    for summary in summaries:
        rivals = [other for other in summaries if other["dataset"] == summary["dataset"]]
        named.append(next(name(summary) for name in _NAMINGS if _tells_apart(name, summary, rivals)))
    return named


# from the shortest name of a run to one that no other run has
_NAMINGS: tuple[Callable[[dict[str, Any]], str], ...] = (
    lambda summary: str(summary["model"]),
    lambda summary: f"{summary['model']} ({summary['protocol']['name']})",
    lambda summary: f"{summary['model']} ({summary.get('directory', '')})",
)


def _tells_apart(
    name: Callable[[dict[str, Any]], str], summary: dict[str, Any], rivals: Sequence[dict[str, Any]]
) -> bool:
    return name is _NAMINGS[-1] or Counter(map(name, rivals))[name(summary)] == 1


def notes(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """The lines that belong under the table: what its columns mean, which runs are incomplete or had failures."""
    lines = [FOOTNOTE]
    if any(_trained_on(summary) for summary in summaries):
        lines.append(STARRED)
    lines += sorted({_rules(summary) for summary in summaries})
    named = list(zip(labels(summaries), summaries, strict=True))
    for meaning, count in (
        ("incomplete, samples left", lambda s: s["n_samples"] - s["n_done"] - len(s["skipped"])),
        ("the model failed, counted as failures", lambda s: s["n_failed"]),
        ("broken samples left out", lambda s: len(s["skipped"])),
    ):
        found = [f"{label} on {summary['dataset']} {count(summary)}" for label, summary in named if count(summary)]
        if found:
            lines.append(f"{meaning}: {', '.join(found)}")
    return lines


def published_beside(summary: dict[str, Any], metric: str) -> Published | None:
    """The published figure that a run's own can be compared with, or None."""
    rules = summary["protocol"]
    own = summary.get("provenance", {}).get("model", {}).get("weights", [])
    card = _card(summary["model"])
    comparable = (
        summary["complete"]
        and not summary["skipped"]
        and rules["robot"] == "ritm"
        and rules["max_clicks"] == 20
        and (card is None or rules["threshold"] == card.threshold)
        and not any(name.startswith("checkpoint ") for name in own)
    )
    return lookup(summary["model"], summary["dataset"], metric) if comparable else None


def _row(label: str, summary: dict[str, Any]) -> list[str]:
    done, total = summary["n_done"], summary["n_samples"]
    results, iou = summary["metrics"], summary["metrics"]["iou"]
    milliseconds = summary["times"]["model_ms_median"]
    return [
        label,
        summary["dataset"] + ("*" if _trained_on(summary) else ""),
        f"{done}" if done == total else f"{done}/{total}",
        _noc(summary, "noc85"),
        _noc(summary, "noc90"),
        "–" if results["nof90"] is None else str(results["nof90"]),
        _percent(iou, 1),
        _percent(iou, 5),
        "–" if milliseconds is None else f"{milliseconds:.3g}",
    ]


def _noc(summary: dict[str, Any], metric: str) -> str:
    value, published = summary["metrics"][metric], published_beside(summary, metric)
    measured = "–" if value is None else f"{value:.2f}"
    return f"{measured} ({published.value:.2f})" if published else measured


def _percent(iou: Sequence[float | None], k: int) -> str:
    value = iou[k] if k < len(iou) else None
    return "–" if value is None else f"{100 * value:.1f}"


def _trained_on(summary: dict[str, Any]) -> bool:
    card = _card(summary["model"])
    return card is not None and summary["dataset"].partition(":")[0] in card.training_datasets


def _card(model: str) -> ModelCard | None:
    try:
        return registry().models.resolve(model)
    except IISZooError:  # a bare function, or a plugin that is no longer installed
        return None


def _rules(summary: dict[str, Any]) -> str:
    rules = summary["protocol"]
    return (
        f"protocol {rules['name']} ({rules['hash']}): robot {rules['robot']}, at most {rules['max_clicks']} clicks, "
        f"until IoU {rules['target_iou']:.2f}, threshold {rules['threshold']}"
    )
