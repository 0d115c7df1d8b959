"""A sound dataset of squares on noise, and one dataset for each check that breaks just what the check is there for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from iiszoo.cards import DatasetCard
from iiszoo.data.base import EvaluationDataset, Sample, Target, find_root
from iiszoo.errors import DatasetError

CARD = DatasetCard(
    id="squares",
    loader="broken_datasets:load",
    summary="squares on noise",
    licence="CC0",
    layout="squares.txt",
    n_samples=4,
)
SIZE = (20, 30)


class Squares(EvaluationDataset):
    """Four squares on two images."""

    name = "squares"
    place = Path(__file__).parent

    def __len__(self) -> int:
        return 4

    def sample(self, i: int) -> Sample:
        return Sample(
            id=f"square {i}",
            image_id=f"image {i // 2}",
            files=(f"square {i}",),
            read_image=partial(self.image, i),
            read_target=partial(self.target, i),
            read_initial_mask=partial(self.initial, i),
        )

    def image(self, i: int) -> Any:
        return np.random.default_rng(i // 2).integers(0, 256, (*SIZE, 3), np.uint8)

    def target(self, i: int) -> Any:
        object = np.zeros(SIZE, bool)
        object[2 : 8 + i, 3:10] = True
        ignore = np.zeros(SIZE, bool)
        ignore[2] = True
        return Target(object, ignore)

    def initial(self, i: int) -> Any:
        return self.target(i).object.astype(np.float32) / 2


class NoNegativeIndex(Squares):
    def __getitem__(self, i: Any) -> Any:
        return self.sample(i) if isinstance(i, int) and i >= 0 else super().__getitem__(abs(i) if i == -1 else i)


class OneName(Squares):
    def sample(self, i: int) -> Sample:
        return replace(super().sample(i), id=f"square {i // 2}")


class FloatImages(Squares):
    def image(self, i: int) -> Any:
        return super().image(i) / 255


class ByteMasks(Squares):
    def target(self, i: int) -> Any:
        object, ignore = super().target(i)
        return Target(object.astype(np.uint8) * 255, ignore)

    def initial(self, i: int) -> Any:
        return None


class Logits(Squares):
    def initial(self, i: int) -> Any:
        return super().initial(i) * 20 - 5


class KeptArray(Squares):
    def __init__(self) -> None:
        self.kept = [Squares.image(self, i) for i in range(4)]

    def image(self, i: int) -> Any:
        return self.kept[i // 2]


class ImageForEachObject(Squares):
    def image(self, i: int) -> Any:
        return np.random.default_rng(i).integers(0, 256, (*SIZE, 3), np.uint8)


class FirstFault(Squares):
    def check_files(self) -> Iterator[str]:
        raise FileNotFoundError("squares.txt")


class OneHandle(Squares):
    """Seeks in a handle that all samples share, and then reads from it."""

    at = 0

    def image(self, i: int) -> Any:
        self.at = i
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)  # even on a busy machine the other thread seeks meanwhile
        return super().image(self.at)


class OfThisProcess(Squares):
    def image(self, i: int) -> Any:
        return super().image(i) ^ np.uint8(hash("squares") % 255 + 1)


def load(card: DatasetCard, *, root: Path | None = None) -> Squares:
    find_root(card, root, "squares.txt")
    return Squares()


def load_nothing(card: DatasetCard, *, root: Path | None = None) -> Squares:
    return Squares()


def load_or_raise(card: DatasetCard, *, root: Path | None = None) -> Squares:
    if root is None or not (root / "squares.txt").exists():
        raise DatasetError(f"dataset squares lacks its files ({card.layout}); give their directory by --root")
    raise FileNotFoundError("/home/author/squares.txt")


def load_five(card: DatasetCard, *, root: Path | None = None) -> Squares:
    find_root(card, root, "squares.txt")
    five = Squares()
    five.__class__ = type("Five", (Squares,), {"__len__": lambda self: 5})
    return five


CARDS: dict[str, DatasetCard] = {
    "card_complete": replace(CARD, licence=""),
    "files_missing": replace(CARD, loader="broken_datasets:load_nothing"),
    "loads": replace(CARD, loader="broken_datasets:load_or_raise"),
    "n_samples": replace(CARD, loader="broken_datasets:load_five"),
}
FAMILY: dict[str, type[Squares]] = {
    "indexing": NoNegativeIndex,
    "sample_ids": OneName,
    "image_format": FloatImages,
    "target_format": ByteMasks,
    "initial_mask_format": Logits,
    "repeatable": KeptArray,
    "shared_images": ImageForEachObject,
    "file_checks": FirstFault,
    "threads": OneHandle,
    "spawned_process": OfThisProcess,
}
