"""`iiszoo results reproduce`: run models as they were published, and compare the figures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iiszoo import units
from iiszoo.cli.executor_options import executor_of, executor_options
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.interpreter import python_timeout_option, robot_python_option
from iiszoo.cli.output import (
    echo,
    echo_wrapped,
    json_option,
    print_json,
    print_table,
    warn_of_broken_plugins,
)
from iiszoo.cli.run_options import (
    batch_size_option,
    device_option,
    directory,
    keep_going_option,
    limit_option,
    resume_option,
    skip_broken_option,
)
from iiszoo.errors import BadOption, RunError

if TYPE_CHECKING:
    from iiszoo.engine.reproduce.plan import Attempt
    from iiszoo.engine.reproduce.run import Outcome
    from iiszoo.engine.reproduce.view import Reproduction


def _tolerance(ctx: click.Context, param: click.Parameter, value: str) -> Decimal:
    try:
        tolerance = Decimal(value)
    except InvalidOperation:
        tolerance = Decimal("NaN")
    if not tolerance.is_finite() or tolerance < 0:
        raise click.BadParameter(f"{value!r:.60} is not a number of clicks such as 0.02", ctx, param)
    return tolerance


@click.command("reproduce")
@click.argument("models", metavar="[MODEL|FAMILY]...", nargs=-1)
@click.option("--dataset", "-d", "datasets", multiple=True, help="A dataset id, or a pattern. Can be repeated.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="noc85, noc90, ... Can be repeated.")
@click.option(
    "--against",
    default="published",
    show_default=True,
    metavar="TABLE",
    help="The figures to reproduce: published (by papers and upstream repositories), measured (by iiszoo's authors, "
    "with iiszoo), or a FILE.csv with the columns of published.csv.",
)
@click.option("--fetch", is_flag=True, help="Fetch missing weights and data. Without it no connection is made.")
@click.option("--plan", "plan_only", is_flag=True, help="Only print which runs are possible, and what the others lack.")
@click.option(
    "--root",
    type=directory,
    help="A directory that contains datasets under their ids; others are looked for where they were fetched.",
)
@click.option(
    "--out",
    type=directory,
    default=Path("runs/reproduce"),
    show_default=True,
    help="Output directory, with a run directory for each run.",
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="The page.  [default: reproduction.html in --out]"
)
@click.option(
    "--tolerance",
    default="0.02",
    show_default=True,
    callback=_tolerance,
    metavar="CLICKS",
    help="By how much a figure may differ.",
)
@device_option
@batch_size_option
@executor_options
@robot_python_option
@python_timeout_option
@limit_option
@resume_option
@skip_broken_option
@keep_going_option
@json_option
def reproduce(
    models: tuple[str, ...],
    datasets: tuple[str, ...],
    metrics: tuple[str, ...],
    against: str,
    fetch: bool,
    plan_only: bool,
    root: Path | None,
    out: Path,
    html: Path | None,
    tolerance: Decimal,
    resume: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run models as they were published, and print our figures beside the published ones.

    MODEL is an id, a family, or as in `iiszoo list` a pattern or a part of an id; without any, every published figure
    is meant. The same command goes on where it was stopped. Figures of --limit are printed, but not compared.

    The exit code is 0 if every figure that was compared agrees, and 2 if one differs by more than the tolerance, if a
    run failed, or if nothing could be run.
    """
    sys.path.append(os.getcwd())  # so that a table can name module:function of the working directory
    from iiszoo import assets
    from iiszoo.device import check_device
    from iiszoo.engine.reproduce import chosen
    from iiszoo.engine.reproduce.plan import plan
    from iiszoo.engine.reproduce.view import Reproduction

    unknown = [name for name in metrics if name not in chosen.METRICS]
    if unknown:
        raise BadOption(f"no metric to reproduce is called {unknown[0]!r:.60}; there are {', '.join(chosen.METRICS)}")
    if fetch and assets.is_offline():
        raise BadOption("--fetch makes connections, and IISZOO_OFFLINE forbids them; leave out one of them")
    table = chosen.table(against)
    attempts = plan(
        chosen.choose(table, models, datasets, metrics),
        table,
        out,
        root,
        overwrite=not resume,
        robots_elsewhere=settings["robot_python"] is not None,
    )
    if plan_only and as_json:
        print_json([attempt.as_json() for attempt in attempts])
    if not as_json:
        _print_plan(attempts, fetch)
    if plan_only:
        warn_of_broken_plugins()
        return
    began = time.monotonic()
    with executor_of(settings) as executor:
        if executor.here:
            check_device(settings["device"])
        settings |= {"executor": executor, "overwrite": not resume}
        outcomes, was_stopped = _carried_out(attempts, fetch, settings)
    found = Reproduction(outcomes, against, tolerance)
    page = html or out / "reproduction.html"
    if as_json:
        print_json(found.as_json())
    else:
        _print_result(found)
    took = units.time(time.monotonic() - began)
    if any(outcome.state in ("ran", "failed") for outcome in outcomes):
        found.write_page(page)
        echo(f"took {took}; page written to {page.resolve()}", err=as_json)  # with --json, stdout is for JSON only
    if was_stopped:
        again = "the same command" if resume else "the same command without --overwrite"
        echo(f"stopped after {took}; finished samples are kept: {again} continues from here", err=True)
        click.get_current_context().exit(130)
    warn_of_broken_plugins()
    if found.fault:
        raise RunError(found.fault)


