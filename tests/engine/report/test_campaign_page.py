"""The report page of a campaign: the answer, charts that fit, tables, and pictures of where the proposal mattered."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from iiszoo.cli.report import command
from iiszoo.engine.campaign import results
from iiszoo.engine.campaign.cost import load_cost
from iiszoo.engine.campaign.outcome import outcome
from iiszoo.engine.campaign.plan import CONTINUAL, CROSS_FITTED, SCRATCH, order
from iiszoo.engine.report import campaign_charts, campaign_view, page
from iiszoo.engine.runs.trace import Trace, pack_mask
from iiszoo.errors import RunError
from iiszoo.loading import load_dataset


def session(sample, i: int, n_clicks: int, proposed: bool) -> Trace:
    size = sample.read_target().object.shape
    mask = np.zeros(size, bool)
    mask[: size[0] // 2] = True
    facts = {"checkpoint": "m", "n_images": 3, "confidence": 0.7, "empty": False, "mask": pack_mask(mask),
             "predict_seconds": 0.1, "training_seconds": 4.0, "test_iou": 0.6}  # fmt: skip
    clicks = [[[9, 9, 1]]] * n_clicks
    return Trace(sample.id, i, list(size), 0.6 if proposed else 0.0, [0.95] * n_clicks, clicks,
                 final_mask=pack_mask(mask), proposal=facts if proposed else None)  # fmt: skip


@pytest.fixture
def made() -> results.Campaign:
    """A campaign of eight images, in two orders, as if read from a directory."""
    samples = load_dataset("demo")[:8]
    rng = np.random.default_rng(0)
    traces = {
        SCRATCH: [[session(s, i, 5, False) for i, s in enumerate(samples)]],
        CROSS_FITTED: [[session(s, i, 3, True) for i, s in enumerate(samples)]],
        CONTINUAL: [],
    }
    for seed in range(2):
        late = {order(8, seed)[k] for k in range(3, 8)}
        traces[CONTINUAL].append(
            [session(s, i, int(rng.integers(1, 9)) if i in late else 5, i in late) for i, s in enumerate(samples)]
        )
    cost = load_cost("bearman")
    found = outcome(traces, [order(8, seed) for seed in range(2)], cost, target_iou=0.9, max_clicks=20, schedule="3,6",
                    lag=0, choose_above=0.5)  # fmt: skip
    figures = results.results_of("classic/geocut", found, traces, 0.5)
    statement = {
        "dataset": {"id": "demo", "n_samples": 8, "fingerprint": "f"}, "split": "all of it", "left_out": [],
        "merge": None, "protocol": {"robot": "ritm", "max_clicks": 20, "target_iou": 0.9},
        "plan": {"segmenter": {"id": "smp:unet/x<y>"}, "schedule": "3,6", "lag": 0, "fine_tune": False,
                 "probabilities": False},
    }  # fmt: skip
    summaries = {"scratch": {"dataset": "demo", "provenance": {}}}
    one = results.ModelOutcome("classic/geocut", traces, summaries, found, figures)
    return results.Campaign(Path("runs/c"), statement, "none", 2, cost, [one])


def test_the_page_has_answer_charts_tables_and_pictures(made: results.Campaign) -> None:
    html = page.render([], campaigns=[made])
    answer = made.models[0].results["answer"]
    assert answer[1:] in html
    assert html.count('class="chart"') == 4
    assert html.count('class="band ') >= 2
    assert "What&#39;s the Point" in html
    assert "smp:unet/x&lt;y&gt;" in html
    assert html.count("<svg") == html.count("</svg>")
    assert "Where the proposal helped most" in html
    assert "data:image/jpeg;base64," in html


def test_the_images_shown_are_those_where_it_mattered_most(made: results.Campaign) -> None:
    (model,) = campaign_view.view(made, None).models
    gains = [5 - len(sample.trace.clicks) for sample in model.helped]
    losses = [len(sample.trace.clicks) - 5 for sample in model.hurt]
    assert gains == sorted(gains, reverse=True)
    assert losses == sorted(losses, reverse=True)
    assert all(gain > 0 for gain in gains + losses)
    for side in (model.helped, model.hurt):
        ids = [sample.trace.sample for sample in side]
        assert len(ids) == len(set(ids)) <= campaign_view.N_SHOWN
    assert "without the proposal 5" in model.helped[0].caption


def test_without_the_images_the_page_is_complete_but_for_the_pictures(made: results.Campaign, tmp_path: Path) -> None:
    statement = {**made.statement, "dataset": {**made.statement["dataset"], "id": "folder:/nowhere"}}
    one = made.models[0]
    gone = results.ModelOutcome(
        one.model, one.traces, {"scratch": {"dataset": "folder:/nowhere", "provenance": {}}}, one.outcome, one.results
    )
    html = page.render([], campaigns=[results.Campaign(tmp_path, statement, "none", 2, made.cost, [gone])])
    assert "No pictures: " in html
    assert html.count('class="chart"') == 4


def test_curves_lie_on_their_charts(made: results.Campaign) -> None:
    (model,) = campaign_view.view(made, None).models
    for chart in model.charts:
        for band in chart.bands:
            numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", band.path + band.area)]
            assert all(0 <= x <= 560 for x in numbers[::2])
            assert all(0 <= y <= chart.height for y in numbers[1::2])


@pytest.mark.parametrize("top", [1.0, 3, 10, 99, 484, 5021.5])
def test_axes_have_a_few_round_numbers(top: float) -> None:
    levels = campaign_charts._levels(top)
    assert levels[0] == 0
    assert 3 <= len(levels) <= 11
    assert levels[-1] <= top


def test_a_damaged_campaign_is_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/campaign.json").write_text('{"statement": {"format": 1}, "models": ["a"], "seeds": 1}')
    with pytest.raises(RunError, match=r"campaign.json is damaged"):
        results.read(tmp_path / "c")
    ran = CliRunner().invoke(command, [str(tmp_path)])
    assert "left out: " in ran.stderr
    assert isinstance(ran.exception, RunError)
