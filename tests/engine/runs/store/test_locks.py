"""Several processes in one run directory: what is being written is neither joined, replaced nor discarded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict

import pytest

from iiszoo import files
from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def test_a_second_writer_of_one_file_is_refused_and_the_first_goes_on(identity, directory, trace, kept, write):
    with store.Writer(directory) as writer:
        with pytest.raises(RunError, match="is being written by another iiszoo process; wait for it or"):
            store.Writer(directory)
        with pytest.raises(RunError, match="is being written by another"):
            store.begin(directory, identity(), overwrite=True)
        with store.Writer(directory, (1, 2)):  # another shard's file
            pass
        writer.append(trace([0.5]))
    write(directory, [trace([0.5], 1)])  # free again
    assert kept(directory) == ["s0", "s1"]


def test_a_second_writing_process_is_refused_and_a_dead_one_is_not_waited_for(directory, trace, kept, write):
    hold = (
        "import sys, pathlib; from iiszoo.engine.runs import store; "
        f"writer = store.Writer(pathlib.Path({str(directory)!r})); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is being written by another iiszoo process"):
            store.Writer(directory)
    finally:
        process.kill()
        process.communicate()
    write(directory, [trace([0.5])])
    assert kept(directory) == ["s0"]


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


def test_shards_of_two_protocols_that_begin_together_are_never_joined(tmp_path, identity, kept):
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
def test_a_run_that_has_not_finished_a_sample_is_not_replaced_while_it_goes_on(tmp_path, trace, shard, identity, kept):
    with store.begin(tmp_path, identity(20), shard) as writer:
        for other in ((1, 1), (1, 3), (2, 3)):
            with pytest.raises(
                RunError, match=r"is being written by another .*as part of another run \(protocol.*; give another --out"
            ):
                store.begin(tmp_path, identity(10), other)
        assert store.read_json(tmp_path / store.IDENTITY) == identity(20)
        writer.append(trace([0.5]))
    with pytest.raises(RunError, match=r"contains another run \(.*max_clicks: 20 there, 10 now"):
        store.begin(tmp_path, identity(10))
    assert kept(tmp_path) == ["s0"]


def test_shards_of_one_run_begin_together(tmp_path, trace, identity, kept):
    with store.begin(tmp_path, identity(), (1, 2)) as one, store.begin(tmp_path, identity(name="mine"), (2, 2)) as two:
        one.append(trace([0.5], 0))
        two.append(trace([0.5], 1))
        assert kept(tmp_path) == ["s0", "s1"]


def test_overwriting_waits_for_no_run_and_discards_none_that_goes_on(tmp_path, trace, identity, kept):
    with store.begin(tmp_path, identity(), (2, 2)) as writer:
        writer.append(trace([0.5]))
        for of in (identity(), identity(10)):
            with pytest.raises(RunError, match="is being written by another iiszoo process"):
                store.begin(tmp_path, of, overwrite=True)
    assert kept(tmp_path) == ["s0"]
    store.begin(tmp_path, identity(10), overwrite=True).close()
    assert kept(tmp_path) == []


def test_a_deleted_file_of_samples_that_is_still_written_keeps_others_away(tmp_path, identity):
    with store.begin(tmp_path, identity(20)):
        (tmp_path / "samples.jsonl").unlink()
        with pytest.raises(RunError, match="is being written by another"):
            store.begin(tmp_path, identity(10))
        with pytest.raises(RunError, match="is being written by another"):
            store.begin(tmp_path, identity(20), overwrite=True)


def test_a_look_at_a_directory_in_which_a_run_begins_meanwhile(tmp_path, trace, monkeypatch, identity):
    """`run.json` is read, then a shard begins and writes, then its samples are seen."""
    real = files.read_bytes
    seen = []

    def late(path):
        if path != tmp_path / store.IDENTITY or seen:
            return real(path)
        seen.append(path)
        try:
            return real(path)
        finally:
            with store.begin(tmp_path, identity(), (1, 2)) as writer:
                writer.append(trace([0.5]))

    monkeypatch.setattr(files, "read_bytes", late)
    assert store.check_identity(tmp_path, identity()) is True
    assert seen
