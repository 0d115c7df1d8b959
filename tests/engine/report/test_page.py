"""The report page: one file, complete, right, and safe whatever the runs are called; and `iiszoo report`."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from iiszoo.cli.report import command
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.report import charts, page, pictures
from iiszoo.engine.runs import run_name, store, summary
from iiszoo.engine.runs.dataset_check import survey
from iiszoo.engine.runs.trace import Trace, pack_mask
from iiszoo.errors import RunError
from iiszoo.loading import load_dataset

ABSENT = "folder:/nowhere"
CLICKS = [[[100, 120, 1]], [[10, 20, 0]], [[30, 40, 0], [50, 60, 1]]]


class Balance(html.parser.HTMLParser):
    """Counts elements, and notes those that are closed wrongly or never."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.counts, self.ids, self.links = [], [], {}, [], []
        self.text = ""
        self.feed(text)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"/{tag} in line {self.getpos()[0]}")

    def handle_data(self, data):
        self.text += data


def session(sample, index, iou, size, **fields):
    mask = np.zeros(size, bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    times = {"model_seconds": [0.05] * len(iou), "robot_seconds": [0.001] * len(iou)}
    return Trace(
        sample, index, list(size), 0.0, iou, CLICKS[: len(iou)], **{"final_mask": pack_mask(mask), **times, **fields}
    )


@pytest.fixture(scope="module")
def samples():
    """Ids and sizes (rows, columns) of three samples of `demo`, from three images."""
    demo = load_dataset("demo")
    first = [group[0] for group in by_image(demo)[:3]]
    return [(demo[i].id, demo[i].read_target().object.shape) for i in first]


@pytest.fixture(scope="module")
def fingerprint():
    """`fingerprint(dataset)`: the real one of `demo`, any other for data that are not there."""
    known = survey(load_dataset("demo"), 0, lambda done, total: None).fingerprint
    return lambda dataset: known if dataset == "demo" else hashlib.sha256(dataset.encode()).hexdigest()


@pytest.fixture
def make(tmp_path, samples, fingerprint):
    """`make(model, dataset, traces=None, **rules)`: write a run directory by hand; by default with three samples."""

    def make(model, dataset="demo", traces=None, n_samples=3, name=None, threshold=0.5, **rules):
        if traces is None:
            ious = [[0.5, 0.92], [0.4, 0.6, 0.7], [0.95]]
            traces = [session(id, i, iou, size) for i, ((id, size), iou) in enumerate(zip(samples, ious, strict=True))]
        directory = tmp_path / "runs" / (name or run_name.slug(model, dataset))
        identity = {
            "format": store.FORMAT,
            "model": {"id": model, "code": "iiszoo 1", "weights": ["w.pth sha256 abc"]},
            "protocol": EvaluationProtocol(threshold=threshold, **rules).as_json(),
            "dataset": {"id": dataset, "n_samples": n_samples, "fingerprint": fingerprint(dataset)},
        }
        with store.begin(directory, identity) as writer:
            for trace in traces:
                writer.append(trace)
        told = summary.summarise(identity, traces, {})
        environment = {"argv": ["iiszoo", "bench", "a b"], "device": "cpu", "libraries": {"torch": "9.9"}}
        store.write_json(directory / store.SUMMARY, {**told, "provenance": {**identity, "environment": environment}})
        return summary.read(directory)

    return make


def test_the_page_is_whole_and_needs_no_network(make):
    text = page.render([make("classic/geocut"), make("sam/vit-b", ABSENT), make("sam/vit-b")])
    parsed = Balance(text)
    assert parsed.faults == []
    assert parsed.counts.get("script", 0) == parsed.counts.get("link", 0) == parsed.counts.get("iframe", 0) == 0
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in parsed.links)
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert sum(id.startswith("run-") for id in parsed.ids) == 3
    assert not re.search(r"https?:|url\(|@import", text)


def test_it_says_what_was_measured(make, fingerprint):
    text = page.render([make("classic/geocut"), make("ritm/h18-sbd", "grabcut", threshold=0.49)])
    shown = Balance(text).text
    # NoC@90 of the three samples: 2, 20 (not reached), 1; NoC@85 the same; IoU after the first click
    for figure in ("classic/geocut", "demo", "7.67", "61.7", "grabcut", "7.67 (1.76)", "7.67 (2.04)", "RITM README"):
        assert figure in shown
    for fact in ("iiszoo bench 'a b'", "torch 9.9", fingerprint("demo"), "w.pth sha256 abc", "robot ritm"):
        assert fact in shown
    assert "classic/geocut: IoU 0.617 after 1 click" in shown
    assert "classic/geocut: 1 of 3 samples reach IoU 0.90 after 2 clicks" in shown
    assert "classic/geocut: 1 of 3 samples reach IoU 0.90 never" in shown


