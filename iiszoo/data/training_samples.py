"""Training samples: sample n is a pure function of (seed, n), regardless of the number and order of workers.

    samples = TrainingSamples([source], partial(object_view, size=(320, 320)), deep_and_near, seed=0)
    loader = DataLoader(samples, 64, sampler=Numbers(start=0, stop=64_000), collate_fn=collate, num_workers=12)

Step s of a run with batches of B trains on the samples s B ... s B + B - 1.
"""

from __future__ import annotations

import hashlib
import itertools
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from iiszoo.data import base
from iiszoo.data.base import EvaluationDataset, Target
from iiszoo.data.scene_views import SceneView
from iiszoo.data.seg_dataset import Sample, SegDataset
from iiszoo.data.training_selectors import Chosen, TrainingSelector
from iiszoo.data.views import View
from iiszoo.errors import DatasetError

N_DRAWS = 24
"""Uniform random numbers in each sample, for the further clicks."""
_TRIES = 100

Points = list[tuple[int, int]]
FirstClicks = Callable[[NDArray[np.bool_], NDArray[np.bool_] | None, np.random.Generator], tuple[Points, Points]]
SceneClicks = Callable[..., tuple[Points, Points]]


@dataclass(frozen=True)
class Source:
    """Some images of a dataset, and selectors, drawn by weight, that take a target from one.

    `images`: indices of `dataset`. `weight`: how often this source is drawn, relative to the others. `chances`: how
    often an image is drawn, relative to the others, by its index in `dataset`; None if all are equally likely.
    """

    dataset: SegDataset
    selectors: Sequence[tuple[float, TrainingSelector]]
    images: Sequence[int]
    weight: float = 1.0
    chances: NDArray[np.float64] | None = None

    def sample(self, rng: np.random.Generator) -> Sample:
        """A random image."""
        if self.chances is None:
            return self.dataset[self.images[int(rng.integers(len(self.images)))]]
        return self.dataset[self.images[int(np.searchsorted(self._cumulated, rng.random(), "right"))]]

    @cached_property
    def _cumulated(self) -> NDArray[np.float64]:
        """The chance of an image up to each of `images`."""
        assert self.chances is not None
        cumulated = self.chances[list(self.images)].cumsum()
        cumulated /= cumulated[-1]
        return cumulated[:-1]  # without the last: what is drawn lies below 1

    def target(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_] | None:
        found = self._found(sample, rng)
        return found.target if isinstance(found, Chosen) else found

    def chosen(self, sample: Sample, rng: np.random.Generator) -> Chosen:
        """The target with what surrounds it; without parts if the selector finds none."""
        found = self._found(sample, rng)
        if isinstance(found, Chosen):
            return found
        others: NDArray[np.bool_] = np.any(sample.masks > 0, axis=2)
        return Chosen([], others) if found is None else Chosen([found], others & ~found)

    def _found(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_] | Chosen | None:
        weights = np.array([weight for weight, _ in self.selectors])
        selector = self.selectors[int(rng.choice(len(weights), p=weights / weights.sum()))][1]
        return selector(sample.masks, sample.info, rng)


