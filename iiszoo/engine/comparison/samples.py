"""The samples on which runs are compared: those that all runs on the same data have done."""

from __future__ import annotations

from collections.abc import Sequence

from iiszoo import units
from iiszoo.engine.comparison import data
from iiszoo.engine.runs.summary import Result, summarise
from iiszoo.engine.runs.trace import Trace


def limited(results: Sequence[Result], limit: int | None) -> list[Result]:
    """The runs, each on what it has done of the first `limit` samples of its dataset; None: of all."""
    if limit is None:
        return list(results)
    return [restricted(one, [trace for trace in one[1] if trace.index < limit]) for one in results]


def on_common_samples(results: Sequence[Result]) -> tuple[list[Result], list[str]]:
    """The runs, each on the samples that all runs on its data have done; and sentences that say what was left out.

    Runs that have no sample in common remain as they are: a sentence says that they cannot be compared.
    """
    found, sentences = list(results), []
    for key, name in data.names([summary for summary, _ in results]).items():
        here = [i for i, (summary, _) in enumerate(results) if data.data_of(summary) == key]
        done = [{trace.sample for trace in results[i][1]} for i in here]
        common = set.intersection(*done)
        if all(samples == common for samples in done):
            continue
        if not common:
            sentences.append(f"{name}: no sample is done in all runs; their figures cannot be compared")
            continue
        for i in here:
            found[i] = restricted(results[i], [trace for trace in results[i][1] if trace.sample in common])
        numbers = ", ".join(map(str, sorted({len(samples) for samples in done})))
        sentences.append(
            f"{name}: compared on the {units.number_of(len(common), 'sample')} that all runs have done; they have done "
            f"{numbers} of {results[here[0]][0]['n_samples']}"
        )
    return found, sentences


def restricted(result: Result, traces: Sequence[Trace]) -> Result:
    """A run as if `traces` were all that it has done; `left_out` counts the others. It is not complete then, so that no
    published figure stands beside it.
    """
    summary, left_out = result[0], len(result[1]) - len(traces)
    if not left_out:
        return result
    again = summarise(summary["provenance"], traces, summary["skipped"])
    own = {name: again[name] for name in ("n_done", "n_failed", "metrics")}
    times = {**summary["times"], **again["times"]}
    return {**summary, **own, "times": times, "complete": False, "left_out": left_out}, list(traces)
