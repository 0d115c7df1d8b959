"""Nothing that was computed is lost: lines are written at once, and what is deleted is put back."""

from __future__ import annotations

import shutil
import time

import pytest

from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError


def test_a_trace_line_is_what_the_file_holds(directory, trace, write):
    write(directory, [trace([0.5])])
    (path,) = directory.glob("samples*.jsonl")
    assert Trace.from_line(path.read_text().rstrip("\n")) == trace([0.5])


def test_each_line_is_there_as_soon_as_its_session_has_ended(directory, trace, kept):
    with store.Writer(directory) as writer:
        writer.append(trace([0.5], 0))
        assert kept(directory) == ["s0"]  # read by its path while the writer holds it open
        writer.append(trace([0.5], 1))
        assert kept(directory) == ["s0", "s1"]


@pytest.mark.parametrize("cut", [1, 30, -1])
def test_a_torn_last_line_is_repaired_and_costs_its_own_session_alone(directory, trace, cut, kept, write):
    write(directory, [trace([0.5], i) for i in range(3)])
    (path,) = directory.glob("samples*.jsonl")
    content = path.read_bytes()
    begin = content[:-1].rfind(b"\n") + 1
    path.write_bytes(content[: begin + cut] if cut > 0 else content[:cut])
    assert kept(directory) == ["s0", "s1"]
    write(directory, [trace([0.7], 2)])
    assert path.read_bytes().startswith(content[:begin])
    assert store.read_traces(directory) == [trace([0.5], 0), trace([0.5], 1), trace([0.7], 2)]


def test_a_torn_first_line_leaves_nothing(directory, trace, kept, write):
    (directory / "samples.jsonl").write_bytes(b'{"sample": "s0", "ind')
    assert kept(directory) == []
    write(directory, [trace([0.7], 0)])
    assert kept(directory) == ["s0"]


def test_a_full_disk_keeps_all_earlier_samples(directory, trace, kept):
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


# deleted while the run goes on


def rm(directory):
    shutil.rmtree(directory)


def rm_identity(directory):
    (directory / store.IDENTITY).unlink()


def rm_samples(directory):
    (directory / "samples.jsonl").unlink()


def rename(directory):
    directory.rename(directory.with_name(f"elsewhere-{time.monotonic_ns()}"))


@pytest.mark.parametrize("deleted", [rm, rm_identity, rm_samples, rename])
def test_what_is_deleted_while_the_run_goes_on_is_put_back(tmp_path, trace, deleted, caplog, identity, kept):
    run = tmp_path / "out" / "run"
    with store.begin(run, identity()) as writer:
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


def test_a_place_that_another_run_took_meanwhile_is_left_to_it(tmp_path, trace, identity):
    run = tmp_path / "run"
    with store.begin(run, identity(20)) as writer:
        writer.append(trace([0.5]))
        rm(run)
        with store.begin(run, identity(10)) as other:
            other.append(trace([0.6]))
            with pytest.raises(
                RunError, match=r"was deleted while .*now contains another run \(.*max_clicks: 10 there, 20 now"
            ):
                writer.append(trace([0.5], 1))
    assert [trace.iou for trace in store.read_traces(run)] == [[0.6]]


def test_a_place_that_cannot_be_made_again_is_one_sentence(tmp_path, trace, identity):
    out = tmp_path / "out"
    with store.begin(out / "run", identity()) as writer:
        rm(out)
        out.write_text("a file now")
        with pytest.raises(RunError, match=r"cannot be (created|written)") as raised:
            writer.append(trace([0.5]))
    assert "\n" not in str(raised.value)
