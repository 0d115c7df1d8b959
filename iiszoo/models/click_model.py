"""Turns a network into a model of the standard format: zoom-in, flip averaging, sigmoid, paste.

RITM and SimpleClick differ in their networks and in the parameters here, but share the predictor: `BasePredictor` of
SamsungLabs/ritm_interactive_segmentation at b9b4460 (`isegm/inference/predictors/base.py`), which SimpleClick (f33112e)
uses unchanged. Its BRS variants, which tune the network at each click, are not implemented.

| entry of z    | meaning                                                                                          |
|---------------|--------------------------------------------------------------------------------------------------|
| `prev_output` | the previous output, or an initial mask: a channel of the network's input, never binarised       |
| `roi`         | int64 (B, 4): the region zoomed in on; see `iiszoo.models.zoom.read_boxes`                       |
| `answered`    | bool (B,): whether `prev_output` follows a click, so that it determines the zoom                 |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iiszoo.clicking.encode import disk
from iiszoo.models.runtime import Graph, image_and_maps
from iiszoo.models.zoom import (
    Box,
    Point,
    Points,
    Zoom,
    bounding_boxes,
    crop,
    crop_size,
    next_roi,
    no_boxes,
    only_size,
    paste,
    read_boxes,
    to_crop,
    write_boxes,
)
from iiszoo.protocol import Click, Clicks, Images, Outputs, State, clicks_by_element, empty_output, join, on_device

Network = Callable[[Tensor, Sequence[Points], Sequence[Points]], Tensor]
"""(pictures, positive clicks, negative clicks) -> logits (N, 1, h, w). Pictures: float32 (N, 3 or 4, h, w), RGB in
[0, 1] and, for a network that reads them, the previous probabilities; clicks: per picture, in its pixels."""


def draw_disks(pictures: Tensor, positives: Sequence[Points], negatives: Sequence[Points], radius: float) -> Tensor:
    """The clicks on N pictures (N, C, h, w) as disks (N, 2, h, w), positive and negative; see `disk`."""
    size = (int(pictures.shape[-2]), int(pictures.shape[-1]))
    return disk([positives], [negatives], size, radius, device=pictures.device, dtype=pictures.dtype)


@dataclass(frozen=True)
class OnDisks:
    """A `Network` from one that reads clicks as disks of `radius` pixels: `network(image, maps)`, image (N, 3, h, w),
    maps (N, 2 or 3, h, w) = previous probabilities (if the network reads them), positive disks, negative disks.
    """

    network: Callable[[Tensor, Tensor], Tensor]
    radius: float = 5

    def __call__(self, pictures: Tensor, positives: Sequence[Points], negatives: Sequence[Points]) -> Tensor:
        disks = draw_disks(pictures, positives, negatives, self.radius)
        return self.network(pictures[:, :3], torch.cat((pictures[:, 3:], disks), dim=1))


EXAMPLE = Path(__file__).parent / "examples" / "click_network.py"
"""The first look of a `ClickModel` without iiszoo."""


def disk_usage(radius: float, zoom: Zoom | None, flip: bool) -> dict[str, Any]:
    """What `EXAMPLE` needs to know; `input_size` None: the first look is at the image at its own size."""
    size = list(zoom.target) if zoom is not None and isinstance(zoom.target, tuple) else None
    return {"encoding": "disk", "radius": radius, "input_size": size, "flip": flip, "resize": "bilinear, align corners"}


def disk_graph(radius: float, with_prev_mask: bool, zoom: Zoom | None, flip: bool) -> Graph:
    """How a network that `OnDisks` calls is exported: for the only size that the zoom shows it, or for any."""
    previous = "previous probabilities, " if with_prev_mask else ""
    maps = f"{previous}disks of the positive, of the negative clicks"
    usage = disk_usage(radius, zoom, flip)
    return image_and_maps(2 + with_prev_mask, maps, usage=usage, example=EXAMPLE, size=only_size(zoom))


CPU_BATCH = 4
"""Larger batches are not faster on a CPU and take memory; beyond 8 pictures torch also picks other kernels, whose last
bits differ, and an element's output must not depend on its neighbours."""


class Sight(NamedTuple):
    """The network's input for one session: image (3, h, w), perhaps previous probabilities (1, h, w), and clicks."""

    layers: tuple[Tensor, ...]
    positives: Points
    negatives: Points


