"""Initial masks, which sessions start from and correct, for any dataset: `DATASET?initial=WHAT`.

- `masks:DIR`: files named after the sample's id or its image (`iiszoo.data.initial_files`);
- `coco:FILE`: instances or results in COCO's format (`iiszoo.data.initial_coco`);
- `perturb:seed=0,iou=0.75-0.85`: made from the targets (`iiszoo.data.flawed_mask`); a sample's mask depends only on
  its id, the seed and the range.

They replace the dataset's own. A run's identity states them, with a fingerprint of their own, apart from the dataset's
(`iiszoo.engine.runs.dataset_identity`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data.base import EvaluationDataset, Sample, WrappedDataset
from iiszoo.data.initial_coco import StartsFromCoco
from iiszoo.data.initial_files import StartsFromFiles
from iiszoo.errors import BadOption, DatasetError
from iiszoo.names import parse_name
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from iiszoo.data.base import Mask

INITIAL = "initial"
"""The option, of every dataset, that says which masks sessions start from."""

_USAGE = "write perturb:seed=0,iou=0.75-0.85, with 0 < lower IoU < higher IoU < 1; masks:DIR; or coco:FILE"


@dataclass(frozen=True)
class Perturbation:
    """Masks made from targets, with an IoU from `low` to `high`."""

    seed: int = 0
    low: float = 0.75
    high: float = 0.85

    def __str__(self) -> str:
        return f"perturb:seed={self.seed},iou={self.low!r}-{self.high!r}"


def perturbation(text: str) -> Perturbation:
    """From `perturb`, `perturb:seed=1`, `perturb:iou=0.6-0.7,seed=1`. Raises `BadOption`."""
    kind, _, argument = text.partition(":")
    values: dict[str, str] = {}
    for part in argument.split(",") if argument else []:
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in ("seed", "iou") or name in values:
            raise BadOption(f"initial mask {text!r}: {part.strip()!r} is not a setting, or is given twice; {_USAGE}")
        values[name] = value
    low, _, high = values.get("iou", "0.75-0.85").partition("-")
    try:
        made = Perturbation(int(values.get("seed", "0")), float(low), float(high))
    except ValueError as error:
        raise BadOption(f"initial mask {text!r} has a value that is not a number; {_USAGE}") from error
    if kind != "perturb" or made.seed < 0 or not 0 < made.low < made.high < 1:
        raise BadOption(f"initial mask {text!r} cannot be made; {_USAGE}")
    return made


def with_initial(dataset: str, initial: str | None = None) -> str:
    """The name of `dataset` with the masks of `initial`, or else its own, in canonical form.

    Raises `BadOption` if the masks are given twice or cannot be made.
    """
    name = parse_name(dataset)
    own = name.options.get(INITIAL)
    if own is not None and initial is not None:
        raise BadOption(
            f"dataset {name.without(INITIAL)}: initial masks are given twice, {own} and {initial}; give one of them"
        )
    given = own if initial is None else initial
    return str(name) if given is None else str(name.with_options({INITIAL: _canonical(str(given))}))


def _canonical(initial: str) -> str:
    kind, _, argument = initial.partition(":")
    return initial if kind in ("masks", "coco") and argument else str(perturbation(initial))


def start_from(dataset: EvaluationDataset, initial: str) -> EvaluationDataset:
    """The dataset with other initial masks. Raises `BadOption`, or `DatasetError` if they fit no sample."""
    name = with_initial(dataset.name, initial)
    kind, _, argument = initial.partition(":")
    path = Path(argument).expanduser()
    if kind == "masks":
        return StartsFromFiles(dataset, name, path)
    if kind == "coco":
        return StartsFromCoco(dataset, name, path)
    return StartsFromPerturbed(dataset, name, perturbation(initial))


class StartsFromPerturbed(WrappedDataset):
    """Each mask is made from the sample's target, each time it is read."""

    def __init__(self, dataset: EvaluationDataset, name: str, how: Perturbation) -> None:
        super().__init__(dataset, name)
        self.how = how

    def sample(self, i: int) -> Sample:
        sample = super().sample(i)
        return replace(sample, read_initial_mask=partial(_perturbed, sample, self.how))


def _perturbed(sample: Sample, how: Perturbation) -> Mask | None:
    """None if the target is empty, which is reported as a separate fault.

    Raises `DatasetError` if the target is too small for the IoU asked for.
    """
    from iiszoo.data.flawed_mask import flawed_mask

    object, ignore = sample.read_target()
    if not (object if ignore is None else object & ~ignore).any():
        return None
    rng = generator_for(sample.id, "perturb", how.seed)
    try:
        return flawed_mask(object, ignore, rng, how.low, how.high)
    except ValueError as error:
        files = " and ".join(sample.files)
        raise DatasetError(f"{files}: no initial mask can be made, {error}; ask for a wider range") from error
