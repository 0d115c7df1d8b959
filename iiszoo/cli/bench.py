"""`iiszoo bench`: the main job."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from iiszoo.builtin import datasets, models
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.output import echo, json_option, metrics_option, print_json, print_results, warn_of_broken_plugins


def _shard(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """`i/n` as a pair of numbers."""
    i, _, n = value.partition("/")
    if not (i.isdigit() and n.isdigit() and 1 <= int(i) <= int(n)):
        raise click.BadParameter(f"{value!r} is not of the form i/n with i from 1 to n, such as 1/4", ctx, param)
    return int(i), int(n)


_directory = click.Path(path_type=Path, file_okay=False)


@click.command("bench")
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    default=[models.DEFAULT],
    show_default=True,
    help="A model's id, its family's name, or module:function. Can be given several times.",
)
@click.option(
    "--dataset",
    "-d",
    "datasets",
    multiple=True,
    default=[datasets.DEFAULT],
    show_default=True,
    help="A dataset's id, or folder:DIR. Can be given several times.",
)
@click.option(
    "--initial",
    metavar="WHAT",
    help="The masks that sessions start from, to be corrected: masks:DIR, files called by their sample's id or by "
    "their image; coco:FILE, instances or results in COCO's format; or perturb:seed=0,iou=0.75-0.85, made from the "
    "targets with an IoU in that range.",
)
@click.option("--root", type=_directory, help="The dataset's directory, or one that holds datasets by their ids.")
@click.option(
    "--protocol",
    default="standard",
    show_default=True,
    help="The rules: standard, ritm, noc95, or a FILE.toml with any of the fields below.",
)
@click.option("--robot", help="Who clicks: an id of `iiszoo list robots`.  [protocol: ritm]")
@click.option("--max-clicks", type=click.IntRange(1, 1000), help="Clicks at most.  [protocol: 20]")
@click.option("--target-iou", type=click.FloatRange(0, 1, min_open=True), help="Good enough.  [protocol: 0.90]")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Object is above it.  [protocol: the model's own, mostly 0.5]",
)
@click.option("--seed", type=click.IntRange(0), help="Of the robot's random choices.  [protocol: 0]")
@click.option(
    "--progressive-merge",
    is_flag=False,
    flag_value="published",
    type=click.Choice(["published", "fixed"]),
    help="Where a session starts from a mask, let a click change only the region that it touches.  [alone: published]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Own weights of the one model given.",
)
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu, cuda, cuda:1, mps.")
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Sessions in one model call.")
@click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes, each with its own model and one torch thread.",
)
@click.option(
    "--shard", callback=_shard, default="1/1", metavar="i/n", help="Run the i-th of n parts, all into one --out."
)
@click.option("--limit", type=click.IntRange(1), help="The first samples of each dataset only.")
@click.option("--out", type=_directory, help="Where results are kept.  [default: runs/PROTOCOL]")
@click.option(
    "--resume/--overwrite",
    default=True,
    show_default=True,
    help="Go on with what is in --out, or discard it and start anew.",
)
@click.option("--skip-broken", is_flag=True, help="Leave broken samples out, and say how many.")
@click.option("--keep-going", is_flag=True, help="Where a model fails, count the sample as a failure and go on.")
@click.option(
    "--python",
    metavar="PATH",
    help="Run the models in this interpreter, with its own torch: the path of a Python >= 3.7 that has numpy.",
)
@click.option(
    "--python-timeout",
    type=click.FloatRange(0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds after which a model call in it counts as hanging.",
)
@metrics_option
@json_option
def command(resume: bool, as_json: bool, metrics: Sequence[str] | None, **settings: Any) -> None:
    """Run models on datasets, with a robot that clicks, and print a table of clicks needed.

    Without options: the built-in method on the built-in images. A run that was stopped goes on where it stopped when
    the same command is given again; a finished one is not run again.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.cli.bench_progress import Bars
    from iiszoo.engine.bench import bench

    try:
        with Bars() as listener, foreign_output():
            summaries = bench(overwrite=not resume, listener=listener, **settings)
    except KeyboardInterrupt:
        again = "the same command" if resume else "the same command without --overwrite"
        echo(f"stopped; what was done is kept: {again} goes on from here", err=True)
        click.get_current_context().exit(130)
    if as_json:
        print_json(summaries)
    else:
        print_results(summaries, metrics)
        places = sorted({str(Path(summary["directory"]).parent) for summary in summaries})
        together = " ".join(places)
        echo(f"kept in {', '.join(places)}; `iiszoo report {together} --html report.html` makes a page of it")
    warn_of_broken_plugins()
