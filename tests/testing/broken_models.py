"""A sound model that paints disks, and one model for each check that breaks just what the check is there for."""

from __future__ import annotations

import random
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo import assets
from iiszoo.builtin.models import PRECISIONS
from iiszoo.cards import ModelCard, Option, Weights
from iiszoo.protocol import Model, as_model, clicks_of

CARD = ModelCard(
    id="painted/disks",
    loader="broken_models:load",
    summary="warm pixels near a positive click, without those near a negative one",
    licence="MIT",
    paper="none: made for the tests of the kit",
    prompts=("clicks", "mask"),
)
WITH_WEIGHTS = replace(
    CARD, weights=(Weights("disks.pth", ("https://weights.invalid/disks.pth",)),), weights_licence="MIT"
)


class Disks:
    """Paints the pixels near a click that are warm, with more red than blue, on the previous output."""

    def init_z(self, x: Tensor) -> dict[str, Any]:
        return {"prev_output": torch.zeros_like(x[:, :1]), "warm": self.warm(x)}

    def warm(self, x: Tensor) -> Tensor:
        return x[:, :1] >= x[:, 2:]

    def radius(self, size: tuple[int, int], pcs: Any) -> float:
        return max(1.0, 0.15 * min(size))

    def disk(self, click: tuple[int, int], size: tuple[int, int], radius: float) -> Tensor:
        rows, cols = torch.arange(size[0])[:, None], torch.arange(size[1])[None]
        return (rows - click[0]) ** 2 + (cols - click[1]) ** 2 <= radius**2

    def before(self, z: dict[str, Any]) -> Tensor:
        return z["prev_output"].clone()

    def __call__(self, x: Tensor, z: dict[str, Any], pcs: Any, ncs: Any) -> tuple[Tensor, dict[str, Any]]:
        y = self.before(z)
        size = (int(x.shape[-2]), int(x.shape[-1]))
        for b in range(len(x)):
            for probability, clicks in ((0.9, clicks_of(pcs, b)), (0.1, clicks_of(ncs, b))):
                for click in clicks:
                    y[b][self.disk(click, size, self.radius(size, pcs))[None] & z["warm"][b]] = probability
        return y, {**z, "prev_output": y}


def load(card: ModelCard, *, device: str, checkpoint: Any) -> Disks:
    return Disks()


def load_with_weights(card: ModelCard, *, device: str, checkpoint: Any) -> Disks:
    assets.fetch(card)
    return Disks()


def load_whatever_is_there(card: ModelCard, *, device: str, checkpoint: Any) -> Disks:
    open(assets.path(card)).close()
    return Disks()


def sound() -> Model:
    return as_model(Disks(), card=CARD)


def sound_with_weights() -> Model:
    return as_model(Disks(), card=replace(WITH_WEIGHTS, loader="broken_models:load_with_weights"))


def card_complete() -> Model:
    return as_model(Disks(), card=replace(CARD, licence=" ", paper=""))


def card_json() -> Model:
    card = replace(CARD)
    object.__setattr__(card, "n_parameters", np.int64(7))  # a card's own checks would refuse it
    return as_model(Disks(), card=card)


def card_options() -> Model:
    return as_model(Disks(), card=replace(CARD, options=(Option("reach", "of a click", 0.15),)))


def weights_missing_offline() -> Model:
    return as_model(Disks(), card=replace(WITH_WEIGHTS, loader="broken_models:load_whatever_is_there"))


def loads() -> Model:
    raise RuntimeError("libcudart.so.10.1: cannot open shared object file")


class Logits(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, {**z, "prev_output": z["prev_output"].sigmoid()}, pcs, ncs)
        logits = torch.logit(y.clamp(0.01, 0.99))
        return logits, {**z, "prev_output": logits}


class SidesOfEight(Disks):
    """Answers at the nearest size that its stride divides."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        return (y[..., : x.shape[-2] // 8 * 8, : x.shape[-1] // 8 * 8] if min(x.shape[-2:]) > 8 else y), z


class Dropout(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        y = y * (1 - 0.01 * torch.rand(y.shape))
        return y, {**z, "prev_output": y}


class Patches(Disks):
    """Reads the 3 x 3 pixels round a click."""

    def disk(self, click: Any, size: Any, radius: float) -> Tensor:
        row, col = click
        if min(size) > 8 and not (0 < row < size[0] - 1 and 0 < col < size[1] - 1):
            raise IndexError(f"no 3 x 3 pixels round {click}")
        return super().disk(click, size, radius)


class NearestOther(Disks):
    """Divides by the distance of two clicks of one kind."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        for clicks in (clicks_of(pcs, 0), clicks_of(ncs, 0)):
            for i, one in enumerate(clicks):
                for other in clicks[:i]:
                    apart = torch.dist(torch.tensor(one).float(), torch.tensor(other).float())
                    y = y + 0 * (1 / apart - 1 / apart)
        return y, {**z, "prev_output": y}


