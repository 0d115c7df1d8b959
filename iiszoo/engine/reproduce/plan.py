"""Which runs answer which figures, and what each lacks on this machine. Nothing is fetched or run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iiszoo import assets, units
from iiszoo.cards import DatasetCard, Download, ModelCard
from iiszoo.data import roots
from iiszoo.engine.evaluation_protocol import EvaluationProtocol, load_protocol
from iiszoo.engine.reproduce.chosen import target_of
from iiszoo.engine.runs import run_name, store
from iiszoo.errors import IISZooError
from iiszoo.figures import Published
from iiszoo.loading import load_dataset
from iiszoo.model_reference import CardReference, ModelReference, resolve
from iiszoo.registry import resolve_dataset, resolve_robot

_STANDARD = "standard"


@dataclass(frozen=True)
class Lack:
    """Something that a run needs and that is not on this machine.

    `downloads` are the files that fetching it takes; if there are none, a person must supply it. `card` is the model or
    the dataset that it belongs to, None if that is unknown itself.
    """

    what: str
    way_out: str
    downloads: tuple[Download, ...] = ()
    card: ModelCard | DatasetCard | None = None

    @property
    def can_be_fetched(self) -> bool:
        return bool(self.downloads)


@dataclass(frozen=True)
class Attempt:
    """One run, and the figures that it answers: those of one model, dataset and robot.

    `root` is where the dataset is looked for, `out` the directory that the run's own is in. `is_done`: it is there and
    complete, so that nothing is needed any more.
    """

    model: str
    dataset: str
    rules: EvaluationProtocol
    figures: tuple[Published, ...]
    lacks: tuple[Lack, ...]
    root: Path | None
    out: Path
    is_done: bool

    @property
    def name(self) -> str:
        return f"{self.model} on {self.dataset}"

    def obstacles(self, fetch: bool) -> tuple[Lack, ...]:
        """What keeps it from running: everything that it lacks, but for what may be fetched."""
        return () if self.is_done else tuple(lack for lack in self.lacks if not (fetch and lack.can_be_fetched))

    def as_json(self) -> dict[str, Any]:
        """The run, the figures that it answers, and what it lacks."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "protocol": self.rules.as_json(),
            "figures": [asdict(row) for row in self.figures],
            "is_done": self.is_done,
            "lacks": [
                {"what": lack.what, "way_out": lack.way_out, "can_be_fetched": lack.can_be_fetched}
                for lack in self.lacks
            ],
        }


def rules_of(rows: Sequence[Published]) -> EvaluationProtocol:
    """The published protocol of rows of one model, dataset and robot.

    Papers run at most 20 clicks, at the threshold that the model's card states (`ModelCard.threshold`; RITM and
    SimpleClick 0.49). One session answers every NoC up to its target IoU: it ends at the first click that reaches the
    target, and what it did up to there does not depend on the target. So NoC@85 of a run until 0.90 is that of a run
    until 0.85; the target is 0.90, the field's, or the highest that any row asks for.
    """
    target = max([load_protocol(_STANDARD).target_iou, *(target_of(row.metric) for row in rows)])
    return load_protocol(_STANDARD, robot=rows[0].robot, target_iou=target)


def plan(
    chosen: Sequence[Published],
    table: Sequence[Published],
    out: Path,
    root: Path | None = None,
    *,
    overwrite: bool = False,
    robots_elsewhere: bool = False,
) -> list[Attempt]:
    """The runs that answer the figures `chosen` from a `table`, in its order.

    The protocol is that of all figures in the table, so that choosing others later goes on with the same runs. A
    dataset is looked for under `root`, then where every command finds it. With `overwrite` no earlier run counts. With
    `robots_elsewhere` robots run in another interpreter, so that it is not known here whether they are there.
    """
    by_run: dict[tuple[str, str, str], list[Published]] = {}
    for row in table:
        by_run.setdefault((row.model, row.dataset, row.robot), []).append(row)
    places: dict[str, tuple[Path | None, Lack | None]] = {}
    attempts = []
    for (model, dataset, robot), rows in by_run.items():
        wanted = tuple(row for row in rows if row in chosen)
        if not wanted:
            continue
        if dataset not in places:
            places[dataset] = _place_of(dataset, root)
        place, no_data = places[dataset]
        rules = rules_of(rows)
        shelf = out / f"{run_name.plain_name(robot)}-{round(100 * rules.target_iou)}"
        name, lacks = _lacks_of_model(model)
        lacks += [*([] if robots_elsewhere else _lacks_of_robot(robot)), *([no_data] if no_data else [])]
        done = not overwrite and _is_done(shelf / run_name.slug(name, dataset))
        attempts.append(Attempt(name, dataset, rules, wanted, tuple(lacks), place, shelf, done))
    return attempts


