"""`iiszoo results add`: runs into a results repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from iiszoo import units
from iiszoo.cli.output import echo, json_option, print_json, print_table, warn_of_broken_plugins
from iiszoo.errors import IISZooError


@click.command("add")
@click.argument("directories", metavar="RUN...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--to",
    "repo",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The results repository; a new directory becomes one.",
)
@click.option("--replace", is_flag=True, help="Replace a run of the same model, data and protocol that is there.")
@json_option
def add(directories: tuple[Path, ...], repo: Path, replace: bool, as_json: bool) -> None:
    """Copy runs into a results repository.

    RUN is a run directory, or one that contains several. Each is checked first; one that is incomplete, damaged or
    inconsistent is named on stderr and left out, and the exit code is then 2. The page "results" of the documentation
    has the layout.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.engine.results.adding import Added
    from iiszoo.engine.results.adding import add as add_run
    from iiszoo.engine.runs import store

    done: list[Added] = []
    faults = 0
    for run in [run for directory in directories for run in store.find_runs(directory)]:
        try:
            done.append(add_run(run, repo, replace))
        except IISZooError as error:
            faults += 1
            echo(f"error: {error}", err=True)
    if as_json:
        print_json(done)
    elif done:
        rows = [[one.outcome if one.outcome != "there" else "there already", str(one.place)] for one in done]
        print_table(["", "run"], rows)
        echo(f"{units.number_of(len(done), 'run')} in {repo}; `iiszoo results check {repo}` checks all of it")
    warn_of_broken_plugins()
    if faults:
        click.get_current_context().exit(2)