def test_every_click_is_drawn_with_its_number_and_sign(make):
    result = make("classic/geocut")
    traces = result[1]
    text = page.render([result])
    text = re.sub(r'<svg class="picture"[^>]*zoomed to the object.*?</svg>', "", text, flags=re.DOTALL)
    assert text.count('<g class="click ') == sum(len(clicks) for trace in traces for clicks in trace.clicks)
    assert text.count('<g class="click positive"') == 4
    assert text.count('<g class="click negative"') == 3
    assert "translate(120.5 100.5)" in text  # column, row
    assert text.count("−2</text></g>") == 2
    assert text.count("+4</text></g>") == 1
    assert text.count('<path class="mask"') == text.count('<path class="outline"') == 3


def test_a_crop_beside_the_whole_shows_a_small_object_with_the_clicks_on_it(make, samples):
    (sample, size), *_ = samples
    target = load_dataset("demo")[0].read_target().object
    trace = session(sample, 0, [0.5], size, final_mask=pack_mask(target))
    text = page.render([make("classic/geocut", traces=[trace])])
    views = re.findall(r'<svg class="picture" viewBox="(\d+) (\d+) (\d+) (\d+)"', text)
    (whole, crop) = (tuple(map(int, view)) for view in views)
    assert whole == (0, 0, size[1], size[0])
    rows, cols = np.nonzero(target)
    left, top, width, height = crop
    assert left <= cols.min()
    assert cols.max() < left + width <= size[1]
    assert width < 0.75 * size[1]
    assert top <= rows.min()
    assert rows.max() < top + height <= size[0]


def test_pictures_are_never_taken_from_other_data_of_the_same_name(make, fingerprint, monkeypatch):
    result = make("classic/geocut")
    result[0]["provenance"]["dataset"]["fingerprint"] = fingerprint("another demo")
    text = page.render([result])
    assert "is not the one of the run" in text.split("No pictures: ")[1].split("</p>")[0]
    assert "<image" not in text


def test_models_are_shown_side_by_side_where_they_differ_most(make, samples):
    ious = [[0.5, 0.6, 0.92], [0.4, 0.6, 0.95], [0.95]]
    other = [session(id, i, iou, size) for i, ((id, size), iou) in enumerate(zip(samples, ious, strict=True))]
    results = [make("classic/geocut"), make("smp/unet-lite0", traces=other)]
    text = page.render(results)
    section = text.split("Where the models differ most on demo")[1].split("<article>")[0]
    found = re.findall(r"<h4>(.*?)</h4>", section)
    assert found == [samples[1][0], samples[0][0]]  # NoC@90 20 and 3; 2 and 3; the third needs one click with both
    assert section.count('<svg class="picture"') == 4
    assert section.count("<image") == 2  # two models on one sample share its image
    shown = Balance(text).text
    assert "With so few samples, they are too narrow." in shown
    assert "not distinguishable" in shown
    assert Balance(text).faults == []


def test_names_and_messages_are_escaped(make, samples):
    (sample, size), *_ = samples
    failed = session(sample, 0, [0.5], size, error="raised <i>oh</i> & 'more'", final_mask="")
    text = page.render([make("<b>x</b>", traces=[failed]), make('"quoted"', ABSENT, traces=[failed])])
    assert "<b>x</b>" not in text
    assert "<i>" not in text
    assert Balance(text).faults == []
    shown = Balance(text).text
    assert "<b>x</b>" in shown
    assert "raised <i>oh</i> & 'more'" in shown


def test_it_says_why_pictures_are_missing(make):
    result = make("classic/geocut", ABSENT)
    text = page.render([result])
    assert "No pictures: " in text
    assert "/nowhere" in text.split("No pictures: ")[1].split("</p>")[0]
    assert "<image" not in text
    for trace in result[1]:
        assert trace.sample in text  # the worst samples are named all the same


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": (40, 30)}, "rows x columns"),
        ({"sample": "gone"}, "has no sample"),
        ({"final_mask": "AAAA"}, "is damaged"),
    ],
)
def test_a_dataset_that_has_changed_is_told(make, samples, change, reason):
    (sample, size), *_ = samples
    fields = {"sample": sample, "size": size, **change}
    text = page.render([make("classic/geocut", traces=[session(index=0, iou=[0.5], **fields)])])
    assert reason in text.split("No pictures: ")[1].split("</p>")[0]
    assert "<image" not in text


def test_twelve_runs_and_none_of_them_alike(make):
    results = [make(f"family/variant-{i}", ABSENT) for i in range(9)]
    results += [make("family/variant-0", ABSENT, name=f"again-{i}", max_clicks=30 + i) for i in range(2)]
    results += [make("family/variant-0", ABSENT, name="other", target_iou=0.85)]
    parsed = Balance(page.render(results))
    assert parsed.faults == []
    assert "again-1) on" in parsed.text  # one model three times under one protocol name: told apart by place
    labels = [series.label for series in page._series(results)]
    assert len(set(labels)) == 12


def test_a_run_without_samples_or_times(make):
    parsed = Balance(page.render([make("classic/geocut", traces=[])]))
    assert parsed.faults == []
    assert "no sample was run yet" in parsed.text


def test_a_stopped_run_has_no_summary_yet(make, tmp_path):
    make("classic/geocut")
    directory = tmp_path / "runs" / "classic-geocut--demo"
    (directory / store.SUMMARY).unlink()
    assert Balance(page.render([summary.read(directory)])).faults == []


