"""FocalClick's predictor as a model of the standard format: target crop, coarse network, focus crop, refiner, merge.

`FocalPredictor` of alibaba/ClickSEG at d61a76b (`isegm/inference/predictors/focalclick.py`), including what its
evaluation does between clicks (`isegm/inference/evaluation.py`); arXiv 2204.02574, section 3.

| entry of z      | meaning                                                                                      |
|-----------------|----------------------------------------------------------------------------------------------|
| `prev_output`   | the previous output, merged if the session merges; or an initial mask                        |
| `probabilities` | the previous output before merging: input of the network and reference of the focus crop     |
| `roi`           | int64 (B, 4): the target crop; see `iiszoo.models.zoom.read_box`                             |
| `focus`         | int64 (B, 4): the last focus crop, likewise                                                  |
| `answered`      | bool (B,): whether there was a click                                                         |
| `merging`       | bool (B,): whether the session started from a mask, so that outputs are merged with it       |
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iiszoo.models.click_model import CPU_BATCH, draw_disks
from iiszoo.models.merge import merged_output
from iiszoo.models.zoom import (
    Box,
    Point,
    Zoom,
    bounding_boxes,
    crop,
    cut,
    masks_on_cpu,
    next_roi,
    no_boxes,
    paste,
    read_box,
    resize,
    whole_image,
    write_box,
)
from iiszoo.protocol import Clicks, Images, Outputs, State, clicks_of, empty_output, join
from iiszoo_focalclick.focus import focus_box
from iiszoo_focalclick.networks import REFINER_DISK_RADIUS
from iiszoo_focalclick.parts import Parts

ZOOM = Zoom(skip_clicks=1, expansion=1.4, min_crop=10, keep_iou=math.inf, threshold=0.49)
"""The rules of the target crop: RITM's, but chosen anew at each click. `target` is a square of the model's `side`."""
_COARSE_OBJECT = 1 / (1 + math.exp(-0.49))
"""For the focus crop, a pixel is object if the coarse *logit* is above 0.49, but in the previous mask if the
*probability* is, as in upstream."""
_PREVIOUS_OBJECT = 0.49
_LAST_COARSE = 10
"""After this many clicks the coarse output only determines the focus crop, and the rest of the mask stays."""


class Networks(Protocol):
    """The two networks: pictures and clicks of N sessions in, logits out. Clicks are in pixels of each picture."""

    def coarse(
        self, pictures: Tensor, positives: list[list[Point]], negatives: list[list[Point]]
    ) -> tuple[Tensor, Tensor]:
        """Target crops with previous probabilities (N, 4, s, s) -> logits (N, 1, s, s) and features for `refine`."""
        ...

    def refine(
        self,
        crops: Tensor,
        positives: list[list[Point]],
        negatives: list[list[Point]],
        features: Tensor,
        logits: Tensor,
        boxes: Tensor,
    ) -> Tensor:
        """Focus crops (N, 3, s, s), the output of `coarse`, the crops' (x1, y1, x2, y2) in its picture -> logits."""
        ...


class DiskNetworks:
    """`FocalClick`'s networks, which read clicks as disks."""

    def __init__(self, network: Parts) -> None:
        self.network = network

    def coarse(
        self, pictures: Tensor, positives: list[list[Point]], negatives: list[list[Point]]
    ) -> tuple[Tensor, Tensor]:
        disks = draw_disks(pictures, positives, negatives, self.network.disk_radius)
        return self.network.coarse(pictures[:, :3], torch.cat((pictures[:, 3:], disks), dim=1))

    def refine(
        self,
        crops: Tensor,
        positives: list[list[Point]],
        negatives: list[list[Point]],
        features: Tensor,
        logits: Tensor,
        boxes: Tensor,
    ) -> Tensor:
        disks = draw_disks(crops, positives, negatives, REFINER_DISK_RADIUS)
        return self.network.refine(crops, disks, features, logits, boxes)


class Sight(NamedTuple):
    """One session's input to an interaction."""

    image: Tensor
    """(3, H, W)."""
    previous: Tensor
    """(1, H, W): the probabilities before the click."""
    positives: list[Point]
    negatives: list[Point]
    last: tuple[int, int]
    """The newest click."""
    roi: Box | None
    seen: Box
    """The target crop: the part of the image that the coarse network sees; the whole image if there is no object."""

    @property
    def size(self) -> tuple[int, int]:
        return int(self.image.shape[-2]), int(self.image.shape[-1])

    @property
    def region(self) -> Box:
        """The ROI, or the whole image."""
        return whole_image(self.size) if self.roi is None else self.roi


