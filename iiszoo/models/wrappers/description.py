"""The description of a network, as plain data: stored with the weights, so that a weights file rebuilds its network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from iiszoo.clicking import encode
from iiszoo.errors import BadOption
from iiszoo.models.zoom import Points, Zoom

ENCODINGS: dict[str, Callable[..., Tensor]] = {
    "disk": encode.disk,
    "distance": encode.distance,
    "gaussian": encode.gaussian,
    "euclidean": encode.euclidean,
}
FUSIONS = ("early", "intermediate")


@dataclass(frozen=True)
class NetworkDescription:
    """A network with click inputs.

    Attributes:
        library: the source of architecture and encoder; "smp" is segmentation_models_pytorch. "mmseg" is
            mmsegmentation: the architecture is a configuration, and no encoder is named. "iiszoo": the network of a
            model's card, whose id is the architecture; encoder and fusion cannot be chosen.
        architecture, encoder: the library's names; `options` are further keywords of the architecture, or changes of
            the configuration (`iiszoo.models.wrappers.mmseg_configuration`).
        fusion: "early": the maps join the image at the first convolution. "intermediate": a second encoder reads them,
            and its features are added to the image's, level by level.
        mean, std: of the encoder's input; RGB in [0, 1] becomes (RGB - mean) / std.
        previous_mask: whether the network reads the previous probabilities.
        encoding, encoding_options: the click maps, a function of `iiszoo.clicking.encode` and its keywords.
    """

    architecture: str = "unet"
    encoder: str = "tu-tf_efficientnet_lite0"
    fusion: str = "early"
    library: str = "smp"
    options: Mapping[str, Any] = field(default_factory=dict)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    previous_mask: bool = True
    encoding: str = "disk"
    encoding_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("library", self.library, ("smp", "mmseg", "iiszoo")),
            ("fusion", self.fusion, FUSIONS),
            ("encoding", self.encoding, tuple(ENCODINGS)),
        ):
            if value not in known:
                raise BadOption(f"{name} {value!r} is unknown; known: {', '.join(known)}")

    @property
    def n_maps(self) -> int:
        """The number of channels that the network reads besides the image."""
        per_kind = len(self.encoding_options.get("scales", (0, 0, 0))) if self.encoding == "gaussian" else 1
        return 2 * per_kind + self.previous_mask

    def encode(self) -> Callable[..., Tensor]:
        """The encoding, called like the functions of `iiszoo.clicking.encode`."""
        return partial(ENCODINGS[self.encoding], **self.encoding_options)


@dataclass(frozen=True)
class Sighting:
    """How a session shows the network an image: the settings of `ClickModel` and its zoom that go with the weights.

    Attributes:
        size: height and width of the network's input, in pixels.
        expansion, min_crop, keep_iou: see `iiszoo.models.zoom.Zoom`. The first look is at the whole image.
        flip: average with the answer to the mirrored image.
        second_look: see `iiszoo.models.second_look`.
        threshold: a pixel is object above it.
    """

    size: tuple[int, int] = (320, 320)
    expansion: float = 1.4
    min_crop: int = 100
    keep_iou: float = 0.5
    flip: bool = False
    second_look: bool = False
    threshold: float = 0.5

    def zoom(self) -> Zoom:
        return Zoom((self.size[0], self.size[1]), -1, self.expansion, self.min_crop, self.keep_iou, self.threshold)


def as_json(description: NetworkDescription) -> dict[str, Any]:
    """Plain data from which `NetworkDescription(**data)` restores the description."""
    return asdict(description)


@dataclass(frozen=True)
class Encoded:
    """A `Network` of `iiszoo.models.click_model` from `network(image, maps)` and an encoding."""

    network: Callable[[Tensor, Tensor], Tensor]
    encoding: Callable[..., Tensor]

    def __call__(self, pictures: Tensor, positives: Sequence[Points], negatives: Sequence[Points]) -> Tensor:
        size = (int(pictures.shape[-2]), int(pictures.shape[-1]))
        maps = self.encoding([positives], [negatives], size, device=pictures.device, dtype=pictures.dtype)
        return self.network(pictures[:, :3], torch.cat((pictures[:, 3:], maps), dim=1))
