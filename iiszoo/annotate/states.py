"""What a model has answered so far, for any list of steps: computed one step at a time, and kept while memory allows.

Models are pure, so the state after some steps follows from the steps alone. Undo therefore needs no copies: the state
of an earlier list of steps is still there, or is computed again from the nearest one that is.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iiszoo import protocol
from iiszoo.annotate.document import Click, Start, Steps, Stroke
from iiszoo.annotate.masks import Mask, Packed
from iiszoo.annotate.strokes import covered
from iiszoo.engine import asking
from iiszoo.protocol import Clicks, Model, State

STATES_BYTES = 1 << 30
"""How much memory the states may take. The newest is kept in any case: a state of 8000 x 6000 pixels takes 200 MB."""


class Sight(NamedTuple):
    """What a model sees of an image: `x` as in the standard format, on its device, and `encoded`, its `init_z(x)`."""

    model: Model
    x: Tensor
    encoded: State


@dataclass(frozen=True, eq=False)
class Moment:
    """The state after some steps. It is never changed.

    `output` float32 (1, 1, H, W), on the CPU; pixels above `threshold` are the object. `z` is the state of the model
    named `model`; None if the next click starts from `output` as from a mask. `seconds`: what the model took.
    """

    output: Tensor
    threshold: float
    pcs: Clicks
    ncs: Clicks
    model: str = ""
    z: State | None = None
    seconds: float = 0.0

    @property
    def mask(self) -> Mask:
        """Bool (H, W)."""
        mask: Mask = (self.output[0, 0] > self.threshold).numpy()
        return mask


def encode(model: Model, x: Tensor) -> Sight:
    """The model's sight of `x`, float32 (1, 3, H, W). Raises `ModelError`."""
    encoded = asking.encode(model, x)
    protocol.check_output(encoded["prev_output"], x, f"{model.name} (z['prev_output'] before the first click)")
    return Sight(model, x, encoded)


def clicked(before: Moment | None, click: Click, sight: Sight) -> Moment:
    """The moment after a click; `before` None: it is the first step.

    A model goes on from its own state. From a mask, a brush stroke or another model's answer it starts as in mask
    correction: with its `init_z`, and what is there as `prev_output`; it gets all clicks so far. Raises `ModelError`.
    """
    model = sight.model
    z = sight.encoded
    if before is not None:
        own = before.z is not None and before.model == click.model
        z = before.z if own and before.z is not None else {**z, "prev_output": before.output.to(sight.x.device)}
    at = [[(click.row, click.col)]]
    pcs: Clicks = [*(before.pcs if before else []), at if click.positive else [[]]]
    ncs: Clicks = [*(before.ncs if before else []), [[]] if click.positive else at]
    began = time.perf_counter()
    output, z = asking.ask(model, sight.x, z, pcs, ncs)
    return Moment(output, model.threshold, pcs, ncs, click.model, z, time.perf_counter() - began)


def stroked(before: Moment | None, stroke: Stroke, size: tuple[int, int]) -> Moment:
    """The moment after a stroke, which makes pixels object (1) or background (0). `size` is the image's."""
    output = torch.zeros(1, 1, *size) if before is None else before.output.clone()
    rows, cols, part = covered(stroke, size)
    output[0, 0, rows, cols][torch.from_numpy(part)] = 0.0 if stroke.erase else 1.0
    if before is None:
        return Moment(output, 0.5, [], [])
    return Moment(output, before.threshold, before.pcs, before.ncs)


def started(mask: Packed) -> Moment:
    """The moment before the first click on an object that starts from a mask."""
    return Moment(protocol.to_output(mask.mask()), 0.5, [], [])


class States:
    """Moments of several images by their steps; the least recently used go first."""

    def __init__(self, limit: int = STATES_BYTES) -> None:
        self.limit = limit
        self._kept: OrderedDict[tuple[int, Steps], Moment] = OrderedDict()
        self._users: Counter[int] = Counter()
        self._sizes: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        """What all moments take together; what they share counts once."""
        return sum(self._sizes.values())

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, image: int, steps: Steps) -> Moment | None:
        found = self._kept.get((image, steps))
        if found is not None:
            self._kept.move_to_end((image, steps))
        return found

    def nearest(self, image: int, steps: Steps) -> tuple[int, Moment | None]:
        """The longest beginning of `steps` whose moment is kept: its length, and the moment; 0 and None if none is."""
        for length in range(len(steps), 0, -1):
            found = self.get(image, steps[:length])
            if found is not None:
                return length, found
        return 0, None

    def keep(self, image: int, steps: Steps, moment: Moment) -> None:
        self._drop((image, steps))
        self._kept[image, steps] = moment
        for place, size in _storages(moment).items():
            self._users[place] += 1
            self._sizes[place] = size
        while self.bytes > self.limit and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[int, Steps]) -> None:
        moment = self._kept.pop(key, None)
        for place, _ in _storages(moment).items() if moment is not None else ():
            self._users[place] -= 1
            if not self._users[place]:
                del self._users[place], self._sizes[place]


def next_moment(
    states: States,
    image: int,
    steps: Steps,
    size: tuple[int, int],
    sight: Callable[[str], Sight],
    saved: Callable[[str], Packed],
) -> tuple[Steps, Moment]:
    """Compute one missing step on the way to `steps`; returns how far it is now, and the moment there.

    `sight` gives a model's sight of the image by the model's name, `saved` a mask by its hash. Raises `ModelError` and
    what these two raise.
    """
    length, moment = states.nearest(image, steps)
    if length == len(steps):
        assert moment is not None
        return steps, moment
    step = steps[length]
    if isinstance(step, Click):
        moment = clicked(moment, step, sight(step.model))
    elif isinstance(step, Stroke):
        moment = stroked(moment, step, size)
    else:
        assert isinstance(step, Start)
        moment = started(saved(step.mask))
    states.keep(image, steps[: length + 1], moment)
    return steps[: length + 1], moment


def memory(value: Any) -> int:
    """The bytes of all tensors in a value; what they share counts once."""
    return sum(dict(_pieces(value)).values())


def _storages(moment: Moment) -> dict[int, int]:
    """Where the memory of a moment is, and how many bytes each piece has."""
    return dict(_pieces([moment.output, moment.z]))


def _pieces(value: Any) -> Iterator[tuple[int, int]]:
    if isinstance(value, Tensor):
        if value.layout == torch.strided and not value.is_nested:
            storage = value.untyped_storage()
            yield storage.data_ptr(), storage.nbytes()
        else:
            yield id(value), value.element_size() * value.numel()
    elif isinstance(value, dict):
        for one in value.values():
            yield from _pieces(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _pieces(one)
    elif value is not None:
        content = getattr(value, "data", value)  # a parcel of another interpreter has its bytes there
        yield id(content), int(getattr(content, "nbytes", 0) or 0)
