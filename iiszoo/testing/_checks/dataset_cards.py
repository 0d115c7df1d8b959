"""Checks of a dataset's card, and of how the dataset is loaded."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from iiszoo.data.base import EvaluationDataset
from iiszoo.errors import DatasetError, with_place
from iiszoo.object_path import load_object
from iiszoo.testing._checks.assertions import card_of, environment, states
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.dataset_subject import DatasetSubject


@check(
    "a card states summary, licence and layout",
    catches="a dataset whose terms of use, or whose files, a user has to guess",
    look="the card",
    after=(),
    of=("dataset",),
)
def card_complete(subject: DatasetSubject) -> None:
    states(card_of(subject), "summary", "licence", "layout")


@check(
    "absent files raise DatasetError, which names the dataset, its layout, and --root if none was given",
    catches="a loader that downloads by itself, returns an empty dataset, or raises FileNotFoundError",
    look="the loader: `iiszoo.data.base.find_root(card, root, NAMES)` is enough",
    after=(),
    of=("dataset",),
)
def files_missing(subject: DatasetSubject) -> None:
    card = card_of(subject)
    if card.embedded:
        raise NotApplicable("it is embedded: its files are always there")
    if card.takes_argument:
        raise NotApplicable("its argument says where its files are")
    with tempfile.TemporaryDirectory() as empty:
        places = {f"IISZOO_{name}": os.path.join(empty, name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        with environment(**places, IISZOO_OFFLINE="1"):
            for root in (None, Path(empty)):
                _refused(subject, root)


def _refused(subject: DatasetSubject, root: Path | None) -> None:
    card = card_of(subject)
    where = "without root" if root is None else "with an empty directory as root"
    try:
        load_object(card.loader)(card, root=root)
    except DatasetError as error:
        wanted = (card.id, card.layout) if root else (card.id, card.layout, "--root")
        absent = [part for part in wanted if part not in str(error)]
        if absent:
            raise Broken(f"{where} the error ({error}) does not contain {absent[0]!r}") from error
        return
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Broken(f"{where} it raised {with_place(error)}") from error
    raise Broken(f"{where} it was loaded")


@check(
    "a dataset can be loaded; it is an EvaluationDataset of at least one sample",
    catches="a loader that fails anywhere but on its author's machine; a list of files in place of a dataset",
    look="the loader, and the paths that it uses",
    after=(),
    of=("dataset",),
)
def loads(subject: DatasetSubject) -> None:
    dataset = subject.dataset
    if not isinstance(dataset, EvaluationDataset):
        raise Broken(f"it is of type {type(dataset).__name__}")
    if len(dataset) < 1:
        raise Broken(f"there is no sample in {dataset.place}")


@check(
    "the number of samples is the one that the card publishes",
    catches="files that a pattern misses or finds twice; another version of the dataset",
    look="n_samples of the card, and what the loader counts as a sample",
    after=("loads",),
    of=("dataset",),
)
def n_samples(subject: DatasetSubject) -> None:
    card = card_of(subject)
    if card.n_samples is None:
        raise NotApplicable("its card publishes no number of samples")
    if len(subject.dataset) != card.n_samples:
        raise Broken(f"there are {len(subject.dataset)}, and the card says {card.n_samples}")