@dataclass(frozen=True)
class FocalClickModel:
    """A pure function of its arguments that takes images of any sizes in one call; it stores only the networks.

    Attributes:
        side: of the square that crops are resized to, in pixels.
        merge: "published", "fixed" or "none": how a session that started from a mask merges each output with the
            previous mask; see `iiszoo.models.merge`.
        threshold: for this merge, a pixel is object above it.

    An element without any click keeps its previous output.
    """

    networks: Networks
    side: int = 256
    merge: str = "published"
    threshold: float = 0.5

    ragged = True
    merges = True

    def at_threshold(self, threshold: float) -> FocalClickModel:
        """The same model for a run whose masks are `output > threshold`."""
        return replace(self, threshold=threshold)

    def init_z(self, x: Images) -> State:
        """Empty outputs and no crops; nothing depends on the image's content."""
        nothing = empty_output(x)
        return {
            "prev_output": nothing,
            "probabilities": nothing,
            "roi": no_boxes(len(x)),
            "focus": no_boxes(len(x)),
            "answered": torch.zeros(len(x), dtype=torch.bool),
            "merging": torch.zeros(len(x), dtype=torch.bool),
        }

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. All sessions share calls of the networks, on a CPU four per call."""
        outputs, probabilities = list(z["prev_output"]), list(z["probabilities"])
        state = {name: z[name].clone() for name in ("roi", "focus", "answered", "merging")}
        clicked = [b for b in range(len(x)) if clicks_of(pcs, b) or clicks_of(ncs, b)]
        most = CPU_BATCH if all(x[b].device.type == "cpu" for b in clicked) else len(clicked)
        for begin in range(0, len(clicked), most or 1):
            group = clicked[begin : begin + most]
            objects = self._objects(z, group)
            sights = [self._look(x[b], z, pcs, ncs, b, objects.get(b)) for b in group]
            for b, sight, (answer, focus) in zip(group, sights, self._answers(sights), strict=True):
                if not state["answered"][b]:
                    state["merging"][b] = self.merge != "none" and bool((outputs[b] > self.threshold).any())
                write_box(state["roi"], b, sight.roi)
                write_box(state["focus"], b, focus)
                state["answered"][b] = True
                probabilities[b] = answer
                if state["merging"][b]:
                    clicks = [*pcs[-1][b], *ncs[-1][b]]
                    answer = merged_output(answer, outputs[b], clicks, self.threshold, fixed=self.merge == "fixed")
                outputs[b] = answer
        y, unmerged = (join(values) if isinstance(x, Tensor) else values for values in (outputs, probabilities))
        return y, {**z, **state, "prev_output": y, "probabilities": unmerged}

    def _objects(self, z: State, group: list[int]) -> dict[int, Box | None]:
        """The bounding box of each output that determines a target crop."""
        asked = [b for b in group if z["answered"][b]]
        found = bounding_boxes([self._object(z, b) for b in asked], ZOOM.threshold)
        return dict(zip(asked, found, strict=True))

    def _look(self, image: Tensor, z: State, pcs: Clicks, ncs: Clicks, b: int, object_box: Box | None) -> Sight:
        size = (int(image.shape[-2]), int(image.shape[-1]))
        positives, negatives = clicks_of(pcs, b), clicks_of(ncs, b)
        previous = z["probabilities" if z["answered"][b] else "prev_output"][b]
        roi, zoomed = next_roi(
            ZOOM,
            read_box(z["roi"], b),
            object_box,
            positives,
            len(positives) + len(negatives),
            size,
        )
        seen = roi if roi is not None and zoomed else whole_image(size)
        return Sight(image, previous, list(positives), list(negatives), _newest(pcs, ncs, b), roi, seen)

    def _object(self, z: State, b: int) -> Tensor:
        """(H, W): the output that determines the target crop: the merged mask if the session merges."""
        found: Tensor = z["probabilities"][b][0]
        if z["merging"][b]:
            found = (z["prev_output"][b][0] > self.threshold).float()
        return found

    def _answers(self, sights: list[Sight]) -> list[tuple[Tensor, Box]]:
        """The probabilities (1, H, W) and the focus crop of each session."""
        square = (self.side, self.side)
        layers = [crop(values, s.seen, square) for s in sights for values in (s.image, s.previous)]
        pictures = torch.cat(layers).view(len(sights), -1, *square)
        logits, features = self.networks.coarse(
            pictures,
            [_mapped(s.positives, s.seen, self.side) for s in sights],
            [_mapped(s.negatives, s.seen, self.side) for s in sights],
        )
        coarse = [_back(answer, sight) for answer, sight in zip(torch.sigmoid(logits), sights, strict=True)]
        boxes = _focus(coarse, sights)
        refined = self._refined(sights, boxes, logits, features)
        answers = []
        for n, (answer, sight, box) in enumerate(zip(coarse, sights, boxes, strict=True)):
            many = len(sight.positives) + len(sight.negatives) > _LAST_COARSE
            answer = sight.previous.clone() if many else answer
            if n in refined:
                cut(answer, box).copy_(refined[n])
            answers.append((answer, box))
        return answers

    def _refined(self, sights: list[Sight], boxes: list[Box], logits: Tensor, features: Tensor) -> dict[int, Tensor]:
        """The refiner's probabilities (1, h, w) for each box that is not empty; by session."""
        there = [n for n, box in enumerate(boxes) if not box.empty]
        if not there:
            return {}
        if len(there) < len(boxes):
            logits, features = logits[there], features[there]
        found = self.networks.refine(
            torch.stack([crop(sights[n].image, boxes[n], (self.side, self.side)) for n in there]),
            [_mapped(sights[n].positives, boxes[n], self.side) for n in there],
            [_mapped(sights[n].negatives, boxes[n], self.side) for n in there],
            features,
            logits,
            torch.tensor([_inside(boxes[n], sights[n].region, self.side) for n in there], device=logits.device),
        )
        sizes = [(boxes[n].height, boxes[n].width) for n in there]
        return {n: torch.sigmoid(resize(logit, size)) for n, logit, size in zip(there, found, sizes, strict=True)}


