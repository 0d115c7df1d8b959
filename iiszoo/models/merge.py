"""Progressive merge: a new prediction changes the mask only in the region connected to the click.

Chen et al., FocalClick, CVPR 2022; `Progressive_Merge` of alibaba/ClickSEG d61a76b
(isegm/inference/evaluation.py). It protects an existing mask: a model that answers one click with a new prediction of
the whole image cannot undo what the person did not touch.

- `progressive_merge` is the rule on masks, `merged_outputs` on probabilities.
- `ProgressiveMerge` adds it to any model of the standard format; `merging` also adds it to the model's name, as
  `iiszoo.load_model("ID?progressive_merge=published")` and `iiszoo bench --progressive-merge` do.

A model that merges by itself has a true attribute `merges`, and `merging` refuses it; if its loader has an option
`progressive_merge`, that option gets the rule instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.clicking.regions import clicked_components
from iiszoo.errors import BadOption
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.models.zoom import masks_on_cpu
from iiszoo.names import parse_name
from iiszoo.protocol import (
    Click,
    Clicks,
    Images,
    Model,
    Outputs,
    State,
    check_batch,
    check_form,
    newest_clicks,
    on_device,
)

Mask = NDArray[np.bool_]
_UNKNOWN, _FROM_NOTHING, _FROM_MASK = -1, 0, 1


def progressive_merge(prediction: Mask, previous: Mask, *clicks: Click, fixed: bool = False) -> Mask:
    """The mask after a click: `previous`, changed only in the region under the click; bool (H, W), a new array.

    `prediction`, `previous`: bool (H, W). A click is (row, col), in pixels. Its region is the 8-connected component,
    under the click, of the pixels in which the two masks differ. If the clicked pixel was object before, the region is
    removed from `previous`, else it is added: a click that adds never removes, nor the reverse. Each of several clicks
    contributes its region, all relative to the same `previous`; without clicks the mask stays as it is.

    If the two masks agree at the clicked pixel, there is no such component. The published rule then uses *all* pixels
    in which the masks agree, which corrupts the mask: one such click on the background turns most of the image into
    object (alibaba/ClickSEG, GitHub issue 2). With `fixed`, such a click has an empty region and changes nothing.

    Raises ValueError if the masks are not bool of the same shape, or if a click lies outside.
    """
    for mask in (prediction, previous):
        if mask.dtype != np.bool_ or mask.ndim != 2 or mask.shape != prediction.shape:
            raise ValueError(
                f"prediction and previous must be bool masks (H, W) of the same shape, not {prediction.dtype} "
                f"{prediction.shape} and {previous.dtype} {previous.shape}"
            )
    changed = prediction != previous
    added, removed = np.zeros_like(previous), np.zeros_like(previous)
    for row, col in ((int(row), int(col)) for row, col in clicks):
        if not (0 <= row < previous.shape[0] and 0 <= col < previous.shape[1]):
            raise ValueError(f"click {(row, col)} lies outside masks of shape {previous.shape}")
        if changed[row, col] or not fixed:
            region = changed_under(changed, (row, col))
            added |= region & ~previous[row, col]
            removed |= region & previous[row, col]
    merged: Mask = np.where(previous, ~removed, added)
    return merged


def changed_under(changed: Mask, click: Click) -> Mask:
    """The 8-connected component of `changed`, bool (H, W), under the click (row, col); if there is none, all pixels
    that did not change, since ClickSEG then uses the background's label.
    """
    if not changed[click]:
        return ~changed
    return clicked_components(changed, [click], 8)


def merged_outputs(
    outputs: Sequence[Tensor],
    before: Sequence[Tensor],
    clicks: Sequence[Sequence[Click] | None],
    threshold: float,
    *,
    fixed: bool = False,
) -> list[Tensor]:
    """For each of `outputs`, the output whose mask is the merge of its mask and that of `before`; all float32
    (1, H, W), new tensors. Where `clicks` is None nothing is merged: the output itself. A GPU is waited for once.

    A pixel is that of the output if its mask agrees with the merged mask there, else that of `before` if that agrees,
    else 1 on the object and 0 on the background; so `merged > threshold` is exactly the merged mask. (The last case
    occurs only through the published fault: otherwise the merged mask agrees with one of the two.)
    """
    which = {n: newest for n, newest in enumerate(clicks) if newest is not None}
    predicted, previous = masks_on_cpu(*(([values[n][0] for n in which], threshold) for values in (outputs, before)))
    merged = list(outputs)
    for (n, newest), now, then in zip(which.items(), predicted, previous, strict=True):
        mask = progressive_merge(now, then, *newest, fixed=fixed)
        choices = torch.from_numpy(np.stack((mask, mask == now, mask == then)))
        wanted, of_y, of_old = on_device(choices, outputs[n].device)[:, None]
        merged[n] = torch.where(of_y, outputs[n], torch.where(of_old, before[n], wanted.to(outputs[n].dtype)))
    return merged


@dataclass(frozen=True)
class ProgressiveMerge:
    """A model of the standard format whose outputs are merged in sessions that started from a mask.

    Args:
        model: the model to wrap; it gets the merged output as its previous one.
        threshold: a pixel is object above it. It must be the run's threshold.
        fixed: see `progressive_merge`.

    A session starts from a mask if any pixel of `z["prev_output"]` is above the threshold at its first call; other
    sessions get the model's own outputs (ClickSEG d61a76b, evaluation.py: `num_pm`). Only the newest interaction's
    clicks are merged; an element without a click in it keeps its previous output.

    z is the model's, plus `merge`: int8 (B,), 1 for a session that started from a mask, 0 for one that did not, -1
    before the first call.
    """

    model: Model
    threshold: float
    fixed: bool = False
    merges = True

    @property
    def ragged(self) -> bool:
        return self.model.ragged

    def at_threshold(self, threshold: float) -> ProgressiveMerge:
        """The same model for a run whose masks are `output > threshold`."""
        return replace(self, model=self.model.at_threshold(threshold), threshold=threshold)

    def init_z(self, x: Images) -> State:
        return {**self.model.init_z(x), "merge": torch.full((len(x),), _UNKNOWN, dtype=torch.int8)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Raises `ModelError` if the model returns outputs of another form."""
        before = z["prev_output"]
        started = self._started([int(value) for value in z["merge"]], before)
        own = {key: value for key, value in z.items() if key != "merge"}
        y, own = self.model(x, own, pcs, ncs)
        check_batch(y, x, self.model.name)
        outputs = list(y)
        for b in range(len(x)):
            check_form(outputs[b], tuple(x[b].shape[-2:]), self.model.name)
        clicks = [newest_clicks(pcs, ncs, b) if start == _FROM_MASK else None for b, start in enumerate(started)]
        outputs = merged_outputs(outputs, list(before), clicks, self.threshold, fixed=self.fixed)
        merged: Outputs = torch.stack(outputs) if isinstance(x, Tensor) else outputs
        return merged, {**own, "prev_output": merged, "merge": torch.tensor(started, dtype=torch.int8)}

    def _started(self, known: list[int], outputs: Outputs) -> list[int]:
        """What each session started from, as in z; of those before their first call the output tells."""
        new = [b for b, value in enumerate(known) if value == _UNKNOWN]
        (masks,) = masks_on_cpu(([outputs[b] for b in new], self.threshold))
        start = {b: _FROM_MASK if mask.any() else _FROM_NOTHING for b, mask in zip(new, masks, strict=True)}
        return [start.get(b, value) for b, value in enumerate(known)]


def merging(model: Model, rule: str) -> Model:
    """`model` with progressive merge by `rule`, `"published"` or `"fixed"`, which becomes part of its name.

    Masks use the model's own threshold; `Model.at_threshold` changes it. Raises `BadOption` for another rule and for a
    model that merges by itself.
    """
    check_merge_rule(rule)
    if getattr(model.function, "merges", False):
        raise BadOption(f"model {model.name} merges progressively by itself; leave {MERGE} (--progressive-merge) out")
    wrapped = ProgressiveMerge(model, model.threshold, fixed=rule == "fixed")
    complete = Model(wrapped, str(parse_name(model.name).with_options({MERGE: rule})), model.card, model.device)
    complete.checkpoint, complete.options = model.checkpoint, {**model.options, MERGE: rule}
    return complete


def unmerged(model: Model) -> Model:
    """The model that `merging` wrapped; the model itself if it is not merged."""
    return model.function.model if isinstance(model.function, ProgressiveMerge) else model
