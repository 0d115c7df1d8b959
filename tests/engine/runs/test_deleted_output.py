"""A bench whose output is deleted meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.bench_run import Listener
from iiszoo.engine.runs import summary
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

DISCS = "painting_models:discs"


class Deleting(Listener):
    """Deletes the output directory after each sample, or at the end of the first run."""

    def __init__(self, out: Path, at: str) -> None:
        self.out, self.at = out, at

    def ended_sample(self, run, trace: Trace) -> None:
        if self.at in ("each sample", trace.sample):
            shutil.rmtree(self.out)

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