def split(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """(training, held out): the hash of an image's name decides, so that adding images does not move others. About
    `share` of the images are held out.
    """
    held: list[int] = []
    kept: list[int] = []
    for i in source.images:
        digest = hashlib.sha256(f"{source.dataset.image_id(i)}\n{seed}".encode()).digest()
        (held if int.from_bytes(digest[:8], "big") < share * 2**64 else kept).append(i)
    return replace(source, images=kept), replace(source, images=held)


@dataclass(eq=False)
class InMemory(SegDataset):
    """`source` with its images decoded once, by threads: a gigabyte for 1,700 small photographs. Forked workers share
    them.
    """

    source: SegDataset
    threads: int = 8
    _samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            self._samples = list(pool.map(self.source.__getitem__, range(len(self.source))))

    @property
    def name(self) -> str:
        return self.source.name

    def __len__(self) -> int:
        return len(self.source)

    def get_sample(self, i: int) -> tuple[Any, Any, dict[str, Any]]:
        return self._samples[i]

    def __getitem__(self, i: int) -> Sample:
        return self._samples[i]

    def image_id(self, i: int) -> str:
        return self.source.image_id(i)


class Regions(SegDataset):
    """A dataset for evaluation as one with full masks: one layer per sample of an image."""

    def __init__(self, dataset: EvaluationDataset) -> None:
        self.dataset = dataset
        self.place = dataset.place
        images: dict[str, list[int]] = {}
        for i, sample in enumerate(dataset):
            images.setdefault(sample.image_id, []).append(i)
        self._images = list(images.items())

    @property
    def name(self) -> str:
        return self.dataset.name

    def __len__(self) -> int:
        return len(self._images)

    def get_sample(self, i: int) -> tuple[Any, Any, dict[str, Any]]:
        samples = [self.dataset[k] for k in self._images[i][1]]
        layers = []
        for sample in samples:
            target = sample.read_target()
            layer = target.object.astype(np.int8)
            if target.ignore is not None:
                layer[target.ignore] = -1
            layers.append(layer)
        return samples[0].read_image(), np.stack(layers, axis=2), {}

    def image_id(self, i: int) -> str:
        return self._images[i][0]


class Item(NamedTuple):
    """One training sample. `draws` float64 (`N_DRAWS`,) in [0, 1)."""

    number: int
    view: View
    positives: Points
    negatives: Points
    draws: NDArray[np.float64]


@dataclass
class Batch:
    """The input of a training step. Tensors may be moved to a device; clicks are lists, one per element.

    `image` uint8 (B, h, w, 3), RGB; `target` bool (B, 1, h, w); `valid` bool (B, 1, h, w), or None if all pixels
    are valid; `draws` float64 (B, `N_DRAWS`); `number`: the number of the first sample.
    """

    number: int
    image: Tensor
    target: Tensor
    valid: Tensor | None
    positives: list[Points]
    negatives: list[Points]
    draws: Tensor

    def pin_memory(self) -> Batch:
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device | str, **options: Any) -> Batch:
        return self._each(lambda tensor: tensor.to(device, **options))

    def _each(self, moved: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            image=moved(self.image),
            target=moved(self.target),
            valid=None if self.valid is None else moved(self.valid),
        )


def collate(items: Sequence[Item]) -> Batch:
    """Items of one size as a batch."""
    valid = None
    if any(item.view.valid is not None for item in items):
        masks = [np.ones_like(i.view.target) if i.view.valid is None else i.view.valid for i in items]
        valid = torch.from_numpy(np.stack(masks))[:, None]
    return Batch(
        items[0].number,
        torch.from_numpy(np.stack([item.view.image for item in items])),
        torch.from_numpy(np.stack([item.view.target for item in items]))[:, None],
        valid,
        [item.positives for item in items],
        [item.negatives for item in items],
        torch.from_numpy(np.stack([item.draws for item in items])),
    )


class _Drawn(Dataset[Item]):
    """Samples of images that are drawn from the sources by weight."""

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        for source in sources:
            if not source.images:
                raise DatasetError(f"{source.dataset.name} has no image left to train on; lower validation.held_out")
        self.sources, self.seed = list(sources), seed
        weights = np.array([source.weight for source in sources], float)
        self._weights = weights / weights.sum()

    def __getitem__(self, n: int) -> Item:
        rng = np.random.default_rng([self.seed, n])
        for _ in range(_TRIES):
            source = self.sources[int(rng.choice(len(self.sources), p=self._weights))]
            found = self._seen(source, source.sample(rng), rng)
            if found is not None:
                return Item(n, *found, rng.random(N_DRAWS))
        names = ", ".join(source.dataset.name for source in self.sources)
        raise DatasetError(
            f"{names}: no region for training in {_TRIES} random images; give a smaller min_area or min_share, a wider "
            "view.share, or another selector"
        )

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        """What is seen of a sample, and the first clicks on it; None if another is to be drawn."""
        raise NotImplementedError


class TrainingSamples(_Drawn):
    """Sample n, drawn from the sources by weight: image, target, view, first clicks.

    `view(image, target, valid, rng)` is a function of `iiszoo.data.views`, `first_clicks(target, valid, rng)` one of
    `iiszoo.clicking.first_clicks`. If the selector finds no target or the view rejects it, everything is drawn
    again; raises `DatasetError` after a hundred attempts.
    """

    def __init__(
        self, sources: Sequence[Source], view: Callable[..., View | None], first_clicks: FirstClicks, seed: int
    ) -> None:
        super().__init__(sources, seed)
        self.view, self.first_clicks = view, first_clicks

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        target = source.target(sample, rng)
        if target is None:
            return None
        view = self.view(sample.image, target, _valid(sample.masks, target), rng)
        return None if view is None else (view, *self.first_clicks(view.target, view.valid, rng))


