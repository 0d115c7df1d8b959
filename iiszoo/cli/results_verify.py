"""`iiszoo results verify`: whether a run is what it claims to be."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo import units
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.interpreter import python_option, python_timeout_option, robot_python_option
from iiszoo.cli.output import echo, echo_wrapped, json_option, print_json, print_table, warn_of_broken_plugins
from iiszoo.device import check_device
from iiszoo.errors import BadOption, IISZooError

if TYPE_CHECKING:
    from iiszoo.engine.verify.findings import Finding, Verification

_MOST = 5
"""Findings of one kind that the table shows; --json has all."""
_SHOWN = {"agrees": "ok", "differs": "DIFFERS", "unchecked": "not checked"}
_SEEDS = 10**6


def _samples(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """A number of samples; None for all."""
    if value == "all":
        return None
    if not value.isdigit():
        raise click.BadParameter(f"{value!r} is neither a number of samples nor 'all'", ctx, param)
    return int(value)


def _signature(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("a replay is signed with a name, and this one is empty", ctx, param)
    return value


@click.command("verify")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--samples", callback=_samples, default="5", show_default=True, metavar="N", help="Samples to replay, or `all`."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Draws these samples. Name one that whoever made the run could not know.  [default: drawn now, and printed]",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The dataset's directory, or one that contains datasets under their ids.  [default: where the run had it]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The run's weights, for those that are not in the cache; their sha256 decides.",
)
@click.option("--device", help="Device of the replay.  [default: the run's own, if it is here, else cpu]")
@click.option(
    "--record",
    metavar="NAME",
    callback=_signature,
    help="Add the replay, signed with NAME, to replays.json in RUN, for a results repository.",
)
@python_option
@robot_python_option
@python_timeout_option
@json_option
def verify(
    run: Path,
    samples: int | None,
    seed: int | None,
    root: Path | None,
    checkpoint: Path | None,
    device: str | None,
    record: str | None,
    python: str | None,
    robot_python: str | None,
    python_timeout: float,
    as_json: bool,
) -> None:
    """Check that a run is what it claims to be, and replay some of its samples.

    RUN is a run directory, or one that contains several. Every figure is derived again from the traces, each trace is
    compared with the evaluation protocol and with the data, weights by their sha256; then samples are replayed, and
    clicks and IoUs compared. Nothing is fetched, and without --record nothing in RUN is changed. The exit code is 0 if
    everything that could be checked agrees, else 2; what could not be checked is listed.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.cli.bench_progress import listener
    from iiszoo.engine.robots import robot_interpreter
    from iiszoo.engine.runs import store
    from iiszoo.engine.verify.run import AtHand, verify
    from iiszoo.remote import Interpreter

    runs = store.find_runs(run)
    if checkpoint is not None and len(runs) != 1:
        raise BadOption(f"a checkpoint needs exactly one run, and there are {len(runs)} in {run}; name one of them")
    if device is not None:
        check_device(device)
    named = seed is not None
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    interpreter = None if python is None else Interpreter(python, python_timeout)
    of_robot = robot_interpreter(robot_python, python_timeout)
    at_hand = AtHand(root, checkpoint, interpreter, device, samples, seed, of_robot)
    done, faults = [], []
    for directory in runs:
        try:
            with listener() as bars, foreign_output():
                done.append(verify(directory, at_hand, bars.step))
            if not as_json:
                _print(done[-1])
            if record is not None:
                _record(done[-1], record)
        except IISZooError as error:
            faults.append(str(error))
            echo(f"error: {error}", err=True)
    if as_json:
        print_json([{"agrees": one.agrees, **asdict(one)} for one in done])
    differing = [one for one in done if not one.agrees]
    if samples != 0:
        drawn = "as asked" if named else f"drawn now; --seed {seed} draws the same samples again"
        echo(f"seed {seed}, {drawn}", err=as_json)
    if len(runs) > 1:
        agreeing = f"{len(done) - len(differing)} of {units.number_of(len(runs), 'run')} agree"
        echo("; ".join([agreeing, *(str(one.run) for one in differing)]), err=as_json)
    warn_of_broken_plugins()
    if differing or faults:
        click.get_current_context().exit(2)


def _record(found: Verification, by: str) -> None:
    from iiszoo.engine.results import replays
    from iiszoo.engine.runs import store

    replays.record(found, store.read_identity(found.run)["dataset"]["n_samples"], by)


def _print(found: Verification) -> None:
    echo(f"{found.run}: {found.title}", bold=True)
    print_table(["check", "result", ""], [_row(finding) for finding in _shortened(found.findings)], prose=True)
    if found.replayed:
        different = "; ".join(found.conditions)
        echo_wrapped(f"replayed under other conditions: {different}" if different else "replayed as the run was made")
    counts = {status: sum(finding.status == status for finding in found.findings) for status in _SHOWN}
    unchecked = f"; {counts['unchecked']} could not be checked" if counts["unchecked"] else ""
    if found.agrees:
        echo_wrapped(f"everything that could be checked agrees{unchecked}")
    else:
        echo_wrapped(f"it does not agree: {units.number_of(counts['differs'], 'difference')}{unchecked}")


def _row(finding: Finding) -> list[str]:
    return [finding.check, _SHOWN[finding.status], finding.sentence]


def _shortened(findings: Sequence[Finding]) -> Iterable[Finding]:
    """The first findings of each kind, the last of them with the number of those left out."""
    for _, alike in groupby(findings, key=lambda finding: (finding.check, finding.status)):
        listed = list(alike)
        yield from listed[:_MOST]
        if len(listed) > _MOST:
            left = f"and {len(listed) - _MOST:,} more; --json lists all"
            yield replace(listed[0], text=left, sample=None, field=None)
