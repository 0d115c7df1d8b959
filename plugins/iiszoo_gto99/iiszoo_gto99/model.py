"""GTO99 as a model of the standard format; all memory in `z`.

| entry of z    | meaning                                                                                            |
|---------------|----------------------------------------------------------------------------------------------------|
| `image`       | the network's image, normalised, sides multiples of 32: float32 (B, 3, H', W') or list             |
| `prev_output` | the previous alpha, or an initial mask                                                             |

A call is `pred` (`demo.py` of MarcoForte/DeepInteractiveSegmentation at ddd7426): the previous alpha without unclicked
components, resized; the network; alpha resized back, clicked pixels set, unclicked components removed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from iiszoo.clicking.encode import gaussian
from iiszoo.models.imagenet import normalise
from iiszoo.protocol import Click, Clicks, Images, Outputs, State, clicks_of, empty_output, join
from iiszoo_gto99.components import remove_unclicked
from iiszoo_gto99.resize import Size, bilinear, enlarge_clicks, lanczos, network_size

Kinds = tuple[list[Click], list[Click]]
"""The clicks of one element in the network's order: negative, positive."""


class Gto99:
    """A pure function of its arguments; it stores only the network, called like `iiszoo_gto99.network.Network`.

    On a GPU, sessions whose resized images have the same size share a call of the network. On a CPU each has its own: a
    batch is not faster there, other kernels change last bits, and the guided filter can turn these into other pixels.
    """

    ragged = True

    def __init__(self, network: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
        self.network = network

    def init_z(self, x: Images) -> State:
        """Resize the image, once for all clicks."""
        return {"image": join([to_network(image) for image in x]), "prev_output": empty_output(x)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. An element without any click keeps its previous output."""
        outputs = list(z["prev_output"])
        clicks = [(_inside(ncs, b, x[b]), _inside(pcs, b, x[b])) for b in range(len(x))]
        groups: dict[tuple[Size, int], list[int]] = defaultdict(list)
        for b, (negative, positive) in enumerate(clicks):
            if negative or positive:
                image = z["image"][b]
                groups[_size(image), b if image.device.type == "cpu" else 0].append(b)
        for group in groups.values():
            images = torch.stack([z["image"][b] for b in group])
            alphas = self._alphas(images, [outputs[b] for b in group], [clicks[b] for b in group])
            for b, alpha in zip(group, alphas, strict=True):
                outputs[b] = to_image(alpha, _size(x[b]), clicks[b])
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "prev_output": y}

    def _alphas(self, images: Tensor, previous: Sequence[Tensor], clicks: Sequence[Kinds]) -> Tensor:
        """The network's outputs (B, 1, H', W') for images (B, 3, H', W') and previous alphas of other sizes."""
        size = _size(images)
        alphas = [
            lanczos(remove_unclicked(a, positive), size) for a, (_, positive) in zip(previous, clicks, strict=True)
        ]
        enlarged = [
            tuple(enlarge_clicks(kind, _size(a), size) for kind in kinds)
            for a, kinds in zip(previous, clicks, strict=True)
        ]
        maps, clicked = encode(enlarged, size, images.device)
        answer: Tensor = self.network(images, maps, torch.stack(alphas), clicked)
        return answer


def to_network(image: Tensor) -> Tensor:
    """The network's image, float32 (3, H', W'), normalised, of an image float32 (3, H, W), RGB in [0, 1]."""
    x = image.cpu().double()  # float64 as in upstream, once per image; on the CPU, as not every device supports it
    of_8_bits = (x * 255).round() / 255
    # An 8-bit value that was divided in float32 regains its float64 precision; other values stay unchanged.
    x = torch.where((x - of_8_bits).abs() < 2**-24, of_8_bits, x)
    return normalise(lanczos(x, network_size(_size(x))).float()).to(image.device)


def encode(clicks: Sequence[Sequence[list[Click]]], size: Size, device: Any = None) -> tuple[Tensor, Tensor]:
    """Click maps float32 (B, 6, H', W') and clicked pixels bool (B, 2, H', W') of B elements, negative before positive.

    `clicks`: per element, the clicked pixels of the network's image, negative and positive.
    """
    negative, positive = ([kinds[kind] for kinds in clicks] for kind in range(2))
    maps = gaussian([negative], [positive], size, device=device)
    clicked = torch.zeros(len(clicks), 2, *size, dtype=torch.bool)
    for b, kinds in enumerate(clicks):
        for kind, pixels in enumerate(kinds):
            for row, col in pixels:
                clicked[b, kind, row, col] = True
    return maps, clicked.to(device)


def to_image(alpha: Tensor, size: Size, clicks: Kinds) -> Tensor:
    """The network's alpha (1, H', W') as the output for an image of `size`: float32 (1, H, W) in [0, 1]."""
    # clamped, as the two weights of a pixel may add up to slightly more than 1
    answer = bilinear(alpha[None], size)[0].clamp(0, 1)
    for kind, pixels in enumerate(clicks):
        for row, col in pixels:
            answer[0, row, col] = kind
    return remove_unclicked(answer, clicks[1])


def _inside(clicks: Clicks, b: int, image: Tensor) -> list[Click]:
    """All clicks of element `b`; a click outside the image is moved to the nearest pixel."""
    height, width = _size(image)
    return [
        (min(max(round(row), 0), height - 1), min(max(round(col), 0), width - 1)) for row, col in clicks_of(clicks, b)
    ]


def _size(x: Tensor) -> Size:
    return int(x.shape[-2]), int(x.shape[-1])