def downloads_of(attempts: Sequence[Attempt]) -> list[Download]:
    """The files to fetch for the runs that fetching makes possible, each once."""
    possible = [one for one in attempts if not one.is_done and not one.obstacles(fetch=True)]
    return list(dict.fromkeys(file for one in possible for lack in one.lacks for file in lack.downloads))


def size_of(downloads: Sequence[Download]) -> str:
    """`62 MB`, `62 MB and 2 files of unknown size`."""
    sizes = [file.shown_size for file in downloads]
    known = [size for size in sizes if size is not None]
    unknown = units.number_of(len(sizes) - len(known), "file") + " of unknown size"
    return " and ".join([*([units.size(sum(known))] if known else []), *([unknown] if len(known) < len(sizes) else [])])


def _is_done(directory: Path) -> bool:
    try:
        return bool(store.read_summary(directory).get("complete"))
    except IISZooError:
        return False


def _lacks_of_model(model: str) -> tuple[str, list[Lack]]:
    """The model's resolved name, and what it lacks."""
    try:
        reference: ModelReference = resolve(model)
    except IISZooError as error:
        return model, [Lack(f"model {model}", str(error))]
    if not isinstance(reference, CardReference):
        return reference.name, []
    card = reference.card
    return reference.name, [
        _lack_of_weights(card, file) for file in card.weights if assets.status(card, file).state != "present"
    ]


def _lack_of_weights(card: ModelCard, file: Download) -> Lack:
    what = f"weights {file.filename} of {card.family}"
    if not file.urls:
        return Lack(what, assets.way_out(card, file.filename), card=card)
    licence = f", licence: {card.weights_licence or card.licence}"
    command = f"iiszoo weights get {card.id}"
    return Lack(what, f"--fetch or `{command}` fetches them ({size_of([file])}{licence})", (file,), card)


def _lacks_of_robot(robot: str) -> list[Lack]:
    try:
        resolve_robot(robot)
    except IISZooError as error:
        return [Lack(f"robot {robot}", str(error))]
    return []


def _place_of(dataset: str, root: Path | None) -> tuple[Path | None, Lack | None]:
    """Where the dataset is to be looked for, and the dataset itself if it is not there."""
    what = f"dataset {dataset}"
    try:
        card, _ = resolve_dataset(dataset)
    except IISZooError as error:
        return None, Lack(what, str(error))
    for place in dict.fromkeys((root, None)):
        try:
            load_dataset(dataset, place)
            return place, None
        except roots.NotFound as error:
            if _is_incomplete(card, error):
                return place, Lack(what, str(error), card=card)
        except IISZooError as error:  # it is there, but cannot be used
            return place, Lack(what, str(error), card=card)
    return None, _lack_of_dataset(card, what)


def _is_incomplete(card: DatasetCard, error: roots.NotFound) -> bool:
    """Whether a directory of the dataset's name is there, without all that it must contain."""
    return any(absent is not None and place.name in (card.id, card.root_id) for place, absent in error.lacking.items())


def _lack_of_dataset(card: DatasetCard, what: str) -> Lack:
    own = f"if you have it, give --root, or run `iiszoo data add {card.id} DIR`"
    if not card.archives:
        source = f"it has no download address; get it from {card.homepage}; " if card.homepage else ""
        return Lack(what, f"{source}{own}", card=card)
    size = ", ".join(filter(None, [size_of(card.archives), f"licence: {card.licence}"]))
    return Lack(what, f"--fetch or `iiszoo data get {card.id}` fetches it ({size}); {own}", card.archives, card)
