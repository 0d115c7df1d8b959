"""FocalClick's predictor as a model of the standard format: target crop, coarse network, focus crop, refiner, merge.

`FocalPredictor` of alibaba/ClickSEG at d61a76b (`isegm/inference/predictors/focalclick.py`), including what its
evaluation does between clicks (`isegm/inference/evaluation.py`); arXiv 2204.02574, section 3.

| entry of z      | meaning                                                                                      |
|-----------------|----------------------------------------------------------------------------------------------|
| `prev_output`   | the previous output, merged if the session merges; or an initial mask                        |
| `probabilities` | the previous output before merging: input of the network and reference of the focus crop     |
| `roi`           | int64 (B, 4): the target crop; see `iiszoo.models.zoom.read_boxes`                           |
| `focus`         | int64 (B, 4): the last focus crop, likewise                                                  |
| `answered`      | bool (B,): whether there was a click                                                         |
| `merging`       | bool (B,): whether the session started from a mask, so that outputs are merged with it       |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iiszoo.models.click_model import draw_disks, of_group, shared_calls
from iiszoo.models.merge import merged_outputs
from iiszoo.models.zoom import (
    Box,
    Point,
    Points,
    Zoom,
    bounding_boxes,
    crop,
    cut,
    masks_on_cpu,
    next_roi,
    paste,
    read_boxes,
    resize,
    whole_image,
    write_boxes,
)
from iiszoo.protocol import (
    Click,
    Clicks,
    Images,
    Outputs,
    State,
    clicks_by_element,
    empty_output,
    join,
    newest_clicks,
    on_device,
)
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
        self, pictures: Tensor, positives: Sequence[Points], negatives: Sequence[Points]
    ) -> tuple[Tensor, Tensor]:
        """Target crops with previous probabilities (N, 4, s, s) -> logits (N, 1, s, s) and features for `refine`."""
        ...

    def refine(
        self,
        crops: Tensor,
        positives: Sequence[Points],
        negatives: Sequence[Points],
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
        self, pictures: Tensor, positives: Sequence[Points], negatives: Sequence[Points]
    ) -> tuple[Tensor, Tensor]:
        disks = draw_disks(pictures, positives, negatives, self.network.disk_radius)
        return self.network.coarse(pictures[:, :3], torch.cat((pictures[:, 3:], disks), dim=1))

    def refine(
        self,
        crops: Tensor,
        positives: Sequence[Points],
        negatives: Sequence[Points],
        features: Tensor,
        logits: Tensor,
        boxes: Tensor,
    ) -> Tensor:
        disks = draw_disks(crops, positives, negatives, REFINER_DISK_RADIUS)
        return self.network.refine(crops, disks, features, logits, boxes)


class Memory(NamedTuple):
    """What is known of one session before an interaction: its entries of z, see above."""

    output: Tensor
    """(1, H, W)."""
    probabilities: Tensor
    roi: Box | None = None
    focus: Box | None = None
    answered: bool = False
    merging: bool = False


def _memories(z: State) -> list[Memory]:
    boxes = (read_boxes(z[name]) for name in ("roi", "focus"))
    flags = (z[name].tolist() for name in ("answered", "merging"))
    return [Memory(*entries) for entries in zip(z["prev_output"], z["probabilities"], *boxes, *flags, strict=True)]


def _state(outputs: Outputs, probabilities: Outputs, memories: list[Memory]) -> State:
    """z of these sessions, with the entries of images joined already."""
    return {
        "prev_output": outputs,
        "probabilities": probabilities,
        "roi": write_boxes([memory.roi for memory in memories]),
        "focus": write_boxes([memory.focus for memory in memories]),
        "answered": torch.tensor([memory.answered for memory in memories]),
        "merging": torch.tensor([memory.merging for memory in memories]),
    }


class Sight(NamedTuple):
    """One session's input to an interaction."""

    image: Tensor
    """(3, H, W)."""
    previous: Tensor
    """(1, H, W): the probabilities before the click."""
    positives: Points
    negatives: Points
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


