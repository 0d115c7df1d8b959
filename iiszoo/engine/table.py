"""The table that people compare models by: one row a run, published figures beside the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iiszoo.engine.published import lookup
from iiszoo.errors import IISZooError
from iiszoo.registry import registry

COLUMNS = ("model", "dataset", "n", "NoC@85", "NoC@90", "NoF@90", "IoU@1", "IoU@5", "ms/click")
FOOTNOTE = "NoC: mean number of clicks to reach an IoU; NoF: samples that took all clicks; (in brackets: as published)"
STARRED = "* the model was trained on this dataset"


def rows(summaries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The cells of every run, in the order of `COLUMNS`.

    `n` says how many samples are done, and of how many where some are missing. A published
    figure stands in brackets, only where the run's robot and number of clicks are the published ones. ms/click is the
    median time of the model.
    """
    return [_row(summary) for summary in summaries]


def notes(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """The lines that belong under the table: what its columns mean, which runs are incomplete or had failures."""
    lines = [FOOTNOTE]
    if any(_trained_on(summary) for summary in summaries):
        lines.append(STARRED)
    protocols = sorted({f"{_rules(summary)}" for summary in summaries})
    lines += [f"protocol {protocol}" for protocol in protocols]
    for summary in summaries:
        name = f"{summary['model']} on {summary['dataset']}"
        if not summary["complete"]:
            left = summary["n_samples"] - summary["n_done"] - len(summary["skipped"])
            lines.append(f"{name} is incomplete: {left} samples were not run")
        if summary["n_failed"]:
            lines.append(f"{name}: the model failed in {summary['n_failed']} samples, counted as failures")
        if summary["skipped"]:
            lines.append(f"{name}: {len(summary['skipped'])} broken samples were left out")
    return lines


def _row(summary: dict[str, Any]) -> list[str]:
    done, total = summary["n_done"], summary["n_samples"]
    results, iou = summary["metrics"], summary["metrics"]["iou"]
    milliseconds = summary["times"]["model_ms_median"]
    return [
        summary["model"],
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
    value = summary["metrics"][metric]
    measured = "–" if value is None else f"{value:.2f}"
    published = lookup(summary["model"], summary["dataset"], metric)
    comparable = summary["protocol"]["robot"] == "ritm" and summary["protocol"]["max_clicks"] == 20
    return f"{measured} ({published.value:.2f})" if published and comparable else measured


def _percent(iou: Sequence[float | None], k: int) -> str:
    value = iou[k] if k < len(iou) else None
    return "–" if value is None else f"{100 * value:.1f}"


def _trained_on(summary: dict[str, Any]) -> bool:
    try:
        card = registry().models.resolve(summary["model"])
    except IISZooError:  # a bare function, or a plugin that is no longer installed
        return False
    return summary["dataset"].partition(":")[0] in card.training_datasets


def _rules(summary: dict[str, Any]) -> str:
    rules = summary["protocol"]
    return (
        f"{rules['name']} ({rules['hash']}): robot {rules['robot']}, at most {rules['max_clicks']} clicks, until IoU "
        f"{rules['target_iou']:.2f}, threshold {rules['threshold']}"
    )
