"""The images of a campaign: those to annotate, and those to test the segmenter on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data.base import EvaluationDataset, Sample, WrappedDataset
from iiszoo.data.initial_masks import INITIAL
from iiszoo.errors import BadOption
from iiszoo.loading import load_dataset
from iiszoo.names import parse_name
from iiszoo.registry import registry, resolve_dataset

if TYPE_CHECKING:
    from iiszoo.names import Name


@dataclass(frozen=True, eq=False)
class Split:
    """`annotate`, and `test` if there is one; `rule` is how they were made, in words, for identities and provenance."""

    annotate: EvaluationDataset
    test: EvaluationDataset | None
    rule: str


class Part(WrappedDataset):
    """Some samples of a dataset, by index."""

    def __init__(self, dataset: EvaluationDataset, indices: Sequence[int]) -> None:
        super().__init__(dataset, dataset.name)
        self.indices = list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, i: int) -> Sample:
        return self.dataset.sample(self.indices[i])


def split(dataset: str, root: Path | None, test: str | None, test_share: float | None) -> Split:
    """The split of a dataset: with `test`, all of it and that dataset; with `test_share`, the last share of its sample
    ids, sorted, is for the test; else, of a dataset with a training split (`ndd20-below`, `ndd20-below-train`), that
    and the dataset itself; else there is no test split.

    Raises `BadOption` if both are given, if a share leaves a side empty, or if `test` is the dataset itself, and
    whatever `load_dataset` raises.
    """
    if test is not None and test_share is not None:
        raise BadOption("--test and --test-share exclude each other; give only one")
    card, name = resolve_dataset(dataset)
    if test is not None:
        if str(parse_name(test)) == str(name.without(INITIAL)):
            raise BadOption(f"--test {test} is the dataset that is annotated; give another, or --test-share 0.2")
        return Split(load_dataset(str(name), root), load_dataset(test, root), f"all of it; test: {test}")
    if test_share is not None:
        return _shared(load_dataset(str(name), root), test_share)
    trained = f"{card.id}-train"
    if not card.takes_argument and any(known.id == trained for known in registry().datasets.cards()):
        return Split(load_dataset(_renamed(name, trained), root), load_dataset(_renamed(name, card.id), root),
                     f"{trained}; test: {card.id}")  # fmt: skip
    return Split(load_dataset(str(name), root), None, "all of it; no test")


def no_test(dataset: str) -> BadOption:
    """The error for a dataset without a test split where one is needed."""
    return BadOption(
        f"dataset {dataset} has no test split; give --test-share 0.2 (the last fifth of the sorted sample ids), or "
        "--test DATASET"
    )


def check_one_concept(dataset: EvaluationDataset) -> None:
    """Raise `BadOption` if an image has several samples: a campaign annotates one concept, with one mask an image."""
    images: dict[str, str] = {}
    for sample in dataset:
        other = images.setdefault(sample.image_id, sample.id)
        if other != sample.id:
            raise BadOption(
                f"dataset {dataset.name} has several objects in one image ({other!r} and {sample.id!r}), but a "
                "campaign annotates one concept: choose one class, or all as one target, by the dataset's options, "
                "such as folder:DIR?objects=all or labelme:DIR?label=cat&objects=all"
            )


def _shared(dataset: EvaluationDataset, share: float) -> Split:
    ordered = sorted(range(len(dataset)), key=lambda i: dataset.sample(i).id)
    n_first = int(len(ordered) * (1 - share) + 1e-9)
    if not 0 < n_first < len(ordered):
        raise BadOption(f"--test-share {share:g} leaves nothing to annotate or to test of {len(ordered)} samples")
    first, last = sorted(ordered[:n_first]), sorted(ordered[n_first:])
    return Split(
        Part(dataset, first), Part(dataset, last), f"the last {share:g} of the sorted sample ids is for the test"
    )


def _renamed(name: Name, id: str) -> str:
    return str(replace(name, id=id))
