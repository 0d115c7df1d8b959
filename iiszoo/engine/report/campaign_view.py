"""A campaign on the report page: answer, charts, figures, and the images where the proposal helped and hurt most."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iiszoo import units
from iiszoo.engine.campaign.outcome import ALONE, CHOICE, ORACLE
from iiszoo.engine.campaign.plan import CONTINUAL, CROSS_FITTED, GIVEN, SCRATCH
from iiszoo.engine.campaign.results import Campaign, ModelOutcome
from iiszoo.engine.report import campaign_charts
from iiszoo.engine.report.albums import open_album, place_of_pictures
from iiszoo.engine.report.campaign_charts import Growth
from iiszoo.engine.report.pictures import Album, Sample, marks
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import IISZooError

N_SHOWN = 6
"""Images on either side."""
STYLES = {name: i for i, name in enumerate((SCRATCH, CONTINUAL, CROSS_FITTED, CHOICE, ORACLE, GIVEN, ALONE))}


@dataclass(frozen=True)
class ModelView:
    """One model of a campaign. `no_pictures` says why `helped` and `hurt` have none."""

    model: str
    answer: str
    bound: str | None
    legend: list[tuple[str, int]]
    charts: list[Growth]
    figures: list[tuple[str, dict[str, Any]]]
    savings: list[dict[str, Any]]
    helped: list[Sample]
    hurt: list[Sample]
    no_pictures: str | None


@dataclass(frozen=True)
class CampaignView:
    """A campaign on the page."""

    dataset: str
    models: list[ModelView]
    notes: list[str]
    facts: list[tuple[str, str]]


def view(campaign: Campaign, root: Path | None) -> CampaignView:
    """The view of a campaign; `root` contains its dataset, for the pictures."""
    rules = campaign.statement["protocol"]
    return CampaignView(
        campaign.statement["dataset"]["id"],
        [_model_view(each, root) for each in campaign.models],
        [
            f"robot {rules['robot']}, at most {rules['max_clicks']} clicks, until IoU {rules['target_iou']:.2f}; "
            f"{units.number_of(campaign.seeds, 'order')} of the images; intervals: 95 %, bootstrap over images and "
            "orders",
            campaign.cost.sentence(),
        ],
        _facts(campaign),
    )


def _model_view(one: ModelOutcome, root: Path | None) -> ModelView:
    found = one.results
    arms = [name for name in STYLES if name in found["arms"]]
    styles = {name: STYLES[name] for name in arms}
    begins, n = one.outcome.from_images, one.outcome.positions.shape[1]
    clicking = {name: style for name, style in styles.items() if name != ALONE}
    band = "Bands: from the lowest to the highest of the orders."
    charts = [
        campaign_charts.growth("Clicks so far.", band, "clicks", found["curves"], clicking, begins),
        campaign_charts.growth(
            "Seconds so far", "(waiting for M included).", "seconds", found["curves"], styles, begins
        ),
        campaign_charts.growth("Images at the target so far.", "", "at_target", found["curves"], styles, begins),
        campaign_charts.quality(found["segmenter"], STYLES, n, begins),
    ]
    helped, hurt = _extremes(one)
    no_pictures = None
    try:
        album = open_album(*place_of_pictures(next(iter(one.summaries.values())), root))
        helped, hurt = ([_pictured(album, sample) for sample in samples] for samples in (helped, hurt))
    except (IISZooError, OSError) as error:
        no_pictures = str(error)
    return ModelView(
        one.model, found["answer"], found["bound"], list(styles.items()), charts, list(found["arms"].items()),
        [row for row in found["savings"] if row["clicks"] is not None], helped, hurt, no_pictures,
    )  # fmt: skip


def _extremes(one: ModelOutcome) -> tuple[list[Sample], list[Sample]]:
    """The images with a proposal in which its correction needs fewest, and most, clicks compared with none; each once,
    in the order in which that is so.
    """
    scratch, continual = (one.outcome.arms[name] for name in (SCRATCH, CONTINUAL))
    gain = np.where(continual.proposed, scratch.clicks - continual.clicks, 0)
    ranked = [divmod(int(flat), gain.shape[1]) for flat in np.argsort(gain, axis=None, kind="stable")]
    return (
        _once([(s, i) for s, i in reversed(ranked) if gain[s, i] > 0], one),
        _once([(s, i) for s, i in ranked if gain[s, i] < 0], one),
    )


def _once(places: Sequence[tuple[int, int]], one: ModelOutcome) -> list[Sample]:
    chosen: dict[int, Sample] = {}
    for s, i in places:
        if i not in chosen and len(chosen) < N_SHOWN:
            trace, plain = one.traces[CONTINUAL][s][i], one.traces[SCRATCH][0][i]
            chosen[i] = Sample(trace, _caption(trace, plain, s), marks(trace))
    return list(chosen.values())


def _caption(trace: Trace, plain: Trace, seed: int) -> str:
    proposal = trace.proposal or {}
    n_clicks, without = (sum(map(len, each.clicks)) for each in (trace, plain))
    return (
        f"{units.number_of(n_clicks, 'click')}, without the proposal {without} · IoU of the proposal "
        f"{100 * trace.initial_iou:.0f} %, of M trained on {proposal.get('n_images')} · order {seed}"
    )


def _pictured(album: Album, sample: Sample) -> Sample:
    """The sample with its picture, in which the mask is the proposal."""
    proposal = (sample.trace.proposal or {}).get("mask", "")
    return replace(sample, picture=album.picture(replace(sample.trace, final_mask=proposal)))


def _facts(campaign: Campaign) -> list[tuple[str, str]]:
    statement = campaign.statement
    plan = statement["plan"]
    summaries = next((one.summaries for one in campaign.models), {})
    environment = next(iter(summaries.values()), {}).get("provenance", {}).get("environment", {})
    facts = {
        "M": ", ".join(f"{name} {value}" for name, value in plan["segmenter"].items()),
        "M starts from": campaign.start,
        "Schedule": f"{plan['schedule']}, lag {plan['lag']}, {'fine-tuned' if plan['fine_tune'] else 'retrained'}",
        "Proposals": "probabilities" if plan["probabilities"] else "masks above 0.5",
        "Split": statement["split"],
        "Images": str(statement["dataset"]["n_samples"]),
        "Left out": ", ".join(statement["left_out"]),
        "Fingerprint": statement["dataset"]["fingerprint"],
        "Progressive merge": statement["merge"] or "",
        "Device": environment.get("device", ""),
        "Command": shlex.join(environment.get("argv", [])),
        "Directory": str(campaign.directory),
    }
    computer = [
        f"{one.model}: M trained for {units.time(sum(share.values()))} an order"
        for one in campaign.models
        if (share := one.results["computer"]["training_seconds"])
    ]
    return [(name, value) for name, value in {**facts, "The computer": "; ".join(computer)}.items() if value]