def _carried_out(attempts: Sequence[Attempt], fetch: bool, settings: dict[str, Any]) -> tuple[list[Outcome], bool]:
    """What became of every attempt, and whether Ctrl-C ended it."""
    from iiszoo.cli.bench_progress import listener as listener_of
    from iiszoo.engine.reproduce.run import carry_out, not_begun

    outcomes: list[Outcome] = []
    try:
        with listener_of() as listener, foreign_output():
            for outcome in carry_out(attempts, settings, fetch=fetch, listener=listener, progress=listener.step):
                outcomes.append(outcome)
                listener.end(outcome.attempt.name)  # of a run that failed, the listener hears no end
    except KeyboardInterrupt:
        return [*outcomes, *(not_begun(attempt, fetch) for attempt in attempts[len(outcomes) :])], True
    return outcomes, False


def _print_plan(attempts: Sequence[Attempt], fetch: bool) -> None:
    from iiszoo.engine.report.columns import column
    from iiszoo.engine.reproduce.plan import downloads_of, size_of

    def state(attempt: Attempt) -> str:
        if attempt.is_done:
            return "is there"
        obstacles = attempt.obstacles(fetch)
        named = ", ".join(lack.what for lack in obstacles or attempt.lacks)
        return f"{'lacks' if obstacles else 'fetches'} {named}" if named else "can run"

    print_table(
        ["model", "dataset", "figures", "plan"],
        [
            [one.model, one.dataset, ", ".join(column(row.metric).title for row in one.figures), state(one)]
            for one in attempts
        ],
        prose=True,
    )
    for lack in dict.fromkeys(lack for one in attempts if not one.is_done for lack in one.lacks):
        echo_wrapped(f"{lack.what}: {lack.way_out}")
    possible = [attempt for attempt in attempts if not attempt.obstacles(fetch)]
    n_figures = sum(len(attempt.figures) for attempt in attempts)
    here = sum(len(attempt.figures) for attempt in possible)
    files = downloads_of(attempts)
    fetched = f"; --fetch {'fetches' if fetch else 'would fetch'} {size_of(files)}" if files else ""
    echo_wrapped(
        f"{here} of {units.number_of(n_figures, 'figure')} can be reproduced, in "
        f"{units.number_of(len(possible), 'run')}{fetched}"
    )
    echo("")


def _print_result(found: Reproduction) -> None:
    rows = found.rows()
    if rows:
        print_table(found.columns(), rows, prose=True)
    for line in (*found.failures(), *found.not_run()):
        echo_wrapped(line)
    echo(found.answer, bold=True)
