"""`iiszoo data`: where datasets are, whether their files are sound, and fetching them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iiszoo import units
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.groups import Group
from iiszoo.cli.output import echo, json_option, print_json
from iiszoo.cli.terminal import shown
from iiszoo.data import roots
from iiszoo.errors import BadOption, DatasetError, UnknownId
from iiszoo.file_names import printable
from iiszoo.loading import load_dataset
from iiszoo.names import parse_name
from iiszoo.registry import registry, resolve_dataset

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset

_root = click.option(
    "--root", type=click.Path(path_type=Path), help="The dataset's directory, or one that contains it under its id."
)


@click.group("data", cls=Group)
def command() -> None:
    """Fetch datasets, show where they are, check their files, register a local copy, remove either."""


@command.command("path")
@click.argument("dataset")
@_root
@json_option
def path(dataset: str, root: Path | None, as_json: bool) -> None:
    """Print the directory that DATASET is read from."""
    place = printable(str(_loaded(dataset, root).place))
    print_json({"dataset": printable(dataset), "path": place}) if as_json else echo(place)


@command.command("get")
@click.argument("dataset")
@click.option(
    "--archive",
    "archives",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Unpack this file, which you have downloaded yourself. Can be repeated.",
)
@json_option
def get(dataset: str, archives: Sequence[Path], as_json: bool) -> None:
    """Download, unpack and verify DATASET, unless it is already there.

    It is stored in the cache (IISZOO_CACHE), where every command finds it; downloaded archives are deleted. A stopped
    download continues where it stopped. With IISZOO_OFFLINE=1 no connection is made.
    """
    from iiszoo.data import download
    from iiszoo.engine.runs.dataset_check import verify

    card = registry().datasets.resolve(parse_name(dataset).id)
    counted: list[int | None] = []
    with _bars(transient=False) as show:

        def verify_and_count(loaded: EvaluationDataset) -> None:
            step = f"checking {card.id}"
            counted.append(verify(loaded, card, lambda done, total: show(step, done, total, f"{done} of {total}")))

        def show_bytes(step: str, done: int, total: int | None) -> None:
            show(step, done, total, f"{units.size(done)} of {units.size(total) or '?'}")

        got = download.get(card, archives, verify=verify_and_count, progress=show_bytes)
    n_samples = counted[-1] if counted else None
    if as_json:
        print_json({**vars(got), "n_samples": n_samples})
    elif got.already_there:
        echo(f"{card.id} is already there: {got.path}; `iiszoo data check {card.id}` checks its files")
    else:
        found = "" if n_samples is None else f"{units.number_of(n_samples, 'sample')} in "
        echo(f"{card.id}: {found}{got.path}")


@command.command("check")
@click.argument("dataset")
@_root
@click.option("--full", is_flag=True, help="Decode every image and mask: also finds cut-off files and empty targets.")
@json_option
def check(dataset: str, root: Path | None, full: bool, as_json: bool) -> None:
    """Check that DATASET is complete: pairs of image and mask, their number, and their sizes (from the files' headers).

    If it is absent, report what each possible directory lacks. With --full, read every sample, hash every image, and
    compare with the published dataset if its fingerprint is known.
    """
    dataset = printable(dataset)
    try:
        loaded = _loaded(dataset, root)
    except roots.NotFound as error:
        if as_json:
            lacking = {str(place): absent for place, absent in error.lacking.items()}
            print_json({"dataset": dataset, "path": None, "lacking": lacking})
        raise
    card, place = resolve_dataset(dataset)[0], printable(str(loaded.place))
    with _bars(transient=True) as show:
        report = _look_at(loaded, full, lambda done, total: show(f"checking {dataset}", done, total, ""))
    from iiszoo.engine.runs.dataset_check import differences

    faults = [*report["faults"], *differences(card, report["n_samples"], report["fingerprint"])]
    if as_json:
        print_json({"dataset": dataset, "path": place, **report, "faults": faults})
    elif not faults:
        as_published = ", as published" if full and card.fingerprint else ""
        sound = f"all sound{as_published}" if full else "all files present"
        echo(f"{dataset}: {units.number_of(report['n_samples'], 'sample')} in {place}, {sound}")
    if faults:
        listed = "\n  ".join(faults)
        raise DatasetError(f"dataset {dataset} in {place} has faults:\n  {listed}")


@command.command("add")
@click.argument("dataset")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
def add(dataset: str, directory: Path, as_json: bool) -> None:
    """Register DIRECTORY as the location of DATASET and of the datasets that share its files."""
    card = registry().datasets.resolve(parse_name(dataset).id)
    if card.embedded or card.takes_argument:
        raise BadOption(f"dataset {card.id!r} has no directory of its own to register")
    loaded = _loaded(dataset, directory)  # an error here says which layout is expected
    roots.register(card, loaded.place)
    if as_json:
        print_json({"dataset": card.id, "path": str(loaded.place), "n_samples": len(loaded)})
    else:
        echo(f"{card.id}: {units.number_of(len(loaded), 'sample')} in {loaded.place}")


@command.command("remove")
@click.argument("dataset")
@json_option
def remove(dataset: str, as_json: bool) -> None:
    """Forget the registered directory of DATASET, and delete what `data get` fetched to the cache.

    The same goes for the datasets that share its files. A directory that you registered is never deleted.
    """
    from iiszoo.data import removal

    datasets, id = registry().datasets, parse_name(dataset).id
    try:
        card = datasets.resolve(id)
    except UnknownId:
        if id not in roots.registered():
            raise
        done, ids = removal.Removal(id, forgotten=roots.forget(id, id)), [id]  # its plugin is gone
    else:
        done = removal.remove(card)
        ids = [each.id for each in datasets.cards() if each.root_id == card.root_id]
    if as_json:
        print_json({**vars(done), "datasets": ids})
        return
    of_all = ", ".join(ids)
    for place in done.forgotten:
        echo(f"forgot {place}, the registered directory of {of_all}; its files are as they were")
    for place in done.deleted:
        echo(f"deleted {place}")
    if done.deleted:
        echo(f"deleted {units.size(done.bytes)} of {of_all}")
    for place in done.left:
        again = f"; `iiszoo data remove {id}` once more deletes it" if place in done.forgotten else ""
        echo(f"{place} stays, and {id} can be read from it{again}")


def _loaded(dataset: str, root: Path | None) -> EvaluationDataset:
    with foreign_output():
        return load_dataset(dataset, root)


def _look_at(loaded: EvaluationDataset, full: bool, progress: Callable[[int, int | None], None]) -> dict[str, Any]:
    """`n_samples`, `fingerprint` (None unless `full`) and `faults`, one sentence each."""
    progress(0, None)
    faults = [printable(fault) for fault in loaded.check_files()]
    if not full:
        return {"n_samples": len(loaded), "fingerprint": None, "faults": faults}
    from iiszoo.engine.runs.dataset_check import survey

    found = survey(loaded, None, progress)
    broken = list(dict.fromkeys(found.broken.values()))
    # `survey` reports most faults again, in other words
    others = [fault for fault in faults if not any(fault.split(":")[0] in reason for reason in broken)]
    return {"n_samples": found.total, "fingerprint": found.fingerprint, "faults": [*broken, *others]}


@contextmanager
def _bars(transient: bool) -> Iterator[Callable[[str, int, int | None, str], None]]:
    """Bars on stderr, one per step; call `show(step, done, total, counted)`. Transient bars vanish, and are drawn on a
    terminal only.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[counted]}"))
    hidden = transient and not console.is_terminal
    bars = Progress(*columns, TimeRemainingColumn(), console=console, transient=transient, disable=hidden)
    tasks: dict[str, TaskID] = {}

    def show(step: str, done: int, total: int | None, counted: str) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(shown(step, one_line=True), total=total, counted=counted)
            bars.start()  # only now is there something to draw
        bars.update(tasks[step], completed=done, total=total, counted=counted)

    try:
        with foreign_output():
            yield show
    finally:
        if tasks:
            bars.stop()
