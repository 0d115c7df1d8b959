"""Sessions on a Ray cluster: actors on its nodes, each with its own model and dataset; this process drives them.

Ray is imported when an executor is used, not before. The driver gives groups to actors, takes their traces and is the
only writer. Killing it ends the actors, and loses what they had in flight. Weights and other files reach the nodes
through the object store where they are not there already (`sent_files`).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Held, Job
from iiszoo.engine.executors.ray_run import Member, RayRun
from iiszoo.errors import BadOption, one_line

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.runs.provenance import Elsewhere

_log = logging.getLogger("iiszoo.engine")

_LOOK_SECONDS = 2.0
"""How often the cluster is asked for its nodes."""
_PATIENCE_SECONDS = 15.0
"""Without any worker, after which the user is told what the cluster waits for."""


@dataclass(eq=False)
class OnRay:
    """Runs jobs on a Ray cluster: `with OnRay() as executor: bench(..., executor=executor)`.

    Attributes:
        n_workers: actors, at most; those for which there is no room yet begin when nodes join. None: as many as the
            nodes have room for, also those that join later.
        address: of the cluster, `HOST:PORT` or `auto`; None: `RAY_ADDRESS`, else a cluster of this machine alone, which
            ends with this process.
        cpus: cores of an actor, and torch's threads in it.
        gpus: of an actor; a fraction shares one. None: 1 for jobs on CUDA, else 0.

    If Ray is initialised already, that cluster is used and left running. Raises `BadOption` for values that cannot be
    used, and where Ray is not installed or the cluster cannot be reached.
    """

    n_workers: int | None = None
    address: str | None = None
    cpus: int = 1
    gpus: float | None = None
    here = False
    crew: list[Member] = field(default_factory=list, repr=False)
    _held: Held = field(default_factory=Held, repr=False)
    _started: bool = field(default=False, repr=False)
    _capacity: tuple[float, int] = field(default=(0.0, 0), repr=False)
    _lonely_since: float | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("number of workers", self.n_workers), ("cores of a worker", self.cpus)):
            if value is not None and value < 1:
                raise BadOption(f"the {name} must be at least 1, not {value}")
        if self.gpus is not None and (self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus))):
            raise BadOption(f"the GPUs of a worker must be a whole number or a fraction of one, not {self.gpus:g}")
        if importlib.util.find_spec("ray") is None:
            raise BadOption('a Ray cluster needs Ray, which is not installed; run `pip install "iiszoo[ray]"`')

    @property
    def threads(self) -> int:
        return self.cpus

    def __enter__(self) -> OnRay:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, and Ray if this executor has started it."""
        for member in self.crew:
            member.kill()
        self.crew.clear()
        if self._started:
            import ray

            ray.shutdown()
            self._started = False

    def prepare(self, job: Job, dataset: EvaluationDataset) -> Elsewhere:
        """Load the job on one node; returns that node's environment. Raises what fails there, with the node's name."""
        self._check_device(job.device)
        self._held.keep(job, dataset)
        job.robot.release()
        self._connect()
        self._check_room(job)
        return self._run(job, [], lambda trace: None).first_environment()

    def run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> None:
        """As `Executor.run`. Groups of an actor that dies are run again elsewhere; a sample whose worker dies a second
        time counts as failed. Raises `RunError` if every new actor dies.
        """
        self._run(job, groups, emit).run()

    def _run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> RayRun:
        return RayRun(self, job, job.samples_of(self._held.dataset(job)), groups, emit)

    def _check_device(self, device: str) -> None:
        kind, _, index = device.partition(":")
        if index not in ("", "0"):
            raise BadOption(f"device {device}: on Ray a worker sees its own GPU alone; give --device {kind}")
        if kind == "cuda" and self.gpus == 0:
            raise BadOption("device cuda needs workers with a GPU; give --gpus-per-worker 1, or a fraction of one")

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ray.exceptions.RayError, RuntimeError, ValueError, OSError) as error:
            raise BadOption(
                f"Ray cluster {address}: {one_line(error)}; start one with `ray start --head`, and give its HOST:PORT "
                "as --ray-address"
            ) from error
        self._started = True

    def needs(self, device: str) -> dict[str, float]:
        """The resources of an actor, by Ray's names."""
        gpus = self.gpus if self.gpus is not None else float(device.startswith("cuda"))
        return {"CPU": self.cpus, **({"GPU": gpus} if gpus else {})}

    def hire(self, device: str, *, first: bool) -> Member:
        """A new actor, which begins when a node has room for it."""
        import ray

        from iiszoo.engine.executors.ray_worker import RayWorker

        needs = self.needs(device)
        actor = (
            ray.remote(RayWorker)
            .options(
                num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0), max_restarts=0, max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(self.cpus)
        )  # fmt: skip
        member = Member(actor, first)
        self.crew.append(member)
        return member

    def wanted(self, device: str) -> int:
        """The actors that there should be: `n_workers`, else as many as the nodes have room for."""
        if self.n_workers is not None:
            return self.n_workers
        looked, capacity = self._capacity
        if time.monotonic() - looked > _LOOK_SECONDS:
            capacity = sum(_room(node, self.needs(device)) for node in _nodes())
            self._capacity = time.monotonic(), capacity
        return capacity

    def _check_room(self, job: Job) -> None:
        """Refuse what this machine, as a cluster of its own, will never have room for."""
        needs = self.needs(job.device)
        alone = self._started and not (self.address or os.environ.get("RAY_ADDRESS"))
        if alone and not any(_room(node, needs) for node in _nodes()):
            raise BadOption(f"this machine has no room for a worker of {_words(needs)}; it has {_words(_totals())}")

    def notice(self, device: str) -> None:
        """Say once, after a while, that no actor can begin."""
        if any(member.begun for member in self.crew):
            self._lonely_since = None
        elif self._lonely_since is None:
            self._lonely_since = time.monotonic()
        elif time.monotonic() - self._lonely_since > _PATIENCE_SECONDS:
            self._lonely_since = float("inf")  # once
            _log.warning(
                "no worker has begun yet: each needs %s, and the cluster has %s, some of it perhaps in use",
                _words(self.needs(device)), _words(_totals()),
            )  # fmt: skip


def _nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _room(node: dict[str, Any], needs: dict[str, float]) -> int:
    return min(int(node["Resources"].get(name, 0) / amount + 1e-9) for name, amount in needs.items())


def _totals() -> dict[str, float]:
    with suppress(Exception):  # only for a message
        return {name: sum(node["Resources"].get(name, 0) for node in _nodes()) for name in ("CPU", "GPU")}
    return {}


def _words(resources: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in resources.items())
