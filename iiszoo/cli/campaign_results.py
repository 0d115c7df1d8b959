"""How a campaign's results are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iiszoo import units
from iiszoo.cli.output import echo, echo_wrapped, print_table

if TYPE_CHECKING:
    from iiszoo.engine.campaign.results import Campaign


def print_campaign(campaign: Campaign) -> None:
    """Print the answer for each model, and the figures behind it."""
    from iiszoo.cli.tables import wrapped

    for each in campaign.models:
        found = each.results
        echo("\n".join(wrapped(found["answer"], indent="")), bold=True)
        if found["bound"]:
            echo_wrapped(f"upper bound: {found['bound']}")
        echo("")
        print_table(_ARMS, [_arm_row(name, arm) for name, arm in found["arms"].items()])
        echo_wrapped("means of an image; waiting in seconds, IoU in %; IoU below: where the target was not reached")
        echo("")
        rows = [row for row in found["savings"] if row["clicks"] is not None]
        print_table(_SAVINGS, [_saving_row(row) for row in rows])
        if found["segmenter"]["proposals"]:
            echo("")
            print_table(_QUALITY, [_quality_row(row) for row in found["segmenter"]["proposals"]])
        echo("")
        echo_wrapped(_computer(found["computer"]))
    rules = campaign.statement["protocol"]
    echo_wrapped(
        f"robot {rules['robot']}, at most {units.number_of(rules['max_clicks'], 'click')}, target IoU "
        f"{rules['target_iou']:.2f}; {units.number_of(campaign.seeds, 'order')}; intervals: 95 %, bootstrap over images"
        f"{' and orders' if campaign.seeds > 1 else ''}"
    )
    echo_wrapped(campaign.cost.sentence())


_ARMS = ("arm", "clicks", "seconds", "waiting", "at target", "IoU", "IoU below")
_SAVINGS = ("saved by", "from image", "clicks", "seconds", "without waiting")
_QUALITY = ("M from image", "trained on", "IoU", "test IoU", "empty")


def _arm_row(name: str, arm: dict[str, Any]) -> Sequence[str]:
    """All for an image; `IoU below`: the mean IoU where the target was not reached."""
    return [
        name,
        f"{arm['clicks']:.2f}",
        f"{arm['seconds']:.1f}",
        f"{arm['wait_seconds']:.1f}",
        f"{100 * arm['at_target']:.0f} %",
        f"{100 * arm['iou']:.1f}",
        _percent(arm["iou_where_not_reached"]),
    ]


def _saving_row(row: dict[str, Any]) -> Sequence[str]:
    shares = (row["clicks"], row["seconds"], row["seconds_without_waiting"])
    return [row["arm"], str(row["from_image"]), *map(_interval, shares)]


def _quality_row(row: dict[str, Any]) -> Sequence[str]:
    trained = "–" if row["trained_on"] is None else f"{row['trained_on']:.0f}"
    return [str(row["from_image"]), trained, *(_percent(row[name]) for name in ("iou", "test_iou", "empty"))]


def _interval(interval: dict[str, float] | None) -> str:
    if interval is None:
        return "–"
    return "{:.0f} % ({:.0f} to {:.0f})".format(*(100 * interval[name] for name in ("value", "low", "high")))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _computer(share: dict[str, Any]) -> str:
    models = ", ".join(f"{arm} {units.time(seconds)}" for arm, seconds in share["model_seconds"].items())
    trained = ", ".join(f"{arm} {units.time(seconds)}" for arm, seconds in share["training_seconds"].items())
    predicted = units.time(share["predict_seconds"]) or "none"
    return (
        f"the computer: the model, for an image: {models}; M: proposals {predicted} each, training {trained or 'none'}"
    )