def _newest(pcs: Clicks, ncs: Clicks, b: int) -> tuple[int, int]:
    """The last click of element `b`; within an interaction the negative ones come last."""
    row, col = next(
        clicks[b][-1] for pair in zip(reversed(ncs), reversed(pcs), strict=True) for clicks in pair if clicks[b]
    )
    return int(row), int(col)


def _mapped(points: list[Point], box: Box, side: int) -> list[Point]:
    """Points of the image, also those outside the box, in the square of `side` that the box is resized to.

    Like `iiszoo.models.zoom.to_crop`, but dividing before multiplying, as upstream does: the last bits differ.
    """
    scales = side / box.height, side / box.width
    return [((row - box.top) * scales[0], (col - box.left) * scales[1]) for row, col in points]


def _back(answer: Tensor, sight: Sight) -> Tensor:
    """The answer (1, s, s) for the target crop, in the image: (1, H, W), 0 outside the ROI.

    The target crop is the ROI or, if the object has vanished, the whole image, which is then squeezed into the
    remaining ROI: upstream's rule, as in `iiszoo.models.zoom.next_roi`.
    """
    seen = resize(answer, (sight.seen.height, sight.seen.width))
    return seen if sight.roi is None else paste(seen, sight.roi, sight.size)


def _focus(answers: list[Tensor], sights: list[Sight]) -> list[Box]:
    """The focus crop of each session."""
    coarse = masks_on_cpu([answer[0] for answer in answers], _COARSE_OBJECT)
    previous = masks_on_cpu([sight.previous[0] for sight in sights], _PREVIOUS_OBJECT)
    return [
        focus_box(after, before, sight.region, sight.last)
        for after, before, sight in zip(coarse, previous, sights, strict=True)
    ]


def _inside(box: Box, region: Box, side: int) -> tuple[float, float, float, float]:
    """A box of the image as (x1, y1, x2, y2) in the square of `side` that `region` is resized to."""
    (y1, x1), (y2, x2) = _mapped([(box.top, box.left), (box.bottom, box.right)], region, side)
    return max(x1, 0), max(y1, 0), min(x2, side), min(y2, side)
