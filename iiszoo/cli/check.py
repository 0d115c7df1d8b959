"""`iiszoo check`: whether a model, a dataset or a robot conforms to the standard format."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.output import echo, json_option, print_json

if TYPE_CHECKING:
    from iiszoo.testing.check import Checked, Outcome

_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


@click.command("check")
@click.argument("model", required=False)
@click.option("--dataset", metavar="ID", help="Check this dataset instead of a model.")
@click.option("--robot", metavar="ID", help="Check this robot instead of a model.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="With --dataset: its directory, or one that contains it under its id.",
)
@click.option(
    "--weights",
    is_flag=True,
    help="The weights are trained: fetch the card's if they are absent, and also check what clicks and colours mean.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights for the model instead of its card's; without --weights, synthetic ones will do.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    help="How far answers may differ if other kernels compute them: in a batch, a thread, another process.  "
    "[default: what its card states, mostly 0.001]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    help="Seconds that a session in another process may take.  [default: 120]",
)
@json_option
def command(
    model: str | None,
    dataset: str | None,
    robot: str | None,
    root: Path | None,
    weights: bool,
    checkpoint: Path | None,
    tolerance: float | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Check that MODEL, an id or module:function, conforms to the standard format; or a dataset, or a robot.

    Nothing is downloaded without --weights: if a model's weights are not in the cache, only its card and its plugin are
    checked, unless --checkpoint is given. What clicks and colours mean is checked for models without weights, and with
    --weights. A function without arguments is called to get the model. Of a dataset about a dozen samples are read;
    `iiszoo data check` reads all. The page "conformance" of the documentation lists every check. The exit code is 2 if
    a check fails.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    _refuse_what_does_not_belong(model, dataset, robot, root, weights or checkpoint or tolerance is not None)
    from iiszoo.testing.conformance import TIMEOUT, dataset_subject_of, outcomes, robot_subject_of, subject_of

    seconds = TIMEOUT if timeout is None else timeout
    subject: Checked
    if dataset is not None:
        subject = dataset_subject_of(dataset, root=root, timeout=seconds)
    elif robot is not None:
        subject = robot_subject_of(robot, timeout=seconds)
    else:
        subject = subject_of(
            str(model), checkpoint=checkpoint, trained=weights or None, tolerance=tolerance, timeout=seconds
        )
    done: list[Outcome] = []
    waiting: list[Outcome] = []  # skipped one after another for one reason, which is printed once
    checking = outcomes(subject)
    while True:
        with foreign_output():
            outcome = next(checking, None)
        if waiting and (outcome is None or (outcome.status, outcome.message) != ("skipped", waiting[0].message)):
            _echo(waiting, err=as_json)
            waiting = []
        if outcome is None:
            break
        done.append(outcome)
        waiting.append(outcome)
        if outcome.status != "skipped":
            _echo(waiting, err=as_json)
            waiting = []
    counts = {status: sum(outcome.status == status for outcome in done) for status in _COLOURS}
    if as_json:
        print_json({subject.kind: subject.name, **counts, "checks": done})
    else:
        echo(f"{subject.name}: {', '.join(f'{number} {status}' for status, number in counts.items())}")
    if any(outcome.check == "loads" and outcome.status == "skipped" for outcome in done):
        echo(f"the {subject.kind} itself was not checked", err=True)
    if counts["failed"]:
        click.get_current_context().exit(2)


def _refuse_what_does_not_belong(
    model: str | None, dataset: str | None, robot: str | None, root: Path | None, of_model: object
) -> None:
    """Raises `click.UsageError` unless exactly one thing is named, with options of its own."""
    if [model, dataset, robot].count(None) != 2:
        raise click.UsageError("Name one thing to check: MODEL, --dataset ID or --robot ID.")
    if root is not None and dataset is None:
        raise click.UsageError("--root is an option of --dataset.")
    if of_model and model is None:
        raise click.UsageError("--weights, --checkpoint and --tolerance are options of a model.")


def _echo(outcomes: Sequence[Outcome], *, err: bool) -> None:
    """Print the outcome of a check, or of several that were skipped for the same reason."""
    first, *more = outcomes
    tail = f"  {first.message}" if first.message else ""
    status = click.style(f"{first.status:7}", fg=_COLOURS[first.status])
    echo(f"  {first.check:24}  {first.seconds:6.1f} s{tail}", head=status, err=err)
    if more:
        names = ", ".join(outcome.check for outcome in more)
        lines = textwrap.fill(f"and {len(more)} for the same reason: {names}", 100, break_on_hyphens=False)
        echo(textwrap.indent(lines, " " * 9), err=err)
