"""Several processes in one run directory: whose it is, and that nothing is lost or put under another's name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.engine.bench import Listener, bench
from iiszoo.engine.runs import run_name, store, summary
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

DISCS = "painting_models:discs"


def identity(max_clicks=20, name="standard"):
    return {
        "format": store.FORMAT,
        "model": {"id": "toy/net", "code": "toy 1", "weights": []},
        "protocol": {"max_clicks": max_clicks, "hash": f"h{max_clicks}", "name": name},
        "dataset": {"id": "demo", "n_samples": 9, "fingerprint": "f1"},
    }


def hold(directory, of, shard=(1, 1), **how):
    return store.begin(directory, of, shard, **how)


def kept(directory):
    return [trace.sample for trace in store.read_traces(directory)]


CROWD = """
import json, sys, pathlib
from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError
place, who, shard, identity = json.loads(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for round in range(15):
    try:
        writer = store.begin(pathlib.Path(place) / str(round), identity, tuple(shard))
    except RunError as error:
        print(json.dumps([round, who, str(error)]), flush=True)
        continue
    writer.append(Trace(f"{who}", shard[0], [2, 2], iou=[0.5]))
    print(json.dumps([round, who, ""]), flush=True)
    if round % 2:
        writer.close()  # in the others the writers stay
print("end", flush=True)
sys.stdin.readline()
"""


def test_shards_of_two_protocols_that_begin_together_are_never_joined(tmp_path):
    """Two shards of each; of every directory one protocol's shards get all, and both of them."""
    crowd = []
    for who, shard, clicks in (("a1", 1, 20), ("b1", 1, 10), ("a2", 2, 20), ("b2", 2, 10)):
        job = json.dumps([str(tmp_path), who, [shard, 2], identity(clicks)])
        crowd.append(
            subprocess.Popen(
                [sys.executable, "-c", CROWD, job], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
    try:
        for process in crowd:
            assert process.stdout.readline() == "ready\n"
        for process in crowd:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = defaultdict(dict)
        for process in crowd:
            for line in iter(process.stdout.readline, "end\n"):
                number, who, fault = json.loads(line)
                told[number][who] = fault
    finally:
        for process in crowd:
            process.kill()
            process.communicate()
    assert len(told) == 15
    for number, faults in told.items():
        winners = {who for who, fault in faults.items() if not fault}
        clicks = store.read_json(tmp_path / str(number) / store.IDENTITY)["protocol"]["max_clicks"]
        assert winners == ({"a1", "a2"} if clicks == 20 else {"b1", "b2"})
        assert set(kept(tmp_path / str(number))) == winners
        for fault in filter(None, faults.values()):
            assert "contains another run" in fault or "as part of another run" in fault
            assert "protocol.max_clicks" in fault


@pytest.mark.parametrize("shard", [(1, 1), (1, 3), (3, 3)])
def test_a_run_that_has_not_finished_a_sample_is_not_replaced_while_it_goes_on(tmp_path, trace, shard):
    with hold(tmp_path, identity(20), shard) as writer:
        for other in ((1, 1), (1, 3), (2, 3)):
            with pytest.raises(
                RunError, match=r"is being written by another .*as part of another run \(protocol.*; give another --out"
            ):
                hold(tmp_path, identity(10), other)
        assert store.read_json(tmp_path / store.IDENTITY) == identity(20)
        writer.append(trace([0.5]))
    with pytest.raises(RunError, match=r"contains another run \(.*max_clicks: 20 there, 10 now"):
        hold(tmp_path, identity(10))
    assert kept(tmp_path) == ["s0"]


def test_a_run_that_computed_nothing_is_replaced_with_all_that_is_its_own(tmp_path, trace):
    """A model that failed at its first click, and was mended since."""
    hold(tmp_path, identity(20), (2, 3)).close()
    store.write_json(tmp_path / store.SUMMARY, {"skipped": {"s1": "of the other run"}})
    with hold(tmp_path, identity(10)) as writer:
        writer.append(trace([0.5]))
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["run.json", "samples.jsonl"]
    assert store.read_json(tmp_path / store.IDENTITY) == identity(10)


@pytest.mark.parametrize("content", ['{"sample": "s0", "ind', "\n", "anything"])
def test_whatever_a_file_of_samples_holds_keeps_another_run_away(tmp_path, content):
    hold(tmp_path, identity(20)).close()
    (tmp_path / "samples-2of3.jsonl").write_text(content)
    with pytest.raises(RunError, match="contains another run"):
        hold(tmp_path, identity(10))


def test_shards_of_one_run_begin_together(tmp_path, trace):
    with hold(tmp_path, identity(), (1, 2)) as one, hold(tmp_path, identity(name="mine"), (2, 2)) as two:
        one.append(trace([0.5], 0))
        two.append(trace([0.5], 1))
        assert kept(tmp_path) == ["s0", "s1"]


def test_overwriting_waits_for_no_run_and_discards_none_that_goes_on(tmp_path, trace):
    with hold(tmp_path, identity(), (2, 2)) as writer:
        writer.append(trace([0.5]))
        for of in (identity(), identity(10)):
            with pytest.raises(RunError, match="is being written by another iiszoo process"):
                hold(tmp_path, of, overwrite=True)
    assert kept(tmp_path) == ["s0"]
    hold(tmp_path, identity(10), overwrite=True).close()
    assert kept(tmp_path) == []


def test_a_deleted_file_of_samples_that_is_still_written_keeps_others_away(tmp_path):
    with hold(tmp_path, identity(20)):
        (tmp_path / "samples.jsonl").unlink()
        with pytest.raises(RunError, match="is being written by another"):
            hold(tmp_path, identity(10))
        with pytest.raises(RunError, match="is being written by another"):
            hold(tmp_path, identity(20), overwrite=True)


def test_a_look_at_a_directory_in_which_a_run_begins_meanwhile(tmp_path, trace, monkeypatch):
    """`run.json` is read, then a shard begins and writes, then its samples are seen."""
    real = store.read_json
    seen = []

    def late(path):
        found = real(path)
        if not seen:
            seen.append(path)
            with hold(tmp_path, identity(), (1, 2)) as writer:
                writer.append(trace([0.5]))
        return found

    monkeypatch.setattr(store, "read_json", late)
    assert store.check_identity(tmp_path, identity()) is True


# each line knows its run


def test_a_line_of_another_run_is_never_read_as_this_ones(tmp_path, trace):
    for name, clicks in (("one", 20), ("two", 10)):
        with hold(tmp_path / name, identity(clicks)) as writer:
            writer.append(trace([0.5]))
    shutil.copy(tmp_path / "one" / "samples.jsonl", tmp_path / "two" / "samples-1of2.jsonl")
    with pytest.raises(
        RunError, match=r"samples-1of2\.jsonl line 1 belongs to another run than the run\.json beside it"
    ):
        store.read_traces(tmp_path / "two")


@pytest.mark.parametrize("value", [None, 3, "", "0" * 16, ["a"]])
def test_a_line_without_its_runs_hash_is_refused(tmp_path, trace, value):
    with hold(tmp_path, identity()) as writer:
        writer.append(trace([0.5]))
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": value}) + "\n")
    with pytest.raises(RunError, match="line 1 belongs to another run"):
        store.read_traces(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"model": {"id": "toy/net", "code": "toy 2", "weights": []}},
        {"protocol": {"max_clicks": 10}},
        {"dataset": {"id": "demo", "n_samples": 9, "fingerprint": "f2"}},
        {"more": 1},
    ],
)
def test_the_hash_depends_on_everything_but_the_protocols_name(change):
    assert store.run_hash(identity(name="mine")) == store.run_hash(identity())
    assert store.run_hash({**identity(), **change}) != store.run_hash(identity())


# deleted while it goes on


def rm(directory):
    shutil.rmtree(directory)


def rm_identity(directory):
    (directory / store.IDENTITY).unlink()


def rm_samples(directory):
    (directory / "samples.jsonl").unlink()


def rename(directory):
    directory.rename(directory.with_name(f"elsewhere-{time.monotonic_ns()}"))


@pytest.mark.parametrize("deleted", [rm, rm_identity, rm_samples, rename])
def test_what_is_deleted_while_the_run_goes_on_is_put_back(tmp_path, trace, deleted, caplog):
    run = tmp_path / "out" / "run"
    with hold(run, identity()) as writer:
        for i in range(3):
            writer.append(trace([0.5], i))
        deleted(run)
        writer.append(trace([0.5], 3))
        assert "was deleted while the run was in progress" in caplog.text
        assert kept(run) == ["s0", "s1", "s2", "s3"]
        with pytest.raises(RunError, match="is being written by another"):
            store.Writer(run)  # the lock is held, too
        deleted(run)
        writer.restore()
    assert kept(run) == ["s0", "s1", "s2", "s3"]
    assert len((run / "samples.jsonl").read_text().splitlines()) == 4
    store.Writer(run).close()  # free again


def test_a_place_that_another_run_took_meanwhile_is_left_to_it(tmp_path, trace):
    run = tmp_path / "run"
    with hold(run, identity(20)) as writer:
        writer.append(trace([0.5]))
        rm(run)
        with hold(run, identity(10)) as other:
            other.append(trace([0.6]))
            with pytest.raises(
                RunError, match=r"was deleted while .*now contains another run \(.*max_clicks: 10 there, 20 now"
            ):
                writer.append(trace([0.5], 1))
    assert [trace.iou for trace in store.read_traces(run)] == [[0.6]]


def test_a_place_that_cannot_be_made_again_is_one_sentence(tmp_path, trace):
    out = tmp_path / "out"
    with hold(out / "run", identity()) as writer:
        rm(out)
        out.write_text("a file now")
        with pytest.raises(RunError, match=r"cannot be (created|written)") as raised:
            writer.append(trace([0.5]))
    assert "\n" not in str(raised.value)


class Deleting(Listener):
    """Deletes the output directory after each sample, or at the end of the first run."""

    def __init__(self, out: Path, at: str) -> None:
        self.out, self.at = out, at

    def ended_sample(self, run, trace: Trace) -> None:
        if self.at in ("each sample", trace.sample):
            rm(self.out)

    def ended(self, run, summary) -> None:
        if self.at == "the end":
            shutil.rmtree(self.out, ignore_errors=True)


@pytest.mark.parametrize("at", ["p0", "each sample", "p3"])
def test_a_bench_whose_output_directory_is_deleted_has_it_all_at_its_end(photos, tmp_path, at):
    out = tmp_path / "out"
    (result,) = bench(DISCS, photos(4), out=out, max_clicks=2, listener=Deleting(out, at))
    found, traces = summary.read(Path(result["directory"]))
    assert found["complete"]
    assert [trace.sample for trace in traces] == ["p0", "p1", "p2", "p3"]


def test_a_bench_whose_first_run_is_deleted_during_the_second_does_not_end_well(photos, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(RunError, match=r"was deleted while other runs were in progress; run the same command again"):
        bench([DISCS, "painting_models:nothing"], photos(2), out=out, max_clicks=1, listener=Deleting(out, "the end"))


# directories of names

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@given(NAMES, NAMES)
def test_any_names_make_one_plain_name(model, dataset):
    name = run_name.slug(model, dataset)
    assert len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|\0\n ')
    assert not name.startswith((".", "-"))
    assert not name.endswith(".")


@given(st.lists(st.tuples(*[st.text("aB-/:.+ ?é", min_size=1, max_size=5)] * 2), min_size=2, max_size=20, unique=True))
def test_no_two_runs_share_a_directory(names):
    slugs = [run_name.slug(*pair).lower() for pair in names]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("m/a", "folder:t/a"), ("m/a", "folder:t-a")),
        (("m/a", "folder:t/a"), ("m/a", "folder:t:a")),
        (("a-b/c", "demo"), ("a/b-c", "demo")),
        (("a:b", "demo"), ("a/b", "demo")),
        (("a/b", "demo"), ("a-b", "demo")),
        (("a/b", "c--d"), ("a/b--c", "d")),
        (("a/b", "Demo"), ("a/b", "demo")),
        (("m/a", "folder:" + "x" * 200 + "1"), ("m/a", "folder:" + "x" * 200 + "2")),
        (("m/a", "folder:" + "像" * 90), ("m/a", "folder:" + "像" * 89)),
        (("m/" + "v" * 190, "d" * 200), ("m/" + "v" * 190, "d" * 199)),
        (("m/a", "folder:\udce9"), ("m/a", "folder:\udcea")),
    ],
)
def test_names_that_look_alike_have_directories_of_their_own(tmp_path, one, two):
    names = {run_name.slug(*one).lower(), run_name.slug(*two).lower()}
    assert len(names) == 2
    for name in names:
        (tmp_path / name).mkdir()


def test_the_plain_names_of_the_zoo_are_readable():
    assert run_name.slug("sam/vit-b", "grabcut") == "sam-vit-b--grabcut"
    assert run_name.slug("classic/geocut", "davis585-sp") == "classic-geocut--davis585-sp"


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "a/b", "", "x" * 300, "像" * 100, "a\nb", "\x1b[31m", "a+b"])
def test_a_protocols_name_does_not_leave_the_output_directory(tmp_path, photos, monkeypatch, name):
    from iiszoo.engine.evaluation_protocol import EvaluationProtocol

    monkeypatch.chdir(tmp_path)
    rules = EvaluationProtocol(name or "-", max_clicks=1)
    (found,) = bench(DISCS, photos(1), protocol=rules)
    place = Path(found["directory"])
    assert place.resolve().parents[1] == tmp_path / "runs"
    assert place.parent.name.endswith(rules.hash) or place.parent.name == name
    assert not (tmp_path.parent / "x").exists()
