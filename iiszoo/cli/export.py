"""`iiszoo export`: a model's networks as files for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from iiszoo import units
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.output import echo, json_option, print_json


@click.command("export")
@click.argument("model")
@click.option(
    "--onnx",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The directory for the ONNX files, metadata.json and README.md.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Your own weights for the model.",
)
@json_option
def command(model: str, directory: Path, checkpoint: Path | None, as_json: bool) -> None:
    """Write MODEL's networks as ONNX files, for photo editors, annotation tools and other programs.

    metadata.json states inputs, sizes, how clicks are encoded, threshold, licences and hashes; the README has an
    example in numpy.
    """
    from iiszoo.engine.export import export_onnx

    with foreign_output():
        written = export_onnx(model, directory, checkpoint)
    if as_json:
        print_json([str(file) for file in written])
        return
    for file in written:
        echo(f"{file}: {units.size(file.stat().st_size)}")