def _look(
    image: Tensor,
    memory: Memory,
    object_box: Box | None,
    positives: list[Click],
    negatives: list[Click],
    last: tuple[int, int],
) -> Sight:
    size = (int(image.shape[-2]), int(image.shape[-1]))
    previous = memory.probabilities if memory.answered else memory.output
    roi, zoomed = next_roi(ZOOM, memory.roi, object_box, positives, len(positives) + len(negatives), size)
    seen = roi if roi is not None and zoomed else whole_image(size)
    return Sight(image, previous, positives, negatives, last, roi, seen)


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
        return _state(nothing, nothing, [Memory(output, output) for output in nothing])

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. All sessions share calls of the networks, on a CPU four per call."""
        images, memories = list(x), _memories(z)
        positives, negatives = (clicks_by_element(clicks, len(x)) for clicks in (pcs, ncs))
        clicked = [b for b in range(len(x)) if positives[b] or negatives[b]]
        for group in shared_calls(clicked, images[0].device):
            before = self._started([memories[b] for b in group])
            sights = [
                _look(images[b], memory, box, positives[b], negatives[b], _newest(pcs, ncs, b))
                for b, memory, box in zip(group, before, self._objects(before), strict=True)
            ]
            answers = self._answers(sights)
            newest = [newest_clicks(pcs, ncs, b) if m.merging else None for b, m in zip(group, before, strict=True)]
            own, last = [answer for answer, _ in answers], [memory.output for memory in before]
            outputs = merged_outputs(own, last, newest, self.threshold, fixed=self.merge == "fixed")
            for b, memory, sight, (answer, focus), output in zip(group, before, sights, answers, outputs, strict=True):
                memories[b] = Memory(output, answer, sight.roi, focus, True, memory.merging)
        outputs, probabilities = [memory.output for memory in memories], [memory.probabilities for memory in memories]
        y, unmerged = (join(values) if isinstance(x, Tensor) else values for values in (outputs, probabilities))
        return y, {**z, **_state(y, unmerged, memories)}

    def _started(self, memories: list[Memory]) -> list[Memory]:
        """With the choice, at a session's first click, whether it merges."""
        new = [memory.output[0] for memory in memories if not memory.answered]
        if not new or self.merge == "none":
            return memories
        objects = iter(bounding_boxes(new, self.threshold))
        return [m if m.answered else m._replace(merging=next(objects) is not None) for m in memories]

    def _objects(self, memories: list[Memory]) -> list[Box | None]:
        """The bounding box of the object that determines each target crop: after a click, that of the last output; of
        the merged mask if the session merges.
        """
        last = [
            (m.output[0] > self.threshold).float() if m.merging else m.probabilities[0] for m in memories if m.answered
        ]
        found = iter(bounding_boxes(last, ZOOM.threshold))
        return [next(found) if memory.answered else None for memory in memories]

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
        logits, features = of_group(logits, there), of_group(features, there)
        found = self.networks.refine(
            torch.stack([crop(sights[n].image, boxes[n], (self.side, self.side)) for n in there]),
            [_mapped(sights[n].positives, boxes[n], self.side) for n in there],
            [_mapped(sights[n].negatives, boxes[n], self.side) for n in there],
            features,
            logits,
            on_device(torch.tensor([_inside(boxes[n], sights[n].region, self.side) for n in there]), logits.device),
        )
        sizes = [(boxes[n].height, boxes[n].width) for n in there]
        return {n: torch.sigmoid(resize(logit, size)) for n, logit, size in zip(there, found, sizes, strict=True)}


def _newest(pcs: Clicks, ncs: Clicks, b: int) -> tuple[int, int]:
    """The last click of element `b`; within an interaction the negative ones come last."""
    row, col = next(
        clicks[b][-1] for pair in zip(reversed(ncs), reversed(pcs), strict=True) for clicks in pair if clicks[b]
    )
    return int(row), int(col)


def _mapped(points: Points, box: Box, side: int) -> list[Point]:
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
    coarse, previous = masks_on_cpu(
        ([answer[0] for answer in answers], _COARSE_OBJECT),
        ([sight.previous[0] for sight in sights], _PREVIOUS_OBJECT),
    )
    return [
        focus_box(after, before, sight.region, sight.last)
        for after, before, sight in zip(coarse, previous, sights, strict=True)
    ]


def _inside(box: Box, region: Box, side: int) -> tuple[float, float, float, float]:
    """A box of the image as (x1, y1, x2, y2) in the square of `side` that `region` is resized to."""
    (y1, x1), (y2, x2) = _mapped([(box.top, box.left), (box.bottom, box.right)], region, side)
    return max(x1, 0), max(y1, 0), min(x2, side), min(y2, side)
