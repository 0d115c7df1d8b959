"""Turns a network into a model of the standard format: zoom-in, flip averaging, sigmoid, paste.

RITM and SimpleClick differ in their networks and in the parameters here, but share the predictor: `BasePredictor` of
SamsungLabs/ritm_interactive_segmentation at b9b4460 (`isegm/inference/predictors/base.py`), which SimpleClick (f33112e)
uses unchanged. Its BRS variants, which tune the network at each click, are not implemented.

| entry of z    | meaning                                                                                          |
|---------------|--------------------------------------------------------------------------------------------------|
| `prev_output` | the previous output, or an initial mask: a channel of the network's input, never binarised       |
| `roi`         | int64 (B, 4): the region zoomed in on; see `iiszoo.models.zoom.read_box`                         |
| `answered`    | bool (B,): whether `prev_output` follows a click, so that it determines the zoom                 |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
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
    Zoom,
    bounding_boxes,
    crop,
    crop_size,
    next_roi,
    no_boxes,
    only_size,
    paste,
    read_box,
    to_crop,
    write_box,
)
from iiszoo.protocol import Clicks, Images, Outputs, State, clicks_of, empty_output, join

Network = Callable[[Tensor, list[list[Point]], list[list[Point]]], Tensor]
"""(pictures, positive clicks, negative clicks) -> logits (N, 1, h, w). Pictures: float32 (N, 3 or 4, h, w), RGB in
[0, 1] and, for a network that reads them, the previous probabilities; clicks: per picture, in its pixels."""


def draw_disks(pictures: Tensor, positives: list[list[Point]], negatives: list[list[Point]], radius: float) -> Tensor:
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

    def __call__(self, pictures: Tensor, positives: list[list[Point]], negatives: list[list[Point]]) -> Tensor:
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
    positives: list[Point]
    negatives: list[Point]


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
        outputs, rois, answered = list(z["prev_output"]), z["roi"].clone(), z["answered"].clone()
        clicked = [b for b in range(len(x)) if any(interaction[b] for clicks in (pcs, ncs) for interaction in clicks)]
        objects = self._objects(z, clicked)
        sights: dict[int, Sight] = {}
        for b in clicked:
            roi, sights[b] = self._look(x[b], z, pcs, ncs, b, objects.get(b))
            write_box(rois, b, roi)
            answered[b] = True
        for group in _alike(sights):
            for b, probabilities in zip(group, self._probabilities([sights[b] for b in group]), strict=True):
                roi = read_box(rois, b)
                size = (int(x[b].shape[-2]), int(x[b].shape[-1]))
                outputs[b] = probabilities if roi is None else paste(probabilities, roi, size)
        y = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "prev_output": y, "roi": rois, "answered": answered}

    def _objects(self, z: State, clicked: list[int]) -> dict[int, Box | None]:
        """The bounding box of the object in each previous answer that determines a zoom."""
        if self.zoom is None:
            return {}
        asked = [b for b in clicked if z["answered"][b]]
        found = bounding_boxes([z["prev_output"][b][0] for b in asked], self.zoom.threshold)
        return dict(zip(asked, found, strict=True))

    def _look(
        self, image: Tensor, z: State, pcs: Clicks, ncs: Clicks, b: int, object_box: Box | None
    ) -> tuple[Box | None, Sight]:
        layers: tuple[Tensor, ...] = (image, z["prev_output"][b]) if self.with_prev_mask else (image,)
        positives, negatives = clicks_of(pcs, b), clicks_of(ncs, b)
        roi, zoomed = None, False
        if self.zoom is not None:
            size = (int(image.shape[-2]), int(image.shape[-1]))
            n_clicks = len(positives) + len(negatives)
            roi, zoomed = next_roi(self.zoom, read_box(z["roi"], b), object_box, positives, n_clicks, size)
        seen = _first_clicks(pcs, ncs, b, self.click_limit)
        if self.zoom is None or roi is None or not zoomed:
            return roi, Sight(layers, *seen)
        target = crop_size(roi, self.zoom.target)
        layers = tuple(crop(layer, roi, target) for layer in layers)
        return roi, Sight(layers, *(to_crop(points, roi, target) for points in seen))

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
    """The elements that share a call of the network: of the same size, and on a CPU at most `CPU_BATCH`."""
    by_size: dict[torch.Size, list[int]] = defaultdict(list)
    for b, sight in sights.items():
        by_size[sight.layers[0].shape].append(b)
    most = CPU_BATCH if all(sight.layers[0].device.type == "cpu" for sight in sights.values()) else len(sights)
    return [group[i : i + most] for group in by_size.values() for i in range(0, len(group), most)]


def _first_clicks(pcs: Clicks, ncs: Clicks, b: int, limit: int | None) -> tuple[list[Point], list[Point]]:
    """The first `limit` clicks of element `b`, (positive, negative); within an interaction positive ones come first."""
    kinds: tuple[list[Point], list[Point]] = ([], [])
    for positives, negatives in zip(pcs, ncs, strict=True):
        for clicks, kind in ((positives[b], kinds[0]), (negatives[b], kinds[1])):
            left = len(clicks) if limit is None else limit - len(kinds[0]) - len(kinds[1])
            kind.extend(clicks[: max(0, left)])
    return kinds


def _mirrored(points: list[Point], width: int) -> list[Point]:
    return [(row, width - col - 1) for row, col in points]
