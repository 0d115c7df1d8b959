"""`iiszoo results compare`: where two runs differ."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compare")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
def compare(a: Path, b: Path) -> None:
    """Compare two runs, sample by sample."""
