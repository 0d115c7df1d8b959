"""Lines are read as the traces of their own run, and of no other."""

from __future__ import annotations

import json
import shutil

import pytest

from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def test_traces_come_back_in_the_order_of_samples(directory, trace, write):
    traces = [trace([0.1 * i], i) for i in range(5)]
    write(directory, [traces[i] for i in (3, 0, 4, 1, 2)])
    assert store.read_traces(directory) == traces


@pytest.mark.parametrize("damage", ["{", "", "null", '{"no": "trace"}', "\x00\x00\x00"])
def test_a_damaged_line_in_the_middle_is_named_with_its_number(directory, trace, damage, write):
    write(directory, [trace([0.5], i) for i in range(3)])
    (path,) = directory.glob("samples*.jsonl")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], damage, *lines[2:]]))
    with pytest.raises(RunError, match=r"samples\.jsonl line 2 is not a trace .*; delete that line") as raised:
        store.read_traces(directory)
    assert "\n" not in str(raised.value)


def test_shards_join_by_lying_in_one_directory(directory, trace, kept, write):
    write(directory, [trace([0.5], 1)], shard=(2, 2))
    write(directory, [trace([0.5], 0), trace([0.5], 2)], shard=(1, 2))
    assert kept(directory) == ["s0", "s1", "s2"]
    lines = [(directory / f"samples-{k}of2.jsonl").read_text().count("\n") for k in (1, 2)]
    assert lines == [2, 1]


def test_a_sample_that_two_shards_hold_counts_once(directory, trace, write):
    write(directory, [trace([0.5], 0), trace([0.6], 1)], shard=(1, 2))
    write(directory, [trace([0.9], 1), trace([0.7], 2)], shard=(2, 2))
    assert [(trace.sample, trace.iou) for trace in store.read_traces(directory)] == [
        ("s0", [0.5]),
        ("s1", [0.6]),
        ("s2", [0.7]),
    ]


def test_a_line_of_another_run_is_never_read_as_this_ones(tmp_path, trace, identity):
    for name, clicks in (("one", 20), ("two", 10)):
        with store.begin(tmp_path / name, identity(clicks)) as writer:
            writer.append(trace([0.5]))
    shutil.copy(tmp_path / "one" / "samples.jsonl", tmp_path / "two" / "samples-1of2.jsonl")
    with pytest.raises(
        RunError, match=r"samples-1of2\.jsonl line 1 belongs to another run than the run\.json beside it"
    ):
        store.read_traces(tmp_path / "two")


@pytest.mark.parametrize("value", [None, 3, "", "0" * 16, ["a"]])
def test_a_line_without_its_runs_hash_is_refused(tmp_path, trace, value, identity):
    with store.begin(tmp_path, identity()) as writer:
        writer.append(trace([0.5]))
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": value}) + "\n")
    with pytest.raises(RunError, match="line 1 belongs to another run"):
        store.read_traces(tmp_path)
