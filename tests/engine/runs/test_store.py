"""The run directory: what a stop at any moment leaves behind, and who may write there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from iiszoo.engine.runs import run_name, store
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

IDENTITY = {
    "format": store.FORMAT,
    "model": {"id": "toy/net", "code": "toy 1", "weights": []},
    "protocol": {"max_clicks": 20, "hash": "aa"},
    "dataset": {"id": "demo", "n_samples": 3, "fingerprint": "f1"},
}


@pytest.fixture
def directory(tmp_path):
    place = tmp_path / "run"
    store.create(place, IDENTITY)
    return place


def kept(directory):
    return [trace.sample for trace in store.read_traces(directory)]


def write(directory, traces, shard=(1, 1)):
    with store.Writer(directory, shard) as writer:
        for trace in traces:
            writer.append(trace)


def test_traces_come_back_in_the_order_of_samples(directory, trace):
    traces = [trace([0.1 * i], i) for i in range(5)]
    write(directory, [traces[i] for i in (3, 0, 4, 1, 2)])
    assert store.read_traces(directory) == traces


def test_each_line_is_there_as_soon_as_its_session_has_ended(directory, trace):
    with store.Writer(directory) as writer:
        writer.append(trace([0.5], 0))
        assert kept(directory) == ["s0"]  # read by its path while the writer holds it open
        writer.append(trace([0.5], 1))
        assert kept(directory) == ["s0", "s1"]


@pytest.mark.parametrize("cut", [1, 30, -1])
def test_a_torn_last_line_is_repaired_and_costs_its_own_session_alone(directory, trace, cut):
    write(directory, [trace([0.5], i) for i in range(3)])
    (path,) = directory.glob("samples*.jsonl")
    content = path.read_bytes()
    begin = content[:-1].rfind(b"\n") + 1
    path.write_bytes(content[: begin + cut] if cut > 0 else content[:cut])
    assert kept(directory) == ["s0", "s1"]
    write(directory, [trace([0.7], 2)])
    assert path.read_bytes().startswith(content[:begin])
    assert store.read_traces(directory) == [trace([0.5], 0), trace([0.5], 1), trace([0.7], 2)]


def test_a_torn_first_line_leaves_nothing(directory, trace):
    (directory / "samples.jsonl").write_bytes(b'{"sample": "s0", "ind')
    assert kept(directory) == []
    write(directory, [trace([0.7], 0)])
    assert kept(directory) == ["s0"]


@pytest.mark.parametrize("damage", ["{", "", "null", '{"no": "trace"}', "\x00\x00\x00"])
def test_a_damaged_line_in_the_middle_is_named_with_its_number(directory, trace, damage):
    write(directory, [trace([0.5], i) for i in range(3)])
    (path,) = directory.glob("samples*.jsonl")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], damage, *lines[2:]]))
    with pytest.raises(RunError, match=r"samples\.jsonl line 2 is not a trace .*; delete that line") as raised:
        store.read_traces(directory)
    assert "\n" not in str(raised.value)


def test_shards_join_by_lying_in_one_directory(directory, trace):
    write(directory, [trace([0.5], 1)], shard=(2, 2))
    write(directory, [trace([0.5], 0), trace([0.5], 2)], shard=(1, 2))
    assert kept(directory) == ["s0", "s1", "s2"]
    assert len(list(directory.glob("samples*.jsonl"))) == 2


def test_a_sample_that_two_shards_hold_counts_once(directory, trace):
    write(directory, [trace([0.5], 0), trace([0.6], 1)], shard=(1, 2))
    write(directory, [trace([0.9], 1), trace([0.7], 2)], shard=(2, 2))
    assert [(trace.sample, trace.iou) for trace in store.read_traces(directory)] == [
        ("s0", [0.5]),
        ("s1", [0.6]),
        ("s2", [0.7]),
    ]


# whose directory it is


def test_an_empty_or_absent_directory_may_be_used(tmp_path):
    assert store.check_identity(tmp_path / "absent", IDENTITY) is False
    assert store.check_identity(tmp_path, IDENTITY) is False


def test_the_same_run_is_recognised_also_before_all_of_it_is_known(directory):
    assert store.check_identity(directory, IDENTITY) is True
    early = {**IDENTITY, "dataset": {"id": "demo"}}
    assert store.check_identity(directory, early) is True


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("protocol", {"max_clicks": 10, "hash": "bb"}, "protocol.max_clicks: 20 there, 10 now"),
        ("model", {"code": "toy 2"}, 'model.code: "toy 1" there, "toy 2" now'),
        ("model", {"weights": ["w sha256 9"]}, 'model.weights: [] there, ["w sha256 9"] now'),
        ("dataset", {"fingerprint": "f2"}, 'dataset.fingerprint: "f1" there, "f2" now'),
        ("dataset", {"n_samples": 4}, "dataset.n_samples: 3 there, 4 now"),
    ],
)
def test_another_run_is_refused_with_what_differs(directory, trace, part, change, said):
    write(directory, [trace([0.5])])
    other = {**IDENTITY, part: {**IDENTITY[part], **change}}
    with pytest.raises(RunError) as raised:
        store.check_identity(directory, other)
    message = str(raised.value)
    assert message.startswith(f"{directory} contains another run (")
    assert said in message
    assert "--out" in message
    assert "--overwrite" in message
    assert store.read_json(directory / store.IDENTITY) == IDENTITY


def test_a_run_that_has_computed_nothing_is_no_obstacle(directory):
    """A model that failed at its first click, and was mended since, is another model."""
    assert not store.check_identity(directory, {**IDENTITY, "model": {**IDENTITY["model"], "code": "toy 2"}})


def test_samples_of_an_unknown_run_are_not_taken_over(tmp_path, trace):
    store.create(tmp_path, IDENTITY)
    write(tmp_path, [trace([0.5])])
    (tmp_path / store.IDENTITY).unlink()
    for look in (store.check_identity, store.begin):
        with pytest.raises(RunError, match=r"contains samples but no run\.json"):
            look(tmp_path, IDENTITY)
    with pytest.raises(RunError, match=r"contains samples but no run\.json"):
        store.read_traces(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_a_damaged_identity_is_named(directory, content):
    (directory / store.IDENTITY).write_text(content)
    with pytest.raises(RunError, match=r"run\.json"):
        store.check_identity(directory, IDENTITY)


def test_a_run_of_another_format_is_not_read(directory):
    (directory / store.IDENTITY).write_text(json.dumps({**IDENTITY, "format": 99}))
    with pytest.raises(RunError, match="written by another version of iiszoo"):
        store.read_identity(directory)


def test_discarding_deletes_a_runs_own_files_alone(directory, trace):
    write(directory, [trace([0.5], 0)])
    write(directory, [trace([0.5], 1)], shard=(2, 3))
    store.write_json(directory / store.SUMMARY, {})
    (directory / "notes.txt").write_text("mine")
    (directory / "pictures").mkdir()
    store.discard(directory)
    assert sorted(path.name for path in directory.iterdir() if not path.name.startswith(".")) == [
        "notes.txt",
        "pictures",
    ]
    assert store.check_identity(directory, IDENTITY) is False


def test_a_second_writer_of_one_file_is_refused_and_the_first_goes_on(directory, trace):
    with store.Writer(directory) as writer:
        with pytest.raises(RunError, match="is being written by another iiszoo process; wait for it or"):
            store.Writer(directory)
        with pytest.raises(RunError, match="is being written by another"):
            store.discard(directory)
        with store.Writer(directory, (1, 2)):  # another shard's file
            pass
        writer.append(trace([0.5]))
    write(directory, [trace([0.5], 1)])  # free again
    assert kept(directory) == ["s0", "s1"]


def test_a_second_writing_process_is_refused_and_a_dead_one_is_not_waited_for(directory, trace):
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


# a full disk


def test_a_full_disk_keeps_all_earlier_samples(directory, trace):
    resource = pytest.importorskip("resource")
    long = trace([0.1] * 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with store.Writer(directory) as writer:
        writer.append(trace([0.5], 0))
        writer.append(trace([0.5], 1))
        size = writer.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(RunError) as raised:
                writer.append(long)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = str(raised.value)
    assert f"{writer.path} cannot be written (File too large); all samples before 's0' are kept" in message
    assert "run the same command again" in message
    assert writer.path.stat().st_size == size
    assert kept(directory) == ["s0", "s1"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"output directory .*file/run cannot be created: Not a directory"):
        store.create(tmp_path / "file" / "run", IDENTITY)


def test_a_json_file_is_replaced_in_one_step(tmp_path):
    """A reader sees a whole file at any moment, and a failing write leaves the old one."""
    path = tmp_path / "summary.json"
    store.write_json(path, {"n": -1, "filling": "x" * 200_000})
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            try:
                assert len(json.loads(path.read_text())["filling"]) == 200_000
            except Exception as error:  # noqa: BLE001
                torn.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(60):
        store.write_json(path, {"n": n, "filling": "x" * 200_000})
    stop.set()
    reader.join()
    assert not torn
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_json_file_that_cannot_be_written_leaves_the_old_one_and_no_litter(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "summary.json"
    store.write_json(path, {"n": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"summary\.json cannot be written: File too large"):
            store.write_json(path, {"n": 2, "filling": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.read_json(path) == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


# finding runs


def test_runs_are_found_below_a_directory(tmp_path):
    for name in ("b--demo", "a--demo"):
        store.create(tmp_path / "out" / name, IDENTITY)
    assert [path.name for path in store.find_runs(tmp_path)] == ["a--demo", "b--demo"]
    assert store.find_runs(tmp_path / "out" / "a--demo") == [tmp_path / "out" / "a--demo"]


def test_a_directory_without_runs_is_said_to_be_so(tmp_path):
    with pytest.raises(RunError, match=r"contains no run .*--out"):
        store.find_runs(tmp_path)
    with pytest.raises(RunError, match=r"absent is not a directory; .*--out"):
        store.find_runs(tmp_path / "absent")


@pytest.mark.parametrize(
    ("model", "dataset"), [("sam/vit-b", "demo"), ("module.sub:function", "folder:/data/mine"), ("a/b", "folder:../c")]
)
def test_a_runs_directory_is_one_plain_name(model, dataset):
    name = run_name.slug(model, dataset)
    assert "/" not in name
    assert ":" not in name
    assert not name.startswith(".")


def test_a_trace_line_is_what_the_file_holds(directory, trace):
    write(directory, [trace([0.5])])
    (path,) = directory.glob("samples*.jsonl")
    assert Trace.from_line(path.read_text().rstrip("\n")) == trace([0.5])
