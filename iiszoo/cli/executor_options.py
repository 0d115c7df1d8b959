"""The options of every command that can spread its sessions over processes or machines."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from iiszoo.engine.executors import Executor

_OPTIONS = [
    click.option(
        "--workers",
        "n_workers",
        type=click.IntRange(1),
        help="Processes, each with its own model and one torch thread.  [default: 1; on Ray: as many as have room]",
    ),
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Where sessions are computed: on this machine, or on a Ray cluster.",
    ),
    click.option(
        "--ray-address",
        metavar="ADDR",
        help="The cluster, HOST:PORT or auto.  [default: RAY_ADDRESS, else one of this machine alone]",
    ),
    click.option(
        "--gpus-per-worker",
        type=click.FloatRange(0),
        help="GPUs of a Ray worker; 0.5: two share one.  [default: 1 on cuda]",
    ),
    click.option(
        "--cpus-per-worker", type=click.IntRange(1), help="Cores, and torch's threads, of a Ray worker.  [default: 1]"
    ),
]


def executor_options(command: Any) -> Any:
    """`--workers`, `--executor` and the options of a Ray cluster."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def executor_of(settings: dict[str, Any]) -> AbstractContextManager[Executor]:
    """The executor that those options name, taken out of `settings`. Raises `BadOption` as the executors do."""
    n_workers, name = settings.pop("n_workers"), settings.pop("executor")
    of_ray = {option: settings.pop(option) for option in ("ray_address", "gpus_per_worker", "cpus_per_worker")}
    if name == "ray":
        from iiszoo.engine.executors.ray_cluster import OnRay

        address, gpus, cpus = of_ray.values()
        return OnRay(n_workers, address, cpus or 1, gpus)
    for option, value in of_ray.items():
        if value is not None:
            raise click.UsageError(f"--{option.replace('_', '-')} is for --executor ray alone")
    from iiszoo.engine.executors import InProcess, Processes

    return nullcontext(InProcess() if n_workers in (None, 1) else Processes(n_workers))
