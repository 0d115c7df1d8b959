"""The configuration of a training run, as frozen dataclasses: one for each table of `iiszoo train CONFIG.toml`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iiszoo.errors import BadOption


@dataclass(frozen=True)
class Named:
    """An entry of a registry, by its name, and its keywords: `{name = "disk", radius = 5}`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Weighted(Named):
    """One of several entries: `weight` is its relative probability, or its factor in a sum."""

    weight: float = 1.0


@dataclass(frozen=True)
class NetworkTable:
    """`encoder_weights`: a safetensors file, a name that the library knows ("imagenet"), or "" for random weights.
    `library`: "smp" (segmentation_models_pytorch); "mmseg" (mmsegmentation): `architecture` is a configuration, and
    `encoder_weights` a checkpoint or "pretrained"; "iiszoo" for the network of a model's card: `architecture` is the
    model's id.
    """

    library: str = "smp"
    architecture: str = "unet"
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: str = ""
    fusion: str = "early"
    previous_mask: bool = True
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    options: dict[str, Any] = field(default_factory=dict)
    encoding: Named = field(default_factory=lambda: Named("disk", {"radius": 5}))


@dataclass(frozen=True)
class SightingTable:
    """How a session shows an image: `iiszoo.models.wrappers.description.Sighting`, whose `size` is the view's."""

    expansion: float = 1.4
    min_crop: int = 100
    keep_iou: float = 0.5
    flip: bool = False
    second_look: bool = False
    threshold: float = 0.5


@dataclass(frozen=True)
class DataTable:
    """`dataset`: an id of `iiszoo list datasets`, folder:DIR, labelme:DIR, labels:DIR, coco:FILE; `root`: its place.
    `image_scores`: a file from which images are drawn by (1 - score)^`scores_gamma`
    (`iiszoo.data.training.image_scores`).
    """

    dataset: str
    weight: float = 1.0
    root: str = ""
    image_scores: str = ""
    scores_gamma: float = 1.0
    selector: tuple[Weighted, ...] = (Weighted("random-single"),)


@dataclass(frozen=True)
class ClicksTable:
    """`first`: the clicks before any prediction. `further`: the probabilities of 0, 1, 2, ... further interactions.
    `robot`: who makes those, an id of `iiszoo list robots`; "": RITM's rule, with `depth`. `every_loss`: weights of the
    losses after 0, 1, 2, ... further interactions, all with gradient (CFR-ICL); empty: only the last has one.
    """

    first: Named = field(default_factory=lambda: Named("deep-and-near"))
    further: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    threshold: float = 0.5
    depth: float = 0.5
    robot: str = ""
    second_look: float = 0.0
    every_loss: tuple[float, ...] = ()


@dataclass(frozen=True)
class OptimiserTable:
    """`factors`: on the learning rate of the parameters whose names begin with a prefix, the longest that fits, such as
    {feature_extractor = 0.1}. `drops`: the shares of the run after which the schedule "step" falls to a tenth.
    """

    name: str = "AdamW"
    lr: float = 1e-3
    encoder_lr: float = 0.0
    factors: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 1e-2
    options: dict[str, Any] = field(default_factory=dict)
    warm_up: int = 200
    schedule: str = "cosine"
    drops: tuple[float, ...] = (0.7, 0.9)
    final: float = 0.01
    clip: float = 5.0
    ema: float = 0.999


@dataclass(frozen=True)
class ValidationTable:
    """`held_out`: the share of the images that is never trained on. `times`: validations per run, including one at the
    end; or `every`: steps between them. `limit`: the most sessions. `dataset`: used instead of the held-out images.
    """

    held_out: float = 0.06
    dataset: str = ""
    root: str = ""
    times: int = 5
    every: int = 0
    limit: int = 100
    max_clicks: int = 20
    robot: str = "ritm"
    batch_size: int = 16


@dataclass(frozen=True)
class RunTable:
    """`steps` or `minutes`: the length; with both, whichever comes first. `workers`: -1 for all cores but two.
    `in_memory`: decode the images once. `strategy`, `devices`: Lightning's.
    """

    steps: int = 0
    minutes: float = 0.0
    batch_size: int = 64
    accumulate: int = 1
    workers: int = -1
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    in_memory: bool = False
    log_every: int = 50
    checkpoint_minutes: float = 3.0


@dataclass(frozen=True)
class TrainConfig:
    """`start`: the model, run or file to fine-tune; [network] is then taken from it, unless it is a file of weights
    alone: a state dict that fits [network], or what a network's family starts from (an ImageNet or MAE backbone).
    `auxiliary_loss`: on the auxiliary output of a network that has one, as RITM's.
    """

    data: tuple[DataTable, ...]
    start: str = ""
    network: NetworkTable = field(default_factory=NetworkTable)
    sighting: SightingTable = field(default_factory=SightingTable)
    view: Named = field(default_factory=lambda: Named("object", {"size": (320, 320)}))
    clicks: ClicksTable = field(default_factory=ClicksTable)
    loss: tuple[Weighted, ...] = (Weighted("normalised-focal"),)
    auxiliary_loss: tuple[Weighted, ...] = ()
    optimiser: OptimiserTable = field(default_factory=OptimiserTable)
    validation: ValidationTable = field(default_factory=ValidationTable)
    run: RunTable = field(default_factory=RunTable)

    @property
    def size(self) -> tuple[int, int]:
        size = self.view.options.get("size", (320, 320))
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def choose(known: Mapping[str, Any], name: str, what: str) -> Any:
    """One entry of a registry. Raises `BadOption` listing the known names."""
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BadOption(f"there is no {what} {name!r}; {hint}known: {', '.join(known)}")
    return known[name]