class ClickModel:
    """A pure function of its arguments that takes images of any sizes in one call; it stores only the network.

    Args:
        network: see `Network`; its output has the size of its input.
        zoom: None shows the network the whole image at its own size at each click.
        flip: average the logits with those of the mirrored input.
        with_prev_mask: whether the network reads the previous probabilities.
        click_limit: the network sees only this many clicks, the first ones; the zoom sees all.

    An element without any click keeps its previous output.
    """

    ragged = True
    threshold: float = 0.5
    """Object is what is above it, if no card says otherwise."""

    def __init__(
        self,
        network: Network,
        zoom: Zoom | None,
        flip: bool = True,
        with_prev_mask: bool = True,
        click_limit: int | None = None,
    ) -> None:
        self.network, self.zoom, self.flip = network, zoom, flip
        self.with_prev_mask, self.click_limit = with_prev_mask, click_limit

    def init_z(self, x: Images) -> State:
        """An empty output and no ROI; nothing depends on the image's content."""
        return {
            "prev_output": empty_output(x),
            "roi": no_boxes(len(x)),
            "answered": torch.zeros(len(x), dtype=torch.bool),
        }

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Sessions whose network inputs have the same size share a call of the network."""
        images, outputs = list(x), list(z["prev_output"])
        rois, answered = read_boxes(z["roi"]), z["answered"].tolist()
        positives, negatives = (clicks_by_element(clicks, len(x)) for clicks in (pcs, ncs))
        clicked = [b for b in range(len(x)) if positives[b] or negatives[b]]
        objects = self._objects(outputs, [b for b in clicked if answered[b]])
        sights: dict[int, Sight] = {}
        for b in clicked:
            size, zoomed = _size(images[b]), False
            if self.zoom is not None:
                n_clicks = len(positives[b]) + len(negatives[b])
                rois[b], zoomed = next_roi(self.zoom, rois[b], objects.get(b), positives[b], n_clicks, size)
            seen: tuple[Points, Points] = (positives[b], negatives[b])
            if self.click_limit is not None:
                seen = _first_clicks(pcs, ncs, b, self.click_limit)
            layers = (images[b], outputs[b]) if self.with_prev_mask else (images[b],)
            sights[b] = self._zoomed(layers, seen, rois[b] if zoomed else None)
            answered[b] = True
        for group in _alike(sights):
            for b, probabilities in zip(group, self._probabilities([sights[b] for b in group]), strict=True):
                roi = rois[b]
                outputs[b] = probabilities if roi is None else paste(probabilities, roi, _size(images[b]))
        y = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "prev_output": y, "roi": write_boxes(rois), "answered": torch.tensor(answered)}

    def _objects(self, outputs: list[Tensor], asked: list[int]) -> dict[int, Box | None]:
        """The bounding box of the object in each previous answer that determines a zoom."""
        if self.zoom is None:
            return {}
        found = bounding_boxes([outputs[b][0] for b in asked], self.zoom.threshold)
        return dict(zip(asked, found, strict=True))

    def _zoomed(self, layers: tuple[Tensor, ...], clicks: tuple[Points, Points], roi: Box | None) -> Sight:
        """What the network sees in the ROI, or, without one, in the whole image."""
        if self.zoom is None or roi is None:
            return Sight(layers, *clicks)
        target = crop_size(roi, self.zoom.target)
        return Sight(
            tuple(crop(layer, roi, target) for layer in layers), *(to_crop(points, roi, target) for points in clicks)
        )

    def _probabilities(self, sights: list[Sight]) -> Tensor:
        """(N, 1, h, w) for N sights of the same size."""
        size = sights[0].layers[0].shape[-2:]
        pictures = torch.cat([layer for sight in sights for layer in sight.layers]).view(len(sights), -1, *size)
        positives = [sight.positives for sight in sights]
        negatives = [sight.negatives for sight in sights]
        if self.flip:
            pictures = torch.cat((pictures, pictures.flip(-1)))
            positives += [_mirrored(points, pictures.shape[-1]) for points in positives]
            negatives += [_mirrored(points, pictures.shape[-1]) for points in negatives]
        logits = self.network(pictures, positives, negatives)
        if self.flip:
            logits, mirrored = logits.chunk(2)
            logits = 0.5 * (logits + mirrored.flip(-1))
        return torch.sigmoid(logits)


def _alike(sights: dict[int, Sight]) -> list[list[int]]:
    """The elements that share a call of the network: of the same size, and as many as its device takes."""
    by_size: dict[torch.Size, list[int]] = defaultdict(list)
    for b, sight in sights.items():
        by_size[sight.layers[0].shape].append(b)
    return [part for group in by_size.values() for part in shared_calls(group, sights[group[0]].layers[0].device)]


def shared_calls(elements: list[int], device: torch.device) -> list[list[int]]:
    """The elements, parted into calls of a network on `device`: one, but on a CPU of at most `CPU_BATCH`."""
    most = CPU_BATCH if device.type == "cpu" else max(1, len(elements))
    return [elements[first : first + most] for first in range(0, len(elements), most)]


def of_group(values: Tensor, group: Sequence[int]) -> Tensor:
    """The elements of a group, without a copy if these are all: of one image 8 MB and more would be copied."""
    return values if len(group) == len(values) else values[on_device(torch.tensor(group), values.device)]


def _size(image: Tensor) -> tuple[int, int]:
    height, width = image.shape[-2:]
    return height, width


def _first_clicks(pcs: Clicks, ncs: Clicks, b: int, limit: int) -> tuple[list[Click], list[Click]]:
    """The first `limit` clicks of element `b`, (positive, negative); within an interaction positive ones come first."""
    kinds: tuple[list[Click], list[Click]] = ([], [])
    for positives, negatives in zip(pcs, ncs, strict=True):
        for clicks, kind in ((positives[b], kinds[0]), (negatives[b], kinds[1])):
            kind.extend(clicks[: max(0, limit - len(kinds[0]) - len(kinds[1]))])
    return kinds


def _mirrored(points: Points, width: int) -> list[Point]:
    return [(row, width - col - 1) for row, col in points]
