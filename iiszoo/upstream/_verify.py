"""iiszoo's implementation of a model beside upstream's own code: the same images, the same clicks."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from iiszoo import assets
from iiszoo.cards import ModelCard, Source
from iiszoo.device import check_device
from iiszoo.documentation import page
from iiszoo.engine.session import Session, run_session
from iiszoo.errors import BadOption, ModelError, UpstreamError, raised_as
from iiszoo.loader_options import options_of
from iiszoo.loading import load_dataset, load_model
from iiszoo.object_path import load_object
from iiszoo.protocol import Model, as_model, to_tensor
from iiszoo.registry import resolve_model
from iiszoo.upstream._clone import source_of
from iiszoo.upstream._isegm import IsegmModel, isegm_model
from iiszoo.upstream._synthetic import write_synthetic_checkpoint

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset


@dataclass
class Verification:
    """The result of the comparison.

    `largest_difference` of two probabilities, after click `worst_click` of sample `worst_sample`; `lowest`, `highest`
    probability of ours: if they are equal, little was compared. `unequal_masks` of `interactions`, with
    `unequal_pixels` in all; `unequal_rois` of `compared_rois`, 0 if either side has no ROI. `shims`: names that the
    clone was given in place of removed ones. `weights`: a file, or "synthetic".
    """

    model: str
    repo: str
    commit: str
    weights: str
    dataset: str
    robot: str
    threshold: float
    samples: int = 0
    interactions: int = 0
    largest_difference: float = 0.0
    worst_sample: str = ""
    worst_click: int = 0
    lowest: float = 1.0
    highest: float = 0.0
    unequal_masks: int = 0
    unequal_pixels: int = 0
    compared_rois: int = 0
    unequal_rois: int = 0
    shims: list[str] = field(default_factory=list)

    def add(self, sample: str, click: int, ours: Any, theirs: Any) -> None:
        """Add two outputs after one click: probabilities `(1, 1, H, W)`."""
        difference = float((ours - theirs).abs().max())
        # NaN compares false: the first one counts, and stays
        if not (math.isnan(self.largest_difference) or difference <= self.largest_difference):
            self.largest_difference, self.worst_sample, self.worst_click = difference, sample, click
        self.lowest, self.highest = min(self.lowest, float(ours.min())), max(self.highest, float(ours.max()))
        pixels = int(((ours > self.threshold) != (theirs > self.threshold)).sum())
        self.interactions += 1
        self.unequal_pixels += pixels
        self.unequal_masks += pixels > 0

    def add_rois(self, ours: Any, theirs: Any) -> None:
        """Add the zoomed regions at one click, `z["roi"]` of both."""
        if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
            self.compared_rois += 1
            self.unequal_rois += not torch.equal(ours.cpu(), theirs.cpu())


def verify(
    model: str,
    *,
    checkpoint: str | Path | None = None,
    synthetic: bool = False,
    clicks: int = 5,
    samples: int | None = None,
    dataset: str = "demo",
    robot: str = "ritm",
    device: str = "cpu",
    progress: Callable[[str], None] = lambda sample: None,
) -> Verification:
    """Compare a model of the zoo with the code of its card's `upstream`, click by click.

    Both get the clicks that the robot makes on our outputs, `clicks` on each of the first `samples` samples (None:
    all), and each its own previous outputs. The weights are those of `checkpoint`, of the card, or, with `synthetic`,
    made up (`iiszoo.upstream._synthetic`). `progress` is called with each sample's id.

    Raises `UpstreamError`, also if one of the two fails, `WeightsError`, `UnknownId` and `BadOption`.
    """
    check_device(device)
    card, name = resolve_model(model)
    options = dict(name.options)
    source, images = source_of(card), load_dataset(dataset)
    if synthetic and checkpoint is not None:
        raise BadOption("give a checkpoint or ask for synthetic weights, not both")
    with tempfile.TemporaryDirectory() as folder:
        if synthetic:
            theirs = _theirs(card, source, None, device, options)
            file = Path(folder) / "synthetic.pth"
            write_synthetic_checkpoint(theirs, to_tensor(images[0].read_image(), device), file)
        else:
            file = Path(checkpoint) if checkpoint is not None else assets.fetch(card)
            theirs = _theirs(card, source, file, device, options)
        ours = load_model(model, checkpoint=file, device=device)
    found = Verification(
        str(name),
        source.repo,
        source.commit,
        "synthetic" if synthetic else str(file),
        dataset,
        robot,
        ours.threshold,
    )
    with torch.no_grad():
        _compare(
            found, ours, as_model(theirs, f"upstream of {card.id}", card, device), images, clicks, samples, progress
        )
    found.shims = sorted(theirs.namespace.shims_used)
    return found


def _theirs(card: ModelCard, source: Source, file: Path | None, device: str, options: dict[str, Any]) -> IsegmModel:
    """Upstream's own code: loaded by the card's `upstream_loader`, else as a fork of isegm with its defaults."""
    if card.upstream_loader:
        loader = load_object(card.upstream_loader)
        foreign = [name for name in options if name not in options_of(loader)]
        if foreign:
            raise UpstreamError(
                f"upstream of {card.id} cannot be loaded with {', '.join(foreign)}: its loader has no such option; "
                "verify the model without them"
            )
        with raised_as(UpstreamError, f"upstream of {card.id} cannot be loaded"):
            loaded = loader(card, device=device, checkpoint=file, **options)
        if not isinstance(loaded, IsegmModel):
            raise UpstreamError(f"{card.upstream_loader} of {card.id} must return an IsegmModel, not {loaded!r}")
        return loaded
    if file is None:
        raise UpstreamError(
            f"model {card.id} cannot be verified with synthetic weights: only its checkpoint says which network it is; "
            "verify it with the checkpoint (--checkpoint FILE), or name an upstream_loader on its card, which builds "
            f"the network ({page('upstream')})"
        )
    return isegm_model(source, file, device=device, **{"threshold": card.threshold, **options})


def _compare(
    found: Verification,
    ours: Model,
    theirs: Model,
    dataset: EvaluationDataset,
    clicks: int,
    samples: int | None,
    progress: Callable[[str], None],
) -> None:
    for sample in islice(dataset, samples):
        progress(sample.id)
        found.samples += 1
        click = 1
        try:
            beside = Session(theirs, sample.read_image())
            for step in run_session(ours, found.robot, sample, max_clicks=clicks, target_iou=math.inf):
                beside.interact(step.positives, step.negatives)
                found.add(sample.id, click, step.output, beside.output)
                found.add_rois(step.state.get("roi"), beside.state.get("roi"))
                click += 1
        except ModelError as error:
            raise UpstreamError(f"{error} (on sample {sample.id!r} at click {click})") from error
