"""`iiszoo train`: train a click model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from iiszoo import units
from iiszoo.cli.output import echo


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--new", is_flag=True, help="Only write a commented configuration to CONFIG.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Run directory.  [default: runs/train/CONFIG]"
)
@click.option(
    "--from",
    "start",
    metavar="MODEL_OR_RUN",
    help="Fine-tune a model, a run directory or its safetensors file, or bare weights that fit [network].",
)
@click.option(
    "--dataset", "datasets", multiple=True, help="Train on this instead of the configuration's datasets; repeatable."
)
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps.  [configuration: auto]")
@click.option("--precision", help="auto, 32-true, bf16-mixed, 16-mixed.  [configuration: auto]")
@click.option("--steps", type=click.IntRange(1), help="Train for this many steps.  [configuration]")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Train for this long; the schedule adapts.  [configuration]",
)
@click.option("--workers", type=click.IntRange(0), help="Processes that prepare samples.  [configuration: cores - 2]")
@click.option("--batch-size", type=click.IntRange(1), help="Samples per step.  [configuration: 64]")
@click.option("--resume", is_flag=True, help="Continue the run in --out.")
def command(
    config: Path,
    new: bool,
    out: Path | None,
    start: str | None,
    datasets: tuple[str, ...],
    resume: bool,
    **changes: Any,
) -> None:
    """Train a click model as CONFIG.toml specifies. Options override its [run] table, --from its start, and --dataset
    its [[data]], of which the first region selector stays.
    """
    import dataclasses

    if new:
        from iiszoo.engine.training.template import write

        write(config)
        echo(f"wrote {config}; train with `iiszoo train {config}`")
        return
    from iiszoo.engine.training.config import DataTable
    from iiszoo.engine.training.config_file import read
    from iiszoo.engine.training.run import train

    wanted = read(config)
    given = {key: value for key, value in changes.items() if value is not None}
    if "steps" in given and "minutes" not in given:
        given["minutes"] = 0.0
    if "minutes" in given and "steps" not in given:
        given["steps"] = 0
    if start is not None:
        wanted = dataclasses.replace(wanted, start=start)
    if datasets:
        tables = tuple(DataTable(dataset, selector=wanted.data[0].selector) for dataset in datasets)
        wanted = dataclasses.replace(wanted, data=tables)
    wanted = dataclasses.replace(wanted, run=dataclasses.replace(wanted.run, **given))
    directory = out or Path("runs/train") / config.stem
    began = time.monotonic()
    try:
        facts = train(wanted, directory, resume=resume, say=echo)
    except KeyboardInterrupt:
        took = units.time(time.monotonic() - began)
        echo(f"stopped after {took}; continue with `iiszoo train {config} --out {directory} --resume`", err=True)
        click.get_current_context().exit(130)
    best = min(facts["validations"], key=lambda v: v["noc90"], default=None)
    result = f": NoC@90 {best['noc90']:.2f} at step {best['step']}" if best else ""
    echo(f"saved in {directory}{result}; took {units.time(time.monotonic() - began)}")
