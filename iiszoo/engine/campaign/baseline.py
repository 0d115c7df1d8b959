"""The supervised baseline: a segmenter trained on a dataset's training split, and tested on its test split.

DIR/baseline.json          the identity, the figures, their provenance; written last
DIR/segmenter.safetensors  the network
DIR/images.csv             the figures of each test image
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from iiszoo import files, units
from iiszoo.data.base import EvaluationDataset
from iiszoo.device import check_device
from iiszoo.engine import metrics
from iiszoo.engine.campaign import training
from iiszoo.engine.campaign.pictures import with_own_targets
from iiszoo.engine.campaign.segmenter_file import Trained
from iiszoo.engine.campaign.splits import check_one_concept, no_test, split
from iiszoo.engine.campaign.training import Recipe
from iiszoo.engine.runs import provenance, run_name, store
from iiszoo.engine.runs.dataset_check import Checked, survey_for_run
from iiszoo.errors import RunError
from iiszoo.models.losses import focal
from iiszoo.models.supervised import logits_of
from iiszoo.names import parse_name
from iiszoo.progress import NamedProgress

FORMAT = 1
RESULT = "baseline.json"
_NETWORK = "segmenter.safetensors"


@dataclass(frozen=True)
class Figures:
    """What a segmenter is worth on one image, at the image's own size; ignored pixels are left out.

    `focal_loss` with the training's parameters; `mae` and `mse` of the probabilities; `iou` and `dice` of the mask at
    0.5.
    """

    focal_loss: float
    mae: float
    mse: float
    iou: float
    dice: float


def baseline(
    dataset: str,
    recipe: Recipe,
    *,
    out: Path | None = None,
    root: Path | None = None,
    test: str | None = None,
    test_share: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    skip_broken: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
    progress: NamedProgress = lambda name, done, total: None,
) -> dict[str, Any]:
    """Train and test; returns the content of `baseline.json`: `figures` (means over the test images), `identity`,
    `start` (the weights it began with), `seconds`, `environment`.

    A finished baseline of the same settings in `out` is not run again. Raises `BadOption` if there is no test split, if
    the data have several objects in one image, or if the segmenter cannot be built; `RunError` if `out` contains a
    baseline of other settings; and whatever the dataset raises.
    """
    check_device(device)
    parts = split(dataset, root, test, test_share)
    if parts.test is None:
        raise no_test(dataset)
    identity = {"recipe": recipe.identity(), "seed": seed, "split": parts.rule}
    start = training.check(recipe)
    place = out or Path("runs/baseline") / run_name.slug(str(recipe.description), dataset)
    for part in (parts.annotate, parts.test):
        check_one_concept(part)
    train, held = (
        survey_for_run(part, None, skip_broken, lambda done, total: progress(f"checking {dataset}", done, total))
        for part in (parts.annotate, parts.test)
    )
    identity = {"format": FORMAT, **identity, "train": _content(train), "test": _content(held)}
    done = _finished(place, identity, overwrite)
    if done is not None:
        return done
    say(f"{units.number_of(len(_sound(train)), 'image')} to train on, {len(_sound(held))} to test; starts from {start}")
    trained = training.train(
        recipe, with_own_targets(_sound(train)), seed, place / _NETWORK, {"identity": identity}, device=device
    )
    say(f"{recipe.steps} steps took {units.time(trained.facts['seconds'])}")
    return _tested(trained, _sound(held), place, identity, device, progress)


def figures_of(trained: Trained, sample: Any, device: str) -> Figures:
    """The figures on one sample's image."""
    target, ignore = sample.read_target()
    logits = logits_of(trained.network, sample.read_image(), trained.description.size, device)
    wanted = torch.from_numpy(target)[None, None]
    valid = None if ignore is None else torch.from_numpy(~ignore)[None, None]
    p = logits.sigmoid()[0, 0].numpy()
    return Figures(
        float(focal(logits, wanted, valid)),
        metrics.mae(p, target, ignore),
        metrics.mse(p, target, ignore),
        metrics.iou(p, target, ignore),
        metrics.dice(p, target, ignore),
    )


def _tested(
    trained: Trained, samples: list[Any], place: Path, identity: dict[str, Any], device: str, progress: NamedProgress
) -> dict[str, Any]:
    found: list[Figures] = []
    for sample in samples:
        found.append(figures_of(trained, sample, device))
        progress("testing", len(found), len(samples))
    names = [field.name for field in fields(Figures)]
    table = io.StringIO()
    writer = csv.DictWriter(table, ["sample", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"sample": sample.id, **asdict(each)} for sample, each in zip(samples, found, strict=True))
    result = {
        "identity": identity,
        "figures": {name: statistics.fmean(getattr(each, name) for each in found) for name in names},
        "start": trained.facts["start"],
        "sha256": trained.sha256,
        "seconds": trained.facts["seconds"],
        "environment": provenance.environment(device, torch.get_num_threads()),
    }
    try:
        files.replace_text(place / "images.csv", table.getvalue())
    except OSError as error:
        raise RunError(f"{place / 'images.csv'} cannot be written: {error.strerror or error}") from error
    store.write_json(place / RESULT, result)
    return {**result, "directory": str(place)}


def _finished(place: Path, identity: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """The result in `place`, None if there is none. Raises `RunError` if it is one of other settings."""
    there = None if overwrite else store.read_json(place / RESULT)
    if there is None:
        return None
    different = store.differences(identity, there.get("identity", {}))
    if different:
        raise RunError(
            f"{place} contains another baseline ({'; '.join(different)}); give another --out, or --overwrite to "
            "discard it"
        )
    return {**there, "directory": str(place)}


def _content(checked: Checked) -> dict[str, Any]:
    return {
        "id": str(parse_name(checked.dataset.name)),
        "n_samples": checked.total,
        "n_broken": len(checked.broken),
        "fingerprint": checked.fingerprint,
    }


def _sound(checked: Checked) -> list[Any]:
    dataset: EvaluationDataset = checked.dataset
    return [sample for sample in dataset if sample.id not in checked.broken]
