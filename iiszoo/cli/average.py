"""`iiszoo average`: the average of trained networks."""

from __future__ import annotations

from pathlib import Path

import click

from iiszoo.cli.output import echo


@click.command("average")
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@click.option(
    "--out",
    required=True,
    metavar="FILE.safetensors",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; it is a model.",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    type=float,
    help="A network's share, in any unit; give one for each, in their order.  [default: equal]",
)
def command(networks: tuple[str, ...], out: Path, shares: tuple[float, ...]) -> None:
    """Average the weights of trained networks, such as a fine-tuned one and its start.

    The average often keeps what the start could do elsewhere. All must be of one network and share a start. The first
    is a run of `iiszoo train`, its safetensors file, or such a model (smp); the others may also be bare weights.
    """
    from iiszoo.engine.training.average_weights import average

    used = average(networks, out, shares or None)
    for network, share in zip(networks, used, strict=True):
        echo(f"{100 * share:5.1f} %  {network}")
    echo(f"wrote {out}; try it with `iiszoo bench --model {out}`")
