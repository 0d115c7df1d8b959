"""`iiszoo results site`: a results repository as static pages."""

from __future__ import annotations

from pathlib import Path

import click

from iiszoo import units
from iiszoo.cli.output import echo, warn_of_broken_plugins


@click.command("site")
@click.argument("repo", metavar="REPO", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where the pages go: index.html, one page a model, JSON beside each.",
)
@click.option(
    "--show",
    "shown",
    metavar="DATASET",
    multiple=True,
    help="Show the images of this dataset beside the worst samples; only if its licence lets you publish them. Can be "
    "repeated.  [default: of no dataset but demo]",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The dataset's directory, or one that contains datasets under their ids: the source of these images.",
)
@click.option("--title", default="Interactive segmentation: leaderboard", show_default=True, help="Of the pages.")
def site(repo: Path, out: Path, shown: tuple[str, ...], root: Path | None, title: str) -> None:
    """Write a results repository as pages: a table to sort and filter, and a page for every model.

    The pages need neither a server nor a network. Runs that `iiszoo results check` does not pass are named on stderr
    and left out. Beside the runs stand the published figures.
    """
    from iiszoo.engine.site.writing import write

    done = write(repo, out, shown, root, title)
    for sentence in done.left_out:
        echo(f"left out: {sentence}", err=True)
    for sentence in done.no_pictures:
        echo(f"no pictures: {sentence}", err=True)
    echo(f"{units.number_of(done.n_runs, 'run')} of {units.number_of(done.n_models, 'model')}: {out / 'index.html'}")
    warn_of_broken_plugins()
