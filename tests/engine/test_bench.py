"""`bench`: what is run, what is kept, and what is not run again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import painting_models
import pytest

import iiszoo
import iiszoo.data.read
from iiszoo.engine import pipeline, robots
from iiszoo.engine.bench import bench
from iiszoo.engine.bench_run import Listener, Settings
from iiszoo.engine.evaluation_protocol import load_protocol
from iiszoo.engine.executors import Job, Processes
from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, DatasetError, IISZooError, ModelError, RobotError, RunError

DISCS = "painting_models:discs"
FEW = {"max_clicks": 4, "target_iou": 0.85}


def where(summary):
    return Path(summary["directory"])


@pytest.fixture
def go(tmp_path):
    """`go(models, datasets, ...)`: bench with few clicks, all into one output directory."""

    def go(models, datasets, out="out", **how):
        return bench(models, datasets, out=tmp_path / out, **{**FEW, **how})

    return go


@pytest.fixture
def sealed(monkeypatch):
    """`sealed()`: from now on no model can be loaded and no picture read."""

    def forbidden(*arguments, **options):
        raise AssertionError(f"loaded {arguments}")

    def sealed():
        monkeypatch.setattr(Job, "load_model", forbidden)
        monkeypatch.setattr("iiszoo.data.read.read_image", forbidden)
        monkeypatch.setattr("iiszoo.data.read.read_mask", forbidden)
        monkeypatch.setattr(pipeline, "run", forbidden)

    return sealed


class Counting(Listener):
    def __init__(self):
        self.told = []

    def started(self, run, done, total):
        self.told.append(("started", run.name, run.dataset, len(done), total))

    def ended_sample(self, run, trace):
        self.told.append(("sample", trace.sample))

    def ended(self, run, summary):
        self.told.append(("ended", run.name, run.dataset, summary["complete"]))


# what comes out


def test_every_model_on_every_dataset_models_first(go, photos):
    one, two = photos(2, "one"), photos(3, "two")
    summaries = go([DISCS, "painting_models:nothing"], [one, two])
    assert [(s["model"], s["dataset"], s["n_done"], s["complete"]) for s in summaries] == [
        (DISCS, one, 2, True),
        (DISCS, two, 3, True),
        ("painting_models:nothing", one, 2, True),
        ("painting_models:nothing", two, 3, True),
    ]
    assert len({s["directory"] for s in summaries}) == 4
    assert summaries[0]["metrics"]["iou"][1] > summaries[2]["metrics"]["iou"][1] == 0


def test_one_line_a_sample_and_a_summary_with_its_provenance(go, photos):
    (summary,) = go(DISCS, photos(3, objects=2))
    lines = [json.loads(line) for line in (where(summary) / "samples.jsonl").read_text().splitlines()]
    assert [line["sample"] for line in lines] == ["p0__0", "p0__1", "p1__0", "p1__1", "p2__0", "p2__1"]
    assert all(1 <= len(line["iou"]) == len(line["clicks"]) <= 4 for line in lines)
    stored = json.loads((where(summary) / "summary.json").read_text())
    assert {**stored, "directory": summary["directory"]} == summary
    provenance = summary["provenance"]
    assert provenance["dataset"]["n_samples"] == 6
    assert len(provenance["dataset"]["fingerprint"]) == 64
    assert provenance["model"]["code"].startswith("sha256 ")
    assert provenance["protocol"]["hash"]
    environment = provenance["environment"]
    assert environment["libraries"]["torch"]
    assert f"iiszoo {iiszoo.__version__}" in environment["plugins"].values()
    assert {"argv", "device", "machine"} <= set(environment)
    assert "invocations" in summary["times"]


def test_progress_is_told(go, photos):
    listener = Counting()
    folder = photos(2)
    go(DISCS, folder, listener=listener)
    assert listener.told == [
        ("started", DISCS, folder, 0, 2),
        ("sample", "p0"),
        ("sample", "p1"),
        ("ended", DISCS, folder, True),
    ]


def test_a_callable_is_a_model_too(go, photos):
    folder = photos(2)
    (by_name,) = go(DISCS, folder, out="a")
    (itself,) = go(painting_models.discs, folder, out="b")
    assert itself["model"] == "painting_models:discs"
    assert itself["metrics"] == by_name["metrics"]


def test_without_out_the_place_is_named_after_the_protocol(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (summary,) = bench(DISCS, photos(1), **FEW)
    assert where(summary).parent == Path("runs") / f"standard-{load_protocol('standard', **FEW).hash}"


def test_the_models_own_threshold_is_used_and_written_down(go, photos):
    (summary,) = go("painting_models:discs", photos(1))
    assert summary["protocol"]["threshold"] == 0.5
    (summary,) = go("painting_models:discs", photos(1), protocol="ritm", out="ritm")
    assert summary["protocol"]["threshold"] == 0.49


# batch, workers, shards


@pytest.mark.parametrize("model", ["Remembering", "RaggedRemembering"])
def test_batch_size_and_shards_change_no_result(go, photos, results, lasting, model):
    folder = photos(5, sizes=[(40, 56), (33, 47)], objects=2)
    model = f"painting_models:{model}"
    (whole,) = go(model, folder, out="whole")
    for batch_size in (2, 5):
        (batched,) = go(model, folder, out=f"batch{batch_size}", batch_size=batch_size)
        assert results(where(batched)) == results(where(whole))
        assert lasting(batched) == lasting(whole)
    (half,) = go(model, folder, out="shards", shard=(1, 2))
    assert (half["n_done"], half["complete"]) == (6, False)
    (joined,) = go(model, folder, out="shards", shard=(2, 2), batch_size=3)
    assert results(where(joined)) == results(where(whole))
    assert lasting(joined) == lasting(whole)
    assert joined["complete"]


def test_workers_change_no_result(go, photos, results, lasting):
    folder = photos(5, sizes=[(40, 56), (33, 47)], objects=2)
    (alone,) = go("painting_models:Remembering", folder, out="alone")
    listener = Counting()
    (spread,) = go("painting_models:Remembering", folder, out="spread", n_workers=2, batch_size=2, listener=listener)
    assert results(where(spread)) == results(where(alone))
    assert lasting(spread) == lasting(alone)
    assert sum(kind == "sample" for kind, *_ in listener.told) == 10


def test_a_model_that_cannot_be_sent_to_workers_is_refused_in_one_sentence(go, photos, tmp_path):
    with pytest.raises(BadOption, match=r"cannot be sent to workers .*'module:function'"):
        go(lambda x, z, pcs, ncs: painting_models.discs(x, z, pcs, ncs), photos(2), n_workers=2)


# going on


def test_a_finished_run_is_not_run_again_and_loads_neither_model_nor_data(go, photos, sealed, lasting):
    folder = photos(3)
    (first,) = go(DISCS, folder)
    lines = (where(first) / "samples.jsonl").read_bytes()
    sealed()
    listener = Counting()
    (again,) = go(DISCS, folder, listener=listener)
    assert lasting(again) == lasting(first)
    assert again["times"] == first["times"]
    assert (where(first) / "samples.jsonl").read_bytes() == lines
    assert listener.told == [("ended", DISCS, folder, True)]


def test_a_finished_run_whose_data_is_gone_still_answers(go, photos, tmp_path, lasting):
    (first,) = go(DISCS, photos(2))
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    (again,) = go(DISCS, f"folder:{tmp_path / 'photos'}")
    assert lasting(again) == lasting(first)


def test_only_what_is_missing_is_run(go, photos, lasting):
    folder = photos(4)
    (some,) = go(DISCS, folder, limit=2)
    assert (some["n_done"], some["complete"]) == (2, False)
    listener = Counting()
    (rest,) = go(DISCS, folder, listener=listener)
    assert listener.told[:3] == [("started", DISCS, folder, 2, 4), ("sample", "p2"), ("sample", "p3")]
    (whole,) = go(DISCS, folder, out="whole")
    assert lasting(rest) == lasting(whole)


def test_a_torn_line_is_run_again(go, photos, lasting):
    folder = photos(3)
    (whole,) = go(DISCS, folder)
    path = where(whole) / "samples.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    listener = Counting()
    (again,) = go(DISCS, folder, listener=listener)
    assert [told for told in listener.told if told[0] == "sample"] == [("sample", "p2")]
    assert lasting(again) == lasting(whole)


def test_overwriting_starts_anew(go, photos):
    folder = photos(3)
    (first,) = go(DISCS, folder)
    (where(first) / "notes.txt").write_text("mine")
    listener = Counting()
    go(DISCS, folder, overwrite=True, listener=listener)
    assert sum(kind == "sample" for kind, *_ in listener.told) == 3
    assert (where(first) / "notes.txt").read_text() == "mine"


def test_overwriting_takes_a_directory_of_another_protocol(go, photos):
    folder = photos(2)
    go(DISCS, folder)
    (other,) = go(DISCS, folder, max_clicks=3, overwrite=True)
    assert other["protocol"]["max_clicks"] == 3
    assert max(len(trace.iou) for trace in store.read_traces(where(other))) <= 3


def test_an_interrupted_run_keeps_what_was_done_and_its_summary_says_so(go, photos):
    class Stopping(Listener):
        def ended_sample(self, run, trace):
            if trace.sample == "p1":
                raise KeyboardInterrupt

    folder = photos(4)
    with pytest.raises(KeyboardInterrupt):
        go(DISCS, folder, listener=Stopping())
    (stored,) = (Path(folder[7:]).parent / "out").rglob("summary.json")
    stored = json.loads(stored.read_text())
    assert (stored["n_done"], stored["complete"]) == (2, False)


def test_a_damaged_summary_costs_nothing_for_it_is_only_a_copy(go, photos, lasting):
    folder = photos(2)
    (first,) = go(DISCS, folder)
    (where(first) / "summary.json").write_text("")
    (again,) = go(DISCS, folder)
    assert again["metrics"] == first["metrics"]


def test_a_lost_summary_costs_nothing(go, photos):
    folder = photos(2)
    (first,) = go(DISCS, folder)
    (where(first) / "summary.json").unlink()
    (again,) = go(DISCS, folder)
    assert again["metrics"] == first["metrics"]
    assert again["provenance"]["dataset"] == first["provenance"]["dataset"]


# another run's directory


def test_a_directory_of_another_protocol_is_refused_and_left_alone(go, photos):
    folder = photos(2)
    (first,) = go(DISCS, folder)
    before = {path.name: path.read_bytes() for path in where(first).iterdir()}
    with pytest.raises(RunError, match=r"protocol\.max_clicks: 4 there, 5 now.*--out.*--overwrite"):
        go(DISCS, folder, max_clicks=5)
    assert {path.name: path.read_bytes() for path in where(first).iterdir()} == before


def test_a_changed_model_is_refused(go, photos, tmp_path, monkeypatch):
    module = tmp_path / "changing_model.py"
    module.write_text("from painting_models import discs as model\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = photos(2)
    go("changing_model:model", folder)
    module.write_text("from painting_models import nothing as model\n")
    with pytest.raises(RunError, match=r"model\.code: \"sha256 \w+\" there, \"sha256 \w+\" now"):
        go("changing_model:model", folder)


def test_a_changed_mask_is_refused_while_the_run_goes_on(go, photos, tmp_path):
    folder = photos(3)
    (first,) = go(DISCS, folder, limit=1)
    lines = (where(first) / "samples.jsonl").read_bytes()
    mask = tmp_path / "photos" / "masks" / "p2.png"
    pixels = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(mask), np.roll(pixels, 1, axis=1))
    with pytest.raises(RunError, match=r"dataset\.fingerprint: \"\w{64}\" there, \"\w{64}\" now"):
        go(DISCS, folder)
    assert (where(first) / "samples.jsonl").read_bytes() == lines


def test_a_mask_saved_anew_without_a_change_is_the_same_data(go, photos, tmp_path):
    folder = photos(2)
    go(DISCS, folder, limit=1)
    mask = tmp_path / "photos" / "masks" / "p1.png"
    pixels = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(mask), pixels // 255, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    (summary,) = go(DISCS, folder)
    assert summary["complete"]


def test_added_samples_are_refused(go, photos, tmp_path):
    go(DISCS, photos(2), limit=1)
    with pytest.raises(RunError, match=r"dataset\.n_samples: 2 there, 3 now"):
        go(DISCS, photos(3))


def test_two_models_that_go_by_one_name_are_not_mixed(go, photos):
    """Two objects of one class answer differently, but nothing tells them apart in a run directory."""

    class Constant:
        def __init__(self, value):
            self.value = value

        def __call__(self, x, z, pcs, ncs):
            return x.new_full((len(x), 1, *x.shape[-2:]), self.value)

    try:
        none, everything = go([Constant(0.0), Constant(1.0)], photos(2))
    except IISZooError:
        return  # refusing is as good
    assert none["metrics"]["iou"][1] == 0
    assert everything["metrics"]["iou"][1] > 0


def test_two_datasets_whose_directories_have_one_name_are_not_mixed(go, photos):
    one = photos(2, "data/set")
    two = photos(3, "data-set", seed=1)
    (right,) = go(DISCS, two, out="alone")
    summaries = go(DISCS, [one, two])
    assert summaries[1]["metrics"] == right["metrics"]
    assert where(summaries[0]) != where(summaries[1])


# nothing is written or lost before all is found usable


def everything(directory):
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


UNUSABLE = {
    "unknown model": {"models": "classic/geocat"},
    "unknown dataset": {"datasets": "demi"},
    "unknown robot": {"robot": "rtim"},
    "no such module": {"models": "no_such_module:model"},
    "no such function": {"models": "painting_models:no_such_function"},
    "a second model that is unusable": {"models": [DISCS, "painting_models:no_such_function"]},
    "module that cannot be imported": {"models": "broken_module:model"},
    "not callable": {"models": "painting_models:not_callable"},
    "checkpoint for a bare function": {"checkpoint": __file__},
    "checkpoint for two models": {"models": [DISCS, "classic/geocut"], "checkpoint": __file__},
    "absent checkpoint": {"models": "classic/geocut", "checkpoint": "absent.pth"},
    "checkpoint for a model without weights": {"models": "classic/geocut", "checkpoint": __file__},
    "unknown option": {"models": "classic/geocut", "options": {"no_such_option": 1}},
    "option for a bare function": {"options": {"radius": 1}},
    "object that cannot be sent to workers": {"models": lambda x, z, pcs, ncs: None, "n_workers": 2},
    "device that is absent": {"device": "mps"},
    "device that nobody knows": {"device": "abacus"},
}


@pytest.mark.parametrize("overwrite", [False, True], ids=["resume", "overwrite"])
@pytest.mark.parametrize("case", UNUSABLE)
def test_nothing_is_written_where_something_is_unusable(go, photos, tmp_path, monkeypatch, case, overwrite):
    (tmp_path / "broken_module.py").write_text("raise NameError('a slip of the pen')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(IISZooError) as raised:
        go(**{"models": DISCS, "datasets": photos(2), "overwrite": overwrite, **UNUSABLE[case]})
    assert "\n" not in str(raised.value)
    assert everything(tmp_path / "out") == {}


@pytest.mark.parametrize(
    "case", ["checkpoint for a bare function", "option for a bare function", "device that is absent"]
)
def test_overwriting_with_something_unusable_loses_nothing(go, photos, tmp_path, case):
    folder = photos(2)
    go(DISCS, folder)
    before = everything(tmp_path / "out")
    with pytest.raises(IISZooError):
        go(DISCS, folder, overwrite=True, **UNUSABLE[case])
    assert everything(tmp_path / "out") == before


@pytest.mark.parametrize("now", ["model = 3", "raise NameError('a slip of the pen')", "import no_such_module", "a b"])
def test_overwriting_with_a_model_that_no_longer_loads_loses_nothing(go, photos, tmp_path, monkeypatch, now):
    """What somebody meets who edits his model while a result of it lies there."""
    module = tmp_path / "edited_model.py"
    module.write_text("from painting_models import discs as model")
    monkeypatch.syspath_prepend(tmp_path)
    folder = photos(2)
    go("edited_model:model", folder)
    before = everything(tmp_path / "out")
    monkeypatch.delitem(sys.modules, "edited_model")
    module.write_text(f"{now}  # of another length\n")
    with pytest.raises(IISZooError, match="edited_model"):
        go("edited_model:model", folder, overwrite=True)
    assert everything(tmp_path / "out") == before


def test_overwriting_with_broken_data_loses_nothing(go, photos, tmp_path):
    folder = photos(3)
    go(DISCS, folder)
    before = everything(tmp_path / "out")
    (tmp_path / "photos" / "masks" / "p1.png").write_bytes(b"torn")
    with pytest.raises(DatasetError, match=r"p1\.png"):
        go(DISCS, folder, overwrite=True)
    assert everything(tmp_path / "out") == before


def test_overwriting_a_model_that_does_not_answer_loses_nothing_of_another(go, photos, tmp_path):
    folder = photos(2, marked=[0])
    go(DISCS, folder)
    before = everything(tmp_path / "out")
    with pytest.raises(ModelError):
        go("painting_models:raising", folder, overwrite=True)
    kept = everything(tmp_path / "out")
    assert {path: kept.get(path) for path in before} == before


@pytest.mark.parametrize(("make", "name"), [(Settings, "batch_size"), (Settings, "limit"), (Processes, "n_workers")])
def test_counts_must_be_at_least_one(make, name):
    with pytest.raises(BadOption, match="must be at least 1, not 0"):
        make(**{name: 0})


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_must_be_one_of_them(shard):
    with pytest.raises(BadOption, match=f"shard {shard[0]}/{shard[1]} must be i/n"):
        Settings(shard=shard)


# broken samples


def test_broken_samples_are_left_out_and_counted(go, photos, tmp_path):
    folder = photos(4)
    (tmp_path / "photos" / "masks" / "p1.png").write_bytes(b"torn")
    (summary,) = go(DISCS, folder, skip_broken=True)
    assert (summary["n_samples"], summary["n_done"], summary["complete"]) == (4, 3, True)
    assert list(summary["skipped"]) == ["p1"]
    assert "p1.png" in summary["skipped"]["p1"]


def test_a_run_that_left_samples_out_is_finished_too(go, photos, tmp_path, sealed, lasting):
    folder = photos(3)
    (tmp_path / "photos" / "masks" / "p1.png").write_bytes(b"torn")
    (first,) = go(DISCS, folder, skip_broken=True)
    sealed()
    (again,) = go(DISCS, folder, skip_broken=True)
    assert lasting(again) == lasting(first)


@pytest.fixture
def undecodable(monkeypatch):
    """`undecodable(name)`: a decoder that cannot read the image `name`, though its bytes are what they were."""
    read_image = iiszoo.data.read.read_image

    def undecodable(name):
        def read(path):
            if path.name == name:
                raise DatasetError(f"{path}: cannot be decoded as an image")
            return read_image(path)

        monkeypatch.setattr("iiszoo.data.read.read_image", read)

    return undecodable


def test_a_broken_sample_that_can_be_read_again_is_run_when_nobody_asks_to_skip(go, photos, undecodable):
    folder = photos(3)
    undecodable("p1.png")
    go(DISCS, folder, skip_broken=True)
    undecodable("")
    (summary,) = go(DISCS, folder)
    assert (summary["n_done"], summary["skipped"], summary["complete"]) == (3, {}, True)


def test_a_sample_that_broke_after_it_was_run_is_not_counted_twice(go, photos, undecodable):
    folder = photos(3)
    go(DISCS, folder, limit=2)
    undecodable("p0.png")
    (summary,) = go(DISCS, folder, skip_broken=True)
    assert (summary["n_done"], summary["skipped"], summary["complete"]) == (3, {}, True)


def test_an_image_that_was_mended_is_another_dataset(go, photos, tmp_path):
    folder = photos(3)
    image = tmp_path / "photos" / "images" / "p1.png"
    content = image.read_bytes()
    image.write_bytes(b"torn")
    go(DISCS, folder, skip_broken=True)
    image.write_bytes(content)
    with pytest.raises(RunError, match=r"contains another run \(dataset\.fingerprint: "):
        go(DISCS, folder)


# models that fail


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("wrong_shape", r"must answer with shape \(1, 40, 56\), not \(1, 40, 55\)"),
        ("too_few_answers", r"must return (1|2|3) outputs in y"),
        ("not_a_number", r"probabilities in \[0, 1\], not with NaN"),
        ("above_one", r"probabilities in \[0, 1\], not with values in \[0\.5, "),
        ("below_zero", r"probabilities in \[0, 1\], not with values in \[-0\.5, "),
        ("double_precision", r"float32, not torch\.float64"),
        ("numpy_answer", r"^(?!.* raised ).*must return a torch tensor as y, not a numpy array \(1, 1, \d+, \d+\)"),
        ("no_answer", r"^(?!.* raised ).*must return a torch tensor as y, not None"),
        ("three_answers", r"\(y, z\) with z a dict, not a tuple of 3"),
        ("raising", r"raised RuntimeError: red is not for me"),
        ("raising_while_z_grows", r"raised RuntimeError: red is not for me"),
        ("RaisingInit", r"raised RuntimeError: red is not for me \(.*painting_models.py:\d+, in init_z; in init_z"),
        ("SmallPrevOutput", r"prev_output"),
        ("state_of_no_element", r"z"),
        ("state_of_too_many", r"z"),
    ],
)
def test_a_model_that_fails_is_named_with_the_sample(go, photos, model, fault, batch_size):
    folder = photos(4, marked=[2])
    with pytest.raises(ModelError, match=fault) as raised:
        go(f"painting_models:{model}", folder, batch_size=batch_size)
    message = str(raised.value)
    assert f"model painting_models:{model}" in message
    assert "'p2'" in message


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        "not_a_number", "above_one", "below_zero", "too_few_answers", "numpy_answer", "no_answer", "three_answers",
        "raising", "raising_later", "raising_while_z_grows", "RaisingInit", "SmallPrevOutput", "state_of_no_element",
        "state_of_too_many", "ragged_wrong_size", "wrong_shape", "double_precision",
    ],
)  # fmt: skip
def test_a_failing_sample_is_marked_alone_and_the_run_goes_on(go, photos, results, model, batch_size):
    folder = photos(5, marked=[2])
    (summary,) = go(f"painting_models:{model}", folder, batch_size=batch_size, keep_going=True)
    assert (summary["n_done"], summary["n_failed"], summary["complete"]) == (5, 1, True)
    found = results(where(summary))
    assert [trace["sample"] for trace in found if trace["error"]] == ["p2"]
    assert f"painting_models:{model}" in found[2]["error"]
    assert "'p2'" in found[2]["error"]
    sound = "growing_z" if model == "raising_while_z_grows" else "discs"
    (reference,) = go(f"painting_models:{sound}", folder, out="reference")
    for trace, right in zip(found, results(where(reference)), strict=True):
        assert trace["error"] or trace == right


def test_failures_count_as_failures_in_the_summary(go, photos):
    folder = photos(2, marked=[0])
    (failed,) = go("painting_models:raising", folder, keep_going=True, target_iou=0.95)
    assert failed["metrics"]["nof90"] >= 1
    assert failed["metrics"]["nof90_strict"] >= 1
    (sound,) = go(DISCS, folder, target_iou=0.95)
    for k in range(1, 5):
        assert failed["metrics"]["iou"][k] < sound["metrics"]["iou"][k]


def test_all_samples_before_a_failure_are_kept(go, photos, tmp_path):
    folder = photos(5, marked=[4])
    with pytest.raises(ModelError):
        go("painting_models:raising", folder)
    (run,) = store.find_runs(tmp_path / "out")
    kept = [trace.sample for trace in store.read_traces(run)]
    assert set(kept) >= {"p0", "p1", "p2"}
    assert "p4" not in kept


def test_a_model_that_fails_on_batches_alone_is_told_apart_from_one_that_fails_on_a_sample(go, photos):
    folder = photos(3)
    with pytest.raises(ModelError, match=r"on a batch of 2 samples \(p0, p1\), .* each of them alone.*--batch-size 1"):
        go("painting_models:raising_in_batches", folder, batch_size=2)
    (summary,) = go("painting_models:raising_in_batches", folder)
    assert summary["complete"]


def test_a_failing_model_in_a_worker_is_named_with_the_sample(go, photos, tmp_path):
    folder = photos(4, marked=[3])
    with pytest.raises(ModelError, match=r"model painting_models:raising raised RuntimeError: .*; on sample 'p3'"):
        go("painting_models:raising", folder, n_workers=2)
    (run,) = store.find_runs(tmp_path / "out")
    assert "p3" not in [trace.sample for trace in store.read_traces(run)]


@pytest.mark.parametrize("model", ["leaving", "unspeakable"])
def test_what_a_model_does_in_a_worker_costs_its_samples_only(go, photos, model):
    (summary,) = go(f"painting_models:{model}", photos(4, marked=[3]), n_workers=2, keep_going=True)
    assert (summary["n_done"], summary["n_failed"], summary["complete"]) == (4, 1, True)


@pytest.mark.parametrize(
    ("model", "said"),
    [("NotInWorkers", "cannot be created: EOFError: no second one"), ("interrupting", "ended: KeyboardInterrupt")],
)
def test_what_ends_a_worker_is_said_and_is_not_memory(go, photos, model, said):
    with pytest.raises(IISZooError, match=said) as error:
        go(f"painting_models:{model}", photos(4, marked=[3]), n_workers=2, keep_going=True)
    assert "memory" not in str(error.value)


def test_a_directory_that_is_being_written_is_refused(go, photos, tmp_path):
    folder = photos(2)
    (summary,) = go(DISCS, folder, limit=1)
    before = everything(where(summary))
    with store.Writer(where(summary)):
        for overwrite in (False, True):
            with pytest.raises(RunError, match="is being written by another iiszoo process"):
                go(DISCS, folder, overwrite=overwrite)
    assert {p: b for p, b in everything(where(summary)).items() if not p.name.startswith(".")} == {
        p: b for p, b in before.items() if not p.name.startswith(".")
    }


def test_an_output_directory_that_cannot_be_written_is_named(go, photos, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RunError, match=r"out/painting_models-discs--.* cannot be (written|read).*Not a directory"):
        go(DISCS, photos(1))


def test_a_disk_so_full_that_no_summary_fits_either_still_says_what_to_do(go, photos, monkeypatch):
    """The sentence about the samples must not be hidden behind one about the summary."""
    resource = pytest.importorskip("resource")
    folder = photos(2)
    go(DISCS, folder, out="warm")  # everything is compiled and imported
    monkeypatch.setattr(Trace, "to_line", lambda trace: "x" * 1600)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(RunError, match="make room and run the same command again"):
            go(DISCS, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_ends_the_run_with_its_samples_kept_and_a_resume_completes(go, photos, results, lasting, tmp_path):
    resource = pytest.importorskip("resource")
    folder = photos(24)  # half of their lines is more than a summary, which must fit
    (whole,) = go(DISCS, folder, out="whole")
    room = (where(whole) / "samples.jsonl").stat().st_size // 2
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(RunError, match=r"all samples before 'p\d+' are kept: make room and run the same command"):
            go(DISCS, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (run,) = store.find_runs(tmp_path / "out")
    kept = results(run)
    assert 0 < len(kept) < 24
    assert all(trace in results(where(whole)) for trace in kept)
    (resumed,) = go(DISCS, folder)
    assert lasting(resumed) == lasting(whole)


# what a fresh reader found


def test_a_finished_run_is_refused_once_its_data_has_changed(go, photos):
    folder = photos(3)
    (first,) = go(DISCS, folder)
    mask = Path(folder.removeprefix("folder:")) / "masks" / "p1.png"
    cv2.imwrite(str(mask), 255 - cv2.imread(str(mask)))
    with pytest.raises(RunError, match=r"contains another run \(dataset\.fingerprint: "):
        go(DISCS, folder)
    assert len(store.read_traces(where(first))) == 3


def test_data_that_only_looks_changed_is_the_same(go, photos, lasting):
    folder = photos(3)
    (first,) = go(DISCS, folder)
    for path in Path(folder.removeprefix("folder:")).rglob("*.png"):
        path.touch()
    (again,) = go(DISCS, folder)
    assert again["metrics"] == first["metrics"]
    assert len(store.read_traces(where(first))) == 3


def test_a_loaded_model_is_benched_as_itself(go, photos):
    model = iiszoo.load_model("classic/geocut")
    (summary,) = go(model, photos(1))
    assert summary["model"] == "classic/geocut"
    assert summary["provenance"]["model"]["code"] == f"iiszoo {iiszoo.__version__}"
    (by_id,) = go("classic/geocut", photos(1))
    assert by_id["directory"] == summary["directory"]


def test_a_limit_counts_samples_and_not_broken_ones_beyond_it(go, photos):
    folder = photos(4)
    for name in ("p2", "p3"):
        mask = Path(folder.removeprefix("folder:")) / "masks" / f"{name}.png"
        cv2.imwrite(str(mask), np.zeros((40, 56), np.uint8))
    (part,) = go(DISCS, folder, limit=1)
    assert part["n_done"] == 1
    (whole,) = go(DISCS, folder, skip_broken=True)
    (where(whole) / "samples.jsonl").write_bytes(
        (where(whole) / "samples.jsonl").read_bytes().splitlines(keepends=True)[0]
    )
    (two,) = go(DISCS, folder, skip_broken=True, limit=2)
    assert two["n_done"] == 2


def test_a_shard_cannot_overwrite_the_others():
    with pytest.raises(BadOption, match="cannot overwrite"):
        Settings(shard=(2, 2), overwrite=True)


def test_a_summary_that_was_lost_is_written_again(go, photos):
    (first,) = go(DISCS, photos(2))
    (where(first) / store.SUMMARY).unlink()
    (again,) = go(DISCS, photos(2))
    assert again["metrics"] == first["metrics"]
    assert json.loads((where(first) / store.SUMMARY).read_text())["complete"]


def test_a_robot_may_click_in_numpy_integers(go, photos, monkeypatch):
    def numpy_robot(outputs, targets, pcs, ncs, n_points=1, **_):
        at = tuple(np.unravel_index(int(targets[0, 0].to(int).argmax()), targets.shape[-2:]))
        return [*pcs, [[at]]], [*ncs, [[]]]

    monkeypatch.setattr(robots, "load_robot", lambda name: numpy_robot)
    (summary,) = go(DISCS, photos(1), max_clicks=1)
    (trace,) = store.read_traces(where(summary))
    assert [len(click) for click in trace.clicks[0]] == [3]


def test_a_robot_that_raises_is_named_with_the_sample(go, photos, monkeypatch):
    def tired(*_, **__):
        raise ValueError("no more\nclicks")

    monkeypatch.setattr(robots, "load_robot", lambda name: tired)
    with pytest.raises(
        RobotError, match=r"robot ritm raised ValueError: no more clicks \(.*, in tired; on sample 'p0'"
    ):
        go(DISCS, photos(1))
