"""Each trace alone: whether its session went as the evaluation protocol says. Neither data nor model is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from iiszoo import units
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs.json_values import shortened
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.engine.verify.findings import Finding, agreed
from iiszoo.errors import few

CHECK = "traces"
COMPLETE = "samples"


def check_traces(lines: Sequence[Trace], rules: ResolvedProtocol) -> list[Finding]:
    """Whether every line of the run, also a repeated one, is a session that can have been."""
    found = [
        Finding(CHECK, "differs", text, trace.sample, field) for trace in lines for field, text in _faults(trace, rules)
    ]
    found += _contradictions(lines)
    text = f"{units.number_of(len(lines), 'session')} went as the protocol says"
    return agreed(CHECK, [*found, *_ended_early(lines, rules)], text)


def _faults(trace: Trace, rules: ResolvedProtocol) -> Iterator[tuple[str, str]]:
    """The fields that contradict others or the rules, each with the contradiction."""
    n, failed = len(trace.iou), trace.error is not None
    for name in ("clicks", "model_seconds", "robot_seconds"):
        length = len(getattr(trace, name))
        # a failed session ends in the middle of an interaction: clicked, perhaps answered, not scored
        if not (length == n or (failed and length == n + 1)):
            yield name, f"it has {length} entries, and iou has {n}"
    if trace.initial_boundary_iou is None:
        if trace.boundary_iou:
            yield "initial_boundary_iou", "it is missing, although boundary_iou was measured"
    elif len(trace.boundary_iou) != n:
        yield "boundary_iou", f"it has {len(trace.boundary_iou)} entries, and iou has {n}"
    for k, clicks in enumerate(trace.clicks):
        if not clicks:
            yield f"clicks[{k}]", "it is an interaction without a click, which would have ended the session"
        for row, col, _ in clicks:
            if row >= trace.size[0] or col >= trace.size[1]:
                yield f"clicks[{k}]", f"({row}, {col}) is outside the image of {trace.size[0]} x {trace.size[1]}"
    if max(n, len(trace.clicks)) > rules.max_clicks:
        yield "iou", f"it has {n} entries, and the protocol ends a session after {rules.max_clicks} clicks"
    for k, value in enumerate([trace.initial_iou, *trace.iou]):
        if value >= rules.target_iou and k < max(n, len(trace.clicks)):
            name = f"iou[{k - 1}]" if k else "initial_iou"
            yield name, f"it is {value:.4f}, which ends a session (target {rules.target_iou:g}), and clicks follow"
            break
    yield from _mask_faults(trace)


def _mask_faults(trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.error is not None:
        if trace.final_mask:
            yield "final_mask", "there is one, although the model failed"
        return
    try:
        unpack_mask(trace.final_mask, trace.size)
    except ValueError as error:
        yield "final_mask", f"it is not a mask of {trace.size[0]} x {trace.size[1]} ({error})"


def ended_early(trace: Trace, rules: ResolvedProtocol) -> bool:
    """Whether the session ended although neither its IoU nor the number of clicks ended it: the robot must have found
    nothing to click.
    """
    last = [trace.initial_iou, *trace.iou][-1]
    return trace.error is None and last < rules.target_iou and len(trace.iou) < rules.max_clicks


def _ended_early(lines: Sequence[Trace], rules: ResolvedProtocol) -> Iterator[Finding]:
    for trace in lines:
        if ended_early(trace, rules):
            text = (
                f"it ends at IoU {[trace.initial_iou, *trace.iou][-1]:.4f}, before target and maximum; whether the "
                "robot found nothing to click, the data would tell"
            )
            yield Finding(CHECK, "unchecked", text, trace.sample, "iou")


def _contradictions(lines: Sequence[Trace]) -> Iterator[Finding]:
    """Lines of one sample that differ: shards may overlap, but then their sessions are equal."""
    first: dict[str, dict[str, Any]] = {}
    for trace in lines:
        results = trace.results()
        kept = first.setdefault(trace.sample, results)
        field = next((name for name in results if results[name] != kept[name]), None)
        if field is not None:
            text = f"it has two lines, with {shortened(kept[field])} and {shortened(results[field])}"
            yield Finding(CHECK, "differs", text, trace.sample, field)


def check_completeness(traces: Sequence[Trace], skipped: int, n_samples: int) -> list[Finding]:
    """Whether every sample of the dataset has a trace or was skipped."""
    missing = n_samples - len(traces) - skipped
    whole = f"{len(traces)} of {units.number_of(n_samples, 'sample')}"
    and_skipped = f", {skipped} skipped as broken" if skipped else ""
    if missing < 0:
        return [Finding(COMPLETE, "differs", f"{whole} and {skipped} skipped: more than there are")]
    if missing == 0:
        return [Finding(COMPLETE, "agrees", f"{whole}{and_skipped}")]
    there = {trace.index for trace in traces}
    absent = [i for i in range(n_samples) if i not in there]
    text = f"the figures are those of {whole}{and_skipped}; there is no trace of index {few(absent, 5)}"
    return [Finding(COMPLETE, "unchecked", text)]
