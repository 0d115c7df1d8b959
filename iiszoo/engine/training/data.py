"""The data of a training run: sources, held-out images, and the loader of batches."""

from __future__ import annotations

import inspect
import os
from functools import partial
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from iiszoo.clicking.first_clicks import FIRST_CLICKS
from iiszoo.clicking.scene_clicks import SCENE_CLICKS, without_scene
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.seg_dataset import SegDataset
from iiszoo.data.training.batch import Batch, collate
from iiszoo.data.training.full_masks import InMemory, Regions
from iiszoo.data.training.held_out import HeldOut
from iiszoo.data.training.image_scores import chances
from iiszoo.data.training.loader import Numbers, one_thread
from iiszoo.data.training.samples import SceneSamples, TrainingSamples
from iiszoo.data.training.scene_views import SCENE_VIEWS
from iiszoo.data.training.selectors import SELECTORS
from iiszoo.data.training.source import Source, split
from iiszoo.data.training.views import VIEWS
from iiszoo.engine.training.config import DataTable, Named, TrainConfig, choose
from iiszoo.errors import BadOption
from iiszoo.loading import load_dataset


def source_of(table: DataTable, in_memory: bool) -> Source:
    """The source of one `[[data]]` table. Raises `BadOption`, `UnknownId`, `DatasetError`."""
    dataset = load_dataset(table.dataset, table.root or None)
    full: SegDataset = dataset.source if isinstance(dataset, AllRegions) else Regions(dataset)
    if in_memory:
        full = InMemory(full, os.cpu_count() or 1)
    selectors = [
        (named.weight, configured(SELECTORS, named, f"region selector of {table.dataset}")) for named in table.selector
    ]
    drawn = chances(Path(table.image_scores), full, table.scores_gamma) if table.image_scores else None
    return Source(full, selectors, range(len(full)), table.weight, drawn)


def configured(known: dict[str, Any], named: Named, what: str, **more: Any) -> Any:
    """A function of a registry with its keywords bound. Raises `BadOption` for a keyword that it does not have."""
    function = choose(known, named.name, what)
    takes = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        keywords = [name for name, parameter in takes.items() if parameter.kind is parameter.KEYWORD_ONLY]
        for name in named.options:
            if name not in keywords:
                raise BadOption(f"{what} {named.name} has no option {name}; it has {', '.join(keywords) or 'none'}")
    return partial(function, **{**named.options, **more})


def sources(config: TrainConfig) -> tuple[list[Source], list[Source]]:
    """(training sources, held-out sources)."""
    pairs = [
        split(source_of(table, config.run.in_memory), config.validation.held_out, config.run.seed)
        for table in config.data
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def samples(config: TrainConfig, train: list[Source]) -> TrainingSamples | SceneSamples:
    view = configured({**VIEWS, **SCENE_VIEWS}, config.view, "view", size=config.size)
    if config.view.name in SCENE_VIEWS:
        known = {name: SCENE_CLICKS.get(name, function) for name, function in FIRST_CLICKS.items()}
        clicks = configured(known, config.clicks.first, "first clicks")
        aware = config.clicks.first.name in SCENE_CLICKS
        return SceneSamples(train, view, clicks if aware else without_scene(clicks), config.run.seed)
    first = configured(FIRST_CLICKS, config.clicks.first, "first clicks")
    return TrainingSamples(train, view, first, config.run.seed)


def loader(config: TrainConfig, train: TrainingSamples | SceneSamples, start: int) -> DataLoader[Batch]:
    """Batches from loader step `start` on; the optimiser makes one step per `accumulate` loader steps."""
    workers = config.run.workers if config.run.workers >= 0 else max(1, (os.cpu_count() or 3) - 2)
    train[start * config.run.batch_size]  # compiles code before workers inherit it, and raises errors in this process
    return DataLoader(
        train,  # type: ignore[arg-type]
        batch_size=config.run.batch_size,
        sampler=Numbers(start * config.run.batch_size),
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=one_thread,
        pin_memory=_pins(config),
        prefetch_factor=3 if workers else None,
        persistent_workers=False,
    )


def validation_set(config: TrainConfig, held: list[Source]) -> EvaluationDataset | None:
    """The dataset for validation; None if nothing is held out."""
    table = config.validation
    if table.dataset:
        return load_dataset(table.dataset, Path(table.root) if table.root else None)
    found = HeldOut(held, config.run.seed, table.limit)
    return found if len(found) else None


def _pins(config: TrainConfig) -> bool:
    import torch

    return config.run.device in ("auto", "cuda") and torch.cuda.is_available()
