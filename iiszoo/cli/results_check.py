"""`iiszoo results check`: a results repository, without weights and data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo import units
from iiszoo.cli.output import echo, echo_wrapped, json_option, print_json, print_table
from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from iiszoo.engine.results.checking import Checked

_directory = click.Path(path_type=Path, file_okay=False)


@click.command("check")
@click.argument("repo", metavar="REPO", type=_directory)
@click.option(
    "--base",
    type=_directory,
    help="An earlier state of REPO, such as a checkout of its main branch: what changed is listed, and nothing may be "
    "missing.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="Of what is printed; markdown for the summary of a CI job.",
)
@json_option
def check(repo: Path, base: Path | None, form: str, as_json: bool) -> None:
    """Check a results repository: what can be told without weights and data.

    Names and sizes of files, the figures and traces of every run, its protocol and weights beside its model's card, and
    that every replay is of the traces that are there. The exit code is 2 if something differs, else 0. No sample is
    replayed: that is `iiszoo results verify REPO`.
    """
    if as_json and form != "table":
        raise BadOption("--json and --format each print something else; give one of them")
    from iiszoo.cli.bench_progress import listener
    from iiszoo.engine.results.checking import check as check_repository

    with listener() as bars:
        found = check_repository(repo, base, lambda done, total: bars.step(f"checking {repo}", done, total))
    if as_json:
        print_json(_values(found))
    elif form == "markdown":
        _print_markdown(found, base is not None)
    else:
        _print(found, base is not None)
    if not found.agrees:
        click.get_current_context().exit(2)


def _values(found: Checked) -> dict[str, object]:
    places = [{"path": place.path, "findings": place.findings} for place in found.places]
    return {"agrees": found.agrees, "n_runs": found.n_runs, "places": places, "changes": found.changes}


def _rows(found: Checked) -> list[list[str]]:
    return [[place.path, fault.check, fault.sentence] for place in found.places for fault in place.faults]


def _outcome(found: Checked) -> str:
    whole = units.number_of(found.n_runs, "run")
    n_faults = len(_rows(found))
    return f"{whole} checked: {units.number_of(n_faults, 'fault') if n_faults else 'everything agrees'}"


def _print(found: Checked, compared: bool) -> None:
    from iiszoo.engine.results import changes

    if found.changes:
        print_table(changes.COLUMNS, [change.cells for change in found.changes])
    elif compared:
        echo("no run and no card changed")
    if rows := _rows(found):
        print_table(["where", "check", ""], rows, prose=True)
    echo_wrapped(_outcome(found))


def _print_markdown(found: Checked, compared: bool) -> None:
    from iiszoo.engine.results import changes

    echo(f"**{_outcome(found)}**")
    for path, check, sentence in _rows(found):
        echo(f"- `{path}`, {check}: {sentence}")
    if compared:
        echo("")
        echo(changes.markdown(found.changes))
