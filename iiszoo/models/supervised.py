"""Segmentation networks without clicks: the network M that is trained on one concept and then finds it by itself.

    deeplabv3_mobilenet_v3_large                        of torchvision (Howard et al., MobileNetV3, arXiv 1905.02244)
    smp:ARCHITECTURE/ENCODER                            any network of segmentation_models_pytorch
    NAME?size=320&weights=FILE                          both with options

`size`: the side in pixels of the square that images are resized to, without keeping their aspect, before the network
sees them; its logits are resized back. `weights`: what it starts from: `coco` (torchvision's only), `imagenet`, `none`
or a file. Without it, the best that can be had: COCO, else ImageNet, else none; `Segmenter.start` says which it was.

A network takes images, float (N, 3, h, w), RGB in [0, 1], and returns logits (N, 1, h, w).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.assets import is_offline, load_checkpoint
from iiszoo.errors import BadOption, IISZooError, WeightsError, one_line
from iiszoo.files import sha256
from iiszoo.models.imagenet import normalise
from iiszoo.models.wrappers import smp
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.names import Name, parse_name
from iiszoo.protocol import to_tensor

DEEPLAB = "deeplabv3_mobilenet_v3_large"
SIZE = 448
"""The side in pixels, unless a name gives another: that of the seed's training."""
_STRIDE = 32
"""Sides of smp's networks must be multiples of this."""
NONE = "none: random weights"


@dataclass(frozen=True)
class SegmenterDescription:
    """A network without clicks, as its name describes it; `str` is that name with every option that was chosen.

    `architecture` is `DEEPLAB`, or the architecture in smp, where it has an `encoder`. `weights` "": the best there is.
    """

    architecture: str = DEEPLAB
    encoder: str = ""
    size: int = SIZE
    weights: str = ""

    def __str__(self) -> str:
        options: dict[str, Any] = {"size": self.size, **({"weights": self.weights} if self.weights else {})}
        smp_name = Name("smp", f"{self.architecture}/{self.encoder}", options)
        return str(smp_name if self.encoder else Name(self.architecture, options=options))


class Segmenter(NamedTuple):
    """A network that can be trained, its description, and the weights that it starts from, in words for provenance."""

    network: nn.Module
    description: SegmenterDescription
    start: str


def described(name: str) -> SegmenterDescription:
    """The description of a network's name. Raises `BadOption` if it has another form."""
    parsed = parse_name(name)
    unknown = sorted(parsed.options.keys() - {"size", "weights"})
    if unknown:
        raise BadOption(f"segmenter {name!r}: there is no option {unknown[0]}; options: size, weights")
    size, weights = parsed.options.get("size", SIZE), str(parsed.options.get("weights", ""))
    if type(size) is not int or not _STRIDE <= size <= 4096 or size % _STRIDE:
        raise BadOption(f"segmenter {name!r}: size must be a multiple of {_STRIDE} from {_STRIDE} to 4096, not {size}")
    if parsed.id == DEEPLAB and not parsed.argument:
        return SegmenterDescription(size=size, weights=weights)
    architecture, slash, encoder = parsed.argument.partition("/")
    if parsed.id != "smp" or not (architecture and slash and encoder):
        raise BadOption(
            f"no segmenter is called {name!r}; write {DEEPLAB}, or smp:ARCHITECTURE/ENCODER with names of "
            "segmentation_models_pytorch, such as smp:unet/resnet34"
        )
    if weights == "coco":
        raise BadOption(f"segmenter {name!r}: smp has no weights of COCO; give weights=imagenet, none, or a file")
    return SegmenterDescription(architecture, encoder, size, weights)


def identity_of(description: SegmenterDescription) -> dict[str, Any]:
    """What determines the network at the start of a training, as far as it is known without loading anything. A file of
    weights is known by its hash, wherever it lies.

    Raises `BadOption` if its weights are a file that cannot be read.
    """
    if description.weights in ("", "none", *_KINDS):
        return {"id": str(description)}
    named = replace(description, weights=Path(description.weights).name)
    return {"id": str(named), "weights": f"sha256 {_hash_of(description.weights)}"}