class SceneSamples(_Drawn):
    """Sample n in RITM's order: image, crop, target, first clicks.

    `view(image, masks, rng)` is a function of `iiszoo.data.scene_views`, `first_clicks(parts, others, target, valid,
    rng)` one of `iiszoo.clicking.scene_clicks`. A crop without a target is a sample too: all of it is background.
    """

    def __init__(self, sources: Sequence[Source], view: SceneView, first_clicks: SceneClicks, seed: int) -> None:
        super().__init__(sources, seed)
        self.view, self.first_clicks = view, first_clicks

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        scene = self.view(sample.image, sample.masks, rng)
        if scene is None:
            return None
        parts, others = source.chosen(Sample(*scene, sample.info), rng)
        target = np.any(parts, axis=0) if parts else np.zeros(scene.image.shape[:2], bool)
        valid = _valid(scene.masks, target)
        return View(scene.image, target, valid), *self.first_clicks(parts, others, target, valid, rng)


def _valid(masks: NDArray[Any], target: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Where pixels count; None if all do."""
    if masks.dtype.kind != "i" or not (masks < 0).any():
        return None
    valid: NDArray[np.bool_] = target | (masks >= 0).all(axis=2)
    return valid


class Numbers(Sampler[int]):
    """The numbers of samples from `start` up to `stop`, or without end if it is None.

    Each block of `block` numbers is shuffled, by `seed` and the block's number: epochs of a dataset of that length,
    each in another order. 0: no shuffling.
    """

    def __init__(self, start: int = 0, stop: int | None = None, *, block: int = 0, seed: int = 0) -> None:
        self.start, self.stop, self.block, self.seed = start, stop, block, seed

    def __iter__(self) -> Iterator[int]:
        order = np.arange(0)
        for n in itertools.count(self.start):
            if self.stop is not None and n >= self.stop:
                return
            if not self.block:
                yield n
                continue
            epoch, k = divmod(n, self.block)
            if not k or not order.size:
                order = np.random.default_rng([self.seed, epoch]).permutation(self.block)
            yield epoch * self.block + int(order[k])


def one_thread(worker: int) -> None:
    """For `DataLoader(worker_init_fn=...)`: one thread per worker, as there are many. SIGINT is left to the run, which
    ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class HeldOut(EvaluationDataset):
    """The validation set of a training run: one fixed random target per image of the sources.

    Images without a target are left out. Sample ids are `SOURCE/IMAGE`.
    """

    def __init__(self, sources: Sequence[Source], seed: int, limit: int | None = None) -> None:
        self.name = "held out"
        self.place = sources[0].dataset.place if sources else EvaluationDataset.place
        every = [(number, i) for number, source in enumerate(sources) for i in source.images]
        if limit is not None and limit < len(every):
            chosen = np.random.default_rng(seed).permutation(len(every))[:limit]
            every = [every[k] for k in sorted(chosen.tolist())]
        self.sources = list(sources)
        self._samples: list[tuple[int, int, NDArray[np.bool_]]] = []
        for number, i in every:
            source = sources[number]
            name = f"{number}/{source.dataset.image_id(i)}\n{seed}"
            digest = hashlib.sha256(name.encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            target = source.target(source.dataset[i], rng)
            if target is not None and target.any():
                self._samples.append((number, i, target))

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> base.Sample:
        number, image, _ = self._samples[i]
        dataset = self.sources[number].dataset
        id = f"{number}/{dataset.image_id(image)}"
        return base.Sample(id, id, dataset.files_of(image), partial(self._image, i), partial(self._target, i))

    def _image(self, i: int) -> Any:
        number, image, _ = self._samples[i]
        return self.sources[number].dataset[image].image

    def _target(self, i: int) -> Target:
        number, image, target = self._samples[i]
        masks = self.sources[number].dataset[image].masks
        ignore = (masks < 0).any(axis=2) & ~target if masks.dtype.kind == "i" else None
        return Target(target, ignore if ignore is not None and ignore.any() else None)