class Seeds(Disks):
    """Demands that seeds agree."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        for b in range(len(x)):
            assert not {*clicks_of(pcs, b)} & {*clicks_of(ncs, b)}, "contradicting seeds"
        return super().__call__(x, z, pcs, ncs)


class LastClick(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        _ = max(click for b in range(len(x)) for clicks in (pcs, ncs) for click in clicks_of(clicks, b))
        return super().__call__(x, z, pcs, ncs)


class Buffer(Disks):
    """Has room for 24 clicks of each kind."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        room = torch.zeros(24, 2)
        for n, click in enumerate(clicks_of(pcs, 0)):
            room[n] = torch.tensor(click)
        return super().__call__(x, z, pcs, ncs)


class SetImage(Disks):
    """Keeps the image's work in its object, as SAM's predictor does."""

    def init_z(self, x: Any) -> Any:
        z = super().init_z(x)
        self.kept = z.pop("warm")
        return z

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, {**z, "warm": self.kept}, pcs, ncs)
        return y, {"prev_output": z["prev_output"]}


class BatchStatistics(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        y = (y + 0.5 * x.mean()).clamp(0, 1)
        return y, {**z, "prev_output": y}


class CountsInteractions(Disks):
    def radius(self, size: Any, pcs: Any) -> float:
        return super().radius(size, pcs) * (1 + 0.1 * len(pcs))


def ragged() -> Model:
    return as_model(Disks(), card=replace(CARD, ragged=True))


class FillsState(Disks):
    """Writes its answer into the state that it was given."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, new = super().__call__(x, z, pcs, ncs)
        z.update(new)
        return y, z


class Counter(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        return y, {**z, "step": len(pcs)}


class ForgetsAnswer(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, _ = super().__call__(x, z, pcs, ncs)
        return y, z


class IgnoresMask(Disks):
    def before(self, z: Any) -> Tensor:
        return torch.zeros_like(z["prev_output"])


class XY(Disks):
    def disk(self, click: Any, size: Any, radius: float) -> Tensor:
        return super().disk(click[::-1], size, radius)


class NoPositives(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return super().__call__(x, z, [[[] for _ in interaction] for interaction in pcs], ncs)


class NoNegatives(Disks):
    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return super().__call__(x, z, pcs, [[[] for _ in interaction] for interaction in ncs])


class BGR(Disks):
    """Takes cold pixels for warm ones; what stands out by colour it finds nevertheless, as a trained network would."""

    def warm(self, x: Tensor) -> Tensor:
        return super().warm(x.flip(1)) | (x - x.mean(1, keepdim=True)).abs().amax(1, keepdim=True).gt(0.2)


class MainThreadOnly(Disks):
    """Guards itself by an alarm."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return super().__call__(x, z, pcs, ncs)


class Pool(Disks):
    """Computes in a thread that it started when it was loaded; that thread does not live on after a fork."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.pool.submit(int).result()

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return self.pool.submit(super().__call__, x, z, pcs, ncs).result()


class RandomLayer(Disks):
    """A layer that no checkpoint fills."""

    def __init__(self) -> None:
        self.bias = random.SystemRandom().uniform(0, 0.09)

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        y = (y + self.bias).clamp(0, 1)
        return y, {**z, "prev_output": y}


class Coarse(Disks):
    """In one precision, numbers above 200 lose what makes the answer."""

    def __init__(self, broken: bool) -> None:
        self.broken = broken

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        y, z = super().__call__(x, z, pcs, ncs)
        if self.broken:
            y = ((y + 300).bfloat16() - 300).float().clamp(0, 1)
        return y, {**z, "prev_output": y}


def coarse(unfit: str, precision: str = "float32") -> Model:
    """A model whose card lists all precisions, although it does not stand `unfit`."""
    return as_model(Coarse(precision == unfit), card=replace(CARD, precisions=PRECISIONS))


def make(kind: type[Disks]) -> Model:
    return as_model(kind(), card=CARD)


FAMILY: dict[str, Any] = {
    "card_complete": card_complete,
    "card_json": card_json,
    "card_options": card_options,
    "weights_missing_offline": weights_missing_offline,
    "loads": loads,
    "output_format": partial(make, Logits),
    "image_sizes": partial(make, SidesOfEight),
    "repeatable": partial(make, Dropout),
    "border_clicks": partial(make, Patches),
    "repeated_click": partial(make, NearestOther),
    "contradicting_clicks": partial(make, Seeds),
    "no_clicks": partial(make, LastClick),
    "many_clicks": partial(make, Buffer),
    "interleaved_sessions": partial(make, SetImage),
    "batch_equals_single": partial(make, BatchStatistics),
    "empty_interactions": partial(make, CountsInteractions),
    "ragged": ragged,
    "inputs_unchanged": partial(make, FillsState),
    "state_splits": partial(make, Counter),
    "prev_output_stored": partial(make, ForgetsAnswer),
    "prev_output_used": partial(make, IgnoresMask),
    "row_column_order": partial(make, XY),
    "positive_click_adds": partial(make, NoPositives),
    "negative_click_removes": partial(make, NoNegatives),
    "rgb_order": partial(make, BGR),
    "bfloat16_near_float32": partial(coarse, "bfloat16"),
    "float16_near_float32": partial(coarse, "float16"),
    "threads": partial(make, MainThreadOnly),
    "dataloader_worker": partial(make, Pool),
    "spawned_process": partial(make, RandomLayer),
}
"""The broken model of each check, but for those that tests of their own break."""