def build(description: SegmenterDescription, seed: int) -> Segmenter:
    """The network with the weights that its training starts from; what they lack is random, by `seed`.

    Raises `BadOption` if it cannot be built or its weights do not fit, `WeightsError` if they cannot be had.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained(description)
    return Segmenter(network, description, _start(network, description))


def untrained(description: SegmenterDescription) -> nn.Module:
    """The network with random weights. Raises `BadOption` naming the part that cannot be built."""
    if description.encoder:
        return smp.build_without_clicks(_smp_description(description))
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    return DeepLab(deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=1, aux_loss=None))


class DeepLab(nn.Module):
    """torchvision's DeepLabV3 with one class. Names in the state dict are torchvision's, under `whole.`."""

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.whole(normalise(image))["out"]
        return logits


@torch.no_grad()
def logits_of(network: nn.Module, image: Any, size: int, device: str = "cpu") -> Tensor:
    """Logits, float32 (1, 1, H, W) on the CPU, of an image, uint8 (H, W, 3) RGB, at its own size."""
    x = to_tensor(image, device)[None]
    small = F.interpolate(x, (size, size), mode="bilinear", align_corners=False, antialias=True)
    logits = F.interpolate(network(small).float(), x.shape[-2:], mode="bilinear", align_corners=False)
    return logits.cpu()


def _start(network: nn.Module, description: SegmenterDescription) -> str:
    """Load the weights that a network starts from; returns what they are, in words."""
    if description.weights == "none":
        return NONE
    if description.weights and description.weights not in _KINDS:
        file = description.weights
        return f"{_from_file(network, description, file)} of {Path(file).name}, sha256 {_hash_of(file)}"
    kinds = [description.weights] if description.weights else ["imagenet"] if description.encoder else [*_KINDS]
    faults = []
    for kind in kinds:
        try:
            return _KINDS[kind](network, description)
        except IISZooError as error:
            if description.weights:
                raise
            faults.append(str(error))
    return f"{NONE} ({'; '.join(faults)})"


def _from_coco(network: nn.Module, description: SegmenterDescription) -> str:
    from torchvision.models.segmentation import DeepLabV3_MobileNet_V3_Large_Weights

    weights = DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1
    _fill_deeplab(network, _of_torchvision(weights), weights.url)
    return f"coco: {weights.url}"


def _from_imagenet(network: nn.Module, description: SegmenterDescription) -> str:
    if description.encoder:
        if is_offline():
            raise WeightsError(f"the ImageNet weights of {description.encoder} are not fetched: IISZOO_OFFLINE is set")
        weights = smp.library_weights(_smp_description(description), "imagenet")
        smp.load_encoder(network, weights, f"imagenet of {description.encoder}")
        return f"imagenet: the library's weights of {description.encoder}"
    from torchvision.models import MobileNet_V3_Large_Weights

    backbone = MobileNet_V3_Large_Weights.IMAGENET1K_V1
    _fill_deeplab(network, _of_torchvision(backbone), backbone.url)
    return f"imagenet: {backbone.url}"


_KINDS: dict[str, Callable[[nn.Module, SegmenterDescription], str]] = {"coco": _from_coco, "imagenet": _from_imagenet}


def _from_file(network: nn.Module, description: SegmenterDescription, file: str) -> str:
    """Load a checkpoint, of the encoder or of torchvision's whole network; returns what it is of."""
    state = load_checkpoint(file)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"weights {file} are not a state dict: names with tensors")
    if description.encoder:
        smp.load_encoder(network, state, file)
        return "the encoder's weights"
    _fill_deeplab(network, state, file)
    return "the weights"


def _fill_deeplab(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load weights of torchvision's DeepLabV3 without its last layer, or, of MobileNetV3, the backbone's.

    Raises `BadOption` naming `source` and the first entry that is missing or has another shape.
    """
    whole: nn.Module = network.whole  # type: ignore[assignment]
    named = {name.replace("features.", "backbone.", 1): value for name, value in state.items()}
    classifier = any(name.startswith("classifier.0.") and value.dim() > 2 for name, value in named.items())
    own = whole.state_dict()
    wanted = [
        name
        for name in own
        if not name.endswith("num_batches_tracked")
        and (name.startswith("backbone.") or (classifier and name.startswith("classifier.") and name[11:13] != "4."))
    ]
    for name in wanted:
        if name not in named or named[name].shape != own[name].shape:
            fault = "lack" if name not in named else "have another shape in"
            raise BadOption(f"weights {source} do not fit {DEEPLAB}: they {fault} {name}")
    whole.load_state_dict({name: named[name] for name in wanted}, strict=False)


def _of_torchvision(weights: Any) -> Mapping[str, Tensor]:
    """A state dict in torch.hub's cache, downloaded if it is not there. Raises `WeightsError`."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if is_offline() and not file.is_file():
        raise WeightsError(f"{file.name} is not fetched: IISZOO_OFFLINE is set, and there is no {file}")
    try:
        state: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # no connection, another file, no room
        raise WeightsError(f"{file.name} cannot be fetched: {one_line(error)}") from error
    return state


def _smp_description(description: SegmenterDescription) -> NetworkDescription:
    mean, std = _statistics_of(description.encoder)
    return NetworkDescription(description.architecture, description.encoder, mean=mean, std=std)


def _statistics_of(encoder: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std that an encoder's pretrained weights expect: timm's, for its own encoders (`tu-NAME`), else those of
    ImageNet.
    """
    import timm

    found = timm.models.get_pretrained_cfg(encoder.removeprefix("tu-")) if encoder.startswith("tu-") else None
    usual = NetworkDescription()
    if found is None:
        return usual.mean, usual.std
    (r, g, b), (dr, dg, db) = found.mean, found.std
    return (r, g, b), (dr, dg, db)


def _hash_of(file: str) -> str:
    try:
        return sha256(Path(file))[0]
    except OSError as error:
        raise BadOption(f"the segmenter's weights {file} cannot be read: {error.strerror or error}") from error
