"""Carrying out the runs of a plan, one after the other: what fails is reported, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from iiszoo import assets
from iiszoo.cards import DatasetCard, ModelCard
from iiszoo.data import download
from iiszoo.data.base import EvaluationDataset
from iiszoo.engine.bench import bench
from iiszoo.engine.bench_run import Listener
from iiszoo.engine.reproduce.plan import Attempt, Lack
from iiszoo.engine.runs import dataset_check
from iiszoo.errors import IISZooError, UpstreamError, WeightsError
from iiszoo.progress import NamedProgress

State = Literal["ran", "failed", "lacking", "stopped"]


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: the `summary` of its run, the `reason` for which it failed, or what it `lacks`."""

    attempt: Attempt
    state: State
    summary: dict[str, Any] | None = None
    reason: str = ""
    lacks: tuple[Lack, ...] = ()


def carry_out(
    attempts: Sequence[Attempt],
    settings: Mapping[str, Any],
    *,
    fetch: bool = False,
    listener: Listener | None = None,
    progress: NamedProgress = lambda *_: None,
) -> Iterator[Outcome]:
    """Run the attempts in order, and yield what became of each as it ends; the `settings` are keywords of `bench`.

    Without `fetch` no connection is made, as with `IISZOO_OFFLINE=1`. With it, what an attempt lacks is fetched before
    it runs; what could not be fetched is not tried again for the next one. `progress` reports the fetching of datasets.
    """
    failures: dict[Lack, IISZooError] = {}
    for attempt in attempts:
        if attempt.obstacles(fetch):
            yield not_begun(attempt, fetch)
            continue
        try:
            with nullcontext() if fetch else assets.without_connections():
                for lack in () if attempt.is_done else attempt.lacks:
                    _supply(lack, failures, listener or Listener(), progress)
                (summary,) = bench(
                    attempt.model,
                    attempt.dataset,
                    protocol=attempt.rules,
                    root=attempt.root,
                    out=attempt.out,
                    listener=listener,
                    **settings,
                )
        except IISZooError as error:
            closed = not fetch and isinstance(error, WeightsError | UpstreamError)
            hint = " (without --fetch no connection is made)" if closed else ""
            yield Outcome(attempt, "failed", reason=f"{error}{hint}")
        else:
            yield Outcome(attempt, "ran", summary)


def not_begun(attempt: Attempt, fetch: bool) -> Outcome:
    """The outcome of an attempt that lacks something, or that is not run because all was stopped."""
    lacks = attempt.obstacles(fetch)
    return Outcome(attempt, "lacking" if lacks else "stopped", lacks=lacks)


def _supply(lack: Lack, failures: dict[Lack, IISZooError], listener: Listener, progress: NamedProgress) -> None:
    """Fetch what is lacking, by the rules of the rooms that keep it. Raises what they raise."""
    if lack in failures:
        raise failures[lack]
    try:
        if isinstance(lack.card, ModelCard):
            for file in lack.downloads:
                assets.fetch(lack.card, file.filename, progress=partial(listener.fetching, file.filename))
        elif isinstance(lack.card, DatasetCard):
            _fetch_dataset(lack.card, progress)
    except IISZooError as error:
        failures[lack] = error
        raise


def _fetch_dataset(card: DatasetCard, progress: NamedProgress) -> None:
    def verify(loaded: EvaluationDataset) -> None:
        dataset_check.verify(loaded, card, lambda done, total: progress(f"checking {card.id}", done, total))

    download.get(card, (), verify=verify, progress=progress)
