"""The options of every command that runs a benchmark: where the data are, and how the work is done."""

from __future__ import annotations

from pathlib import Path

import click

directory = click.Path(path_type=Path, file_okay=False)

device_option = click.option(
    "--device", default="cpu", show_default=True, help="Device of the models: cpu, cuda, cuda:1, mps."
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Sessions per model call."
)
limit_option = click.option(
    "--limit", type=click.IntRange(1), help="Run only this many samples of each dataset, from its first."
)
resume_option = click.option(
    "--resume/--overwrite",
    default=True,
    show_default=True,
    help="Continue the runs in --out, or discard them and start over.",
)
skip_broken_option = click.option("--skip-broken", is_flag=True, help="Leave out broken samples and report how many.")
keep_going_option = click.option(
    "--keep-going", is_flag=True, help="If a model fails, count the sample as a failure and continue."
)