def test_the_worst_come_first():
    def trace(sample, iou, error=None):
        return Trace(sample, 0, [8, 8], iou=iou, error=error)

    traces = [
        trace("good", [0.95]),
        trace("last click", [0.5, 0.5, 0.91]),
        trace("never", [0.5, 0.5, 0.6]),
        trace("never and worse", [0.5, 0.7, 0.2]),
        trace("failed", [], "raised"),
        trace("second", [0.5, 0.93]),
    ]
    order = [trace.sample for trace in pictures.worst(traces, 0.9, 3, 5)]
    assert order == ["failed", "never and worse", "never", "last click", "second"]


def test_captions():
    trace = Trace("s", 0, [8, 8], iou=[0.5, 0.92], clicks=[[[1, 1, 1]], [[2, 2, 0]]])
    assert pictures.caption(trace, 0.90, 20) == "NoC@90 2 · final IoU 0.920 · 2 clicks"
    assert pictures.caption(trace, 0.95, 20) == "NoC@90 2 · NoC@95 20, not reached · final IoU 0.920 · 2 clicks"


def test_images_are_made_small_and_outlines_keep_holes():
    uri = pictures.jpeg(np.full((600, 1200, 3), (200, 30, 10), np.uint8))
    image = cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 480, 3)
    np.testing.assert_allclose(image[100, 100], (10, 30, 200), atol=8)  # OpenCV: blue first
    ring = np.zeros((40, 60), bool)
    ring[5:35, 10:50] = True
    ring[15:25, 20:40] = False
    assert pictures.outline(ring).count("M") == 2
    assert pictures.outline(ring).startswith("M10.5 5.5")
    assert pictures.outline(np.zeros((4, 4), bool)) == ""


@pytest.mark.parametrize("max_clicks", [3, 7, 20, 60])
def test_charts_stay_inside_their_frame(make, max_clicks):
    told, traces = make("a/b", ABSENT, max_clicks=max_clicks)
    series = [charts.Series(f"m{i}", i, told, traces) for i in range(3)]
    curves, histogram = charts.curves(series), charts.histogram(series)
    inside = (charts.LEFT, charts.WIDTH - charts.RIGHT)
    for point in curves.lines[0].points:
        assert inside[0] <= point.x <= inside[1]
        assert charts.TOP <= point.y <= curves.height - charts.BOTTOM
    (panel,) = histogram.panels
    assert len(panel.bars) == 9
    for bar in panel.bars:
        assert inside[0] <= bar.x <= bar.x + bar.width <= inside[1]
        assert panel.top <= bar.y <= panel.base
    assert sum(bar.failed for bar in panel.bars) == 3
    assert histogram.x_ticks[-1].text == "never"
    failed = min(bar.x for bar in panel.bars if bar.failed)
    assert failed > max(bar.x + bar.width for bar in panel.bars if not bar.failed)
    many = charts.histogram([*series, *series])
    assert [panel.title for panel in many.panels] == ["m0", "m1", "m2"] * 2


def test_a_page_replaces_the_old_one_at_once(tmp_path):
    path = tmp_path / "new" / "report.html"
    page.write(path, "old")
    page.write(path, "ünïcödé")
    assert path.read_text("utf-8") == "ünïcödé"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(RunError, match="cannot be written"):
        page.write(path / "below" / "a file.html", "x")
    with pytest.raises(RunError, match="cannot be written"):
        page.write(tmp_path / "new", "a directory has this name")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "new"]


def test_report_prints_the_table_and_says_where_the_page_is(make, tmp_path):
    make("classic/geocut")
    make("sam/vit-b", ABSENT)
    target = tmp_path / "report.html"
    result = CliRunner().invoke(command, [str(tmp_path), str(tmp_path / "runs"), "--html", str(target)])
    assert result.exception is None
    head = result.stdout.split("NoC: mean")[0]
    assert head.count("classic/geocut") == 1  # given twice, shown once
    assert "7.67" in result.stdout
    assert "robot ritm, at most 20 clicks" in result.stdout
    assert f"page written to {target}" in result.stdout.replace("\n", "")
    assert Balance(target.read_text("utf-8")).faults == []


def test_report_as_json(make, tmp_path):
    told, _ = make("classic/geocut")
    result = CliRunner().invoke(command, [str(tmp_path), "--json", "--html", str(tmp_path / "report.html")])
    assert result.exception is None
    (found,) = json.loads(result.stdout)
    assert found.items() >= json.loads(json.dumps(told)).items()
    assert [(row["noc90"], row["reached"]) for row in found["samples"]] == [(2, True), (20, False), (1, True)]
    assert found["intervals"]["noc90"][0] < found["metrics"]["noc90"] < found["intervals"]["noc90"][1]
    assert found["differences"] == []
    assert "page written to" in result.stderr


def test_report_without_runs(tmp_path):
    for directory in (tmp_path, tmp_path / "absent"):
        result = CliRunner().invoke(command, [str(directory)])
        assert isinstance(result.exception, RunError)
        assert str(directory) in str(result.exception)
