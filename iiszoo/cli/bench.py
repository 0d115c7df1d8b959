"""`iiszoo bench`: run the benchmark."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from iiszoo import units
from iiszoo.builtin import datasets, models
from iiszoo.cli.compute_options import cuda_graphs_option, precision_option, runtime_option
from iiszoo.cli.executor_options import executor_of, executor_options
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.interpreter import python_option, python_timeout_option, robot_python_option
from iiszoo.cli.output import echo, echo_wrapped, json_option, metrics_option, print_json, warn_of_broken_plugins
from iiszoo.cli.run_options import (
    batch_size_option,
    device_option,
    directory,
    keep_going_option,
    limit_option,
    resume_option,
    skip_broken_option,
)


def _shard(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """`i/n` as a pair of numbers."""
    i, _, n = value.partition("/")
    if not (i.isdigit() and n.isdigit() and 1 <= int(i) <= int(n)):
        raise click.BadParameter(f"{value!r} is not of the form i/n with i from 1 to n, such as 1/4", ctx, param)
    return int(i), int(n)


@click.command("bench")
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    default=[models.DEFAULT],
    show_default=True,
    help="A model id, a family name, or module:function. Can be repeated.",
)
@click.option(
    "--dataset",
    "-d",
    "datasets",
    multiple=True,
    default=[datasets.DEFAULT],
    show_default=True,
    help="A dataset id, or folder:DIR. Can be repeated.",
)
@click.option(
    "--initial",
    metavar="WHAT",
    help="The masks that sessions start from and correct: masks:DIR, files named after their sample id or their image; "
    "coco:FILE, instances or results in COCO format; or perturb:seed=0,iou=0.75-0.85, made from the targets with an "
    "IoU in that range.",
)
@click.option("--root", type=directory, help="The dataset's directory, or one that contains datasets under their ids.")
@click.option(
    "--protocol",
    default="standard",
    show_default=True,
    help="The evaluation protocol: standard, ritm, noc95, hq, or a FILE.toml with any of the fields below.",
)
@click.option("--robot", help="The robot that clicks: an id from `iiszoo list robots`.  [protocol: ritm]")
@click.option("--max-clicks", type=click.IntRange(1, 1000), help="Clicks per session, at most.  [protocol: 20]")
@click.option(
    "--target-iou",
    type=click.FloatRange(0, 1, min_open=True),
    help="IoU that is good enough to end a session.  [protocol: 0.90]",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability above which a pixel is object.  [protocol: the model's own, mostly 0.5]",
)
@click.option("--seed", type=click.IntRange(0), help="Seed of the robot's random choices.  [protocol: 0]")
@click.option(
    "--progressive-merge",
    is_flag=False,
    flag_value="published",
    type=click.Choice(["published", "fixed"]),
    help="In a session that starts from a mask, let a click change only the region that it touches.  [without a value: "
    "published]",
)
@runtime_option
@precision_option
@cuda_graphs_option
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Your own weights, for a single model.",
)
@device_option
@batch_size_option
@executor_options
@click.option(
    "--shard", callback=_shard, default="1/1", metavar="i/n", help="Run part i of n; all parts share one --out."
)
@limit_option
@click.option("--out", type=directory, help="Output directory.  [default: runs/PROTOCOL]")
@resume_option
@skip_broken_option
@keep_going_option
@python_option
@robot_python_option
@python_timeout_option
@metrics_option
@json_option
def command(resume: bool, as_json: bool, metrics: Sequence[str] | None, **settings: Any) -> None:
    """Run models on datasets, with a robot that clicks, and print a table of the clicks needed.

    Without options: the built-in method on the built-in images. Running the same command again continues a stopped run;
    a finished run is not repeated.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.engine.first_turn import compile_beside

    compile_beside(settings["datasets"][0], settings["root"])  # torch's import, below, takes as long
    from iiszoo.cli.bench_progress import listener as listener_of
    from iiszoo.engine.bench import bench

    began = time.monotonic()
    try:
        with listener_of() as listener, foreign_output(), executor_of(settings) as executor:
            summaries = bench(overwrite=not resume, executor=executor, listener=listener, **settings)
    except KeyboardInterrupt:
        again = "the same command" if resume else "the same command without --overwrite"
        took = units.time(time.monotonic() - began)
        echo(f"stopped after {took}; finished samples are kept: {again} continues from here", err=True)
        click.get_current_context().exit(130)
    took = f"took {units.time(time.monotonic() - began)}"
    if as_json:
        print_json(summaries)
        echo(took, err=True)
    else:
        _print(summaries, settings["limit"], metrics)
        directories = sorted({str(Path(summary["directory"]).parent) for summary in summaries})
        together = " ".join(directories)
        echo_wrapped(
            f"{took}; results are in {', '.join(directories)}; `iiszoo report {together} --html FILE` makes a page"
        )
    warn_of_broken_plugins()


def _print(summaries: Sequence[dict[str, Any]], limit: int | None, metrics: Sequence[str] | None) -> None:
    """Print the comparison of the runs: some may have done more samples than others, in earlier invocations."""
    from iiszoo.cli.comparisons import print_comparison
    from iiszoo.engine.comparison.samples import limited, on_common_samples
    from iiszoo.engine.runs.summary import read

    runs = [read(Path(summary["directory"])) for summary in summaries]
    results, sentences = on_common_samples(limited(runs, limit))
    print_comparison(results, sentences, metrics)
