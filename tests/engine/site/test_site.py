"""`iiszoo results site`: complete, self-contained pages that show no image which may not be shown."""

from __future__ import annotations

import html.parser
import json
import re
import shutil

import pytest

from iiszoo import figures
from iiszoo.engine.results import layout
from iiszoo.engine.runs import store, summary
from iiszoo.engine.site import lines
from iiszoo.engine.site.writing import write
from iiszoo.errors import RunError, UnknownId

GEOCUT, PAINTING = "models/classic-geocut.html", "models/painting_models-Remembering-*.html"


@pytest.fixture
def site(repo, tmp_path):
    """`site(...)`: the pages of the repository, or of another one."""

    def site(place=repo, shown=(), root=None):
        return write(place, tmp_path / "site", shown, root, "Our leaderboard"), tmp_path / "site"

    return site


class Links(html.parser.HTMLParser):
    """Everything that a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src", "srcset", "data", "action")]


def test_every_run_and_every_published_figure_has_a_line(site):
    done, out = site()
    assert (done.n_runs, done.n_models, done.left_out, done.no_pictures) == (4, 2, [], [])
    values = json.loads((out / "index.json").read_text())["lines"]
    assert sum(line["tier"] == "submitted" for line in values) == 4
    rows = [row for row in figures.published() if row.metric in lines.METRICS]
    known = {(row.model, row.dataset, row.metric, row.value) for row in rows}
    told = {
        (line["model"], line["dataset"], name, value)
        for line in values
        if line["tier"] == "published"
        for name, value in line["metrics"].items()
    }
    assert told == known
    page = (out / "index.html").read_text()
    assert page.count("<tr class=") == len(values)


def test_figures_are_those_of_the_runs(site, repo):
    _, out = site()
    values = {line["run"]: line for line in json.loads((out / "index.json").read_text())["lines"] if line["run"]}
    quickest: dict[str, float] = {}
    for run in layout.runs(repo):
        stated = summary.read(run)[0]
        own = stated["times"]["model_ms_median"]
        quickest[stated["model"]] = min(own, quickest.get(stated["model"], own))
    for run in layout.runs(repo):
        stated = summary.read(run)[0]
        line = values[run.relative_to(repo).as_posix()]
        assert line["metrics"]["noc90"] == stated["metrics"]["noc90"]
        assert line["metrics"]["iou@1"] == stated["metrics"]["iou"][1]
        assert line["ms_click"] == quickest[stated["model"]]
        low, high = line["intervals"]["noc90"]
        assert low <= line["metrics"]["noc90"] <= high
        assert line["protocol"] == "3 clicks, until IoU 0.90"


def test_pages_refer_to_nothing_but_each_other(site):
    _, out = site()
    pages = list(out.rglob("*.html"))
    assert {page.with_suffix(".json").is_file() for page in pages} == {True}
    for page in pages:
        for link in Links(page.read_text()).found:
            if link.startswith(("https://", "#")):
                continue  # a homepage to click on; an image that is in the page once
            assert (page.parent / link).resolve().is_file(), link
        assert "default-src 'none'" in page.read_text()


def test_stars_follow_from_the_card_beside_the_runs(site, repo, tmp_path):
    other = shutil.copytree(repo, tmp_path / "other")
    card = json.loads((other / "classic-geocut" / "card.json").read_text())
    card["card"]["training_datasets"] = ["folder"]
    store.write_json(other / "classic-geocut" / "card.json", card)
    for place, starred in ((repo, False), (other, True)):
        _, out = site(place)
        values = json.loads((out / "index.json").read_text())["lines"]
        assert {line["starred"] for line in values if line["run"] and line["model"] == "classic/geocut"} == {starred}
        assert ("* the model was trained on" in (out / GEOCUT).read_text()) == starred


def test_no_photograph_is_on_a_page_unless_it_may_be_shown(site, photos):
    _, out = site()
    page = (out / GEOCUT).read_text()
    assert "data:image" not in page
    assert page.count('class="picture"') == 4  # masks and clicks are
    assert "The photographs are not shown" in page
    done, out = site(shown=[f"folder:{photos}"])
    assert done.no_pictures == []
    page = (out / GEOCUT).read_text()
    assert page.count("data:image/jpeg") >= 4  # some are there twice, whole and zoomed
    assert "Yellow line: target" in page


def test_photographs_that_are_not_here_are_told(site, photos):
    shutil.move(photos, photos.with_name("gone"))
    try:
        done, out = site(shown=[f"folder:{photos}"])
    finally:
        shutil.move(photos.with_name("gone"), photos)
    assert len(done.no_pictures) == 1
    assert "data:image" not in (out / GEOCUT).read_text()
    with pytest.raises(UnknownId, match="grabcat"):
        site(shown=["grabcat"])


def test_what_does_not_pass_the_check_is_left_out_and_told(site, repo, tmp_path):
    other = shutil.copytree(repo, tmp_path / "other")
    run = layout.runs(other)[0]
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(re.sub(r'"noc90": [\d.]+', '"noc90": 2.6', text))
    (layout.models(other)[1] / "card.json").unlink()
    done, out = site(other)
    assert done.n_runs == 1
    assert any("metrics.noc90 is 2.6 in the run" in told for told in done.left_out)
    assert any("card.json is missing" in told for told in done.left_out)
    assert not list(out.glob(PAINTING))
    shutil.rmtree(run.parent)
    with pytest.raises(RunError, match="has no run that could be shown"):
        site(other)


def test_names_of_runs_cannot_break_out_of_a_page(site, repo, tmp_path):
    other = shutil.copytree(repo, tmp_path / "other")
    (run, *_) = layout.runs(other)
    hostile = "</script><script>alert(1)</script>"
    values = json.loads((run / "summary.json").read_text())
    values["provenance"]["environment"]["device"] = hostile
    store.write_json(run / "summary.json", values)
    _, out = site(other)
    for page in (out / "index.html", out / GEOCUT):
        assert hostile not in page.read_text()
    assert hostile in (out / "index.json").read_text()


def test_a_replay_is_shown_with_its_name_and_a_dispute_too(site, repo, tmp_path):
    other = shutil.copytree(repo, tmp_path / "other")
    run, disputed = layout.runs(other)[:2]
    for place, agrees in ((run, True), (disputed, False)):
        replay = {
            "by": "a colleague", "date": "2026-01-02", "iiszoo": "0.1.0", "agrees": agrees, "seed": 4,
            "samples": ["p0"], "n_samples": 4, "told": ["what came of it"], "conditions": [],
            "content": layout.content_of(place),
        }  # fmt: skip
        store.write_json(place / "replays.json", {"replays": [replay]})
    _, out = site(other)
    page = (out / GEOCUT).read_text()
    assert "replayed: a colleague, 2026-01-02: 1 of 4 samples" in page
    assert "submitted: a colleague, 2026-01-02: 1 of 4 samples, DIFFERED" in page
    assert "seed 4: agrees. what came of it." in page
    values = {line["run"]: line for line in json.loads((out / "index.json").read_text())["lines"]}
    assert values[run.relative_to(other).as_posix()]["tier"] == "replayed"
    assert (lambda line: (line["tier"], line["disputed"]))(values[disputed.relative_to(other).as_posix()]) == (
        "submitted",
        True,
    )
