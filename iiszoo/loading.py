"""Loading a model or a dataset by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.data.initial_masks import INITIAL, start_from
from iiszoo.errors import DatasetError, raised_as
from iiszoo.loader_options import checked_options
from iiszoo.model_reference import ModelSpec, resolve
from iiszoo.object_path import load_object
from iiszoo.registry import resolve_dataset

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.protocol import Model


def load_model(model: ModelSpec, checkpoint: str | Path | None = None, device: str = "cpu", **options: Any) -> Model:
    """A model of the standard format (`init_z`, `__call__`, `card`).

    `model` is an id (`sam`, `sam/vit-b`), with or without options (`sam/vit-b?rule=segnext`),
    `"package.module:function"`, or any callable of the standard format. `checkpoint` is a file with your own weights
    for the same architecture; `options`, and those of the id, go to the card's loader. `progressive_merge`,
    `"published"` or `"fixed"`, is an option of every model (`iiszoo.models.merge`), and the only one of a bare
    function. Raises `UnknownId`, `PluginError`, `WeightsError`, or `BadOption` (an absent device, an unknown option).
    """
    return resolve(model, checkpoint, options).load(device)


def load_dataset(dataset: str, root: str | Path | None = None) -> EvaluationDataset:
    """A dataset for evaluation: an id, or `id:ARGUMENT` if it takes one (`folder:DIR`).

    `?initial=WHAT`, an option of every dataset, names the masks that its sessions start from: `masks:DIR`, `coco:FILE`
    or `perturb:seed=0,iou=0.75-0.85` (`iiszoo.data.initial_masks`). `root` is the dataset's own directory, or one that
    contains it under its id. Raises `UnknownId`, `BadOption` or `DatasetError`.
    """
    card, name = resolve_dataset(dataset)
    loader = load_object(card.loader)
    options = dict(name.options)
    initial = options.pop(INITIAL, None)
    options = checked_options(f"dataset {card.id}", loader, options, (INITIAL,))
    if card.takes_argument:
        options["argument"] = name.argument
    with raised_as(DatasetError, f"dataset {card.id} cannot be loaded"):
        loaded: EvaluationDataset = loader(card, root=Path(root) if root else None, **options)
    loaded.name = str(name.without(INITIAL))
    return loaded if initial is None else start_from(loaded, str(initial))
