"""Progressive merge: of a new prediction only the part that the click is connected to changes the mask.

Chen et al., FocalClick, CVPR 2022; `Progressive_Merge` of alibaba/ClickSEG d61a76b
(isegm/inference/evaluation.py). It protects a mask that somebody made before: a model that answers one click by a new
opinion of the whole image cannot undo what the person did not touch.

- `progressive_merge` is the rule, on masks, `merged_output` on probabilities.
- `ProgressiveMerge` gives it to any model of the standard format; `merging` does so under the model's name, as
  `iiszoo.load_model("ID?progressive_merge=published")` and `iiszoo bench --progressive-merge` do.

A model that merges by itself has an attribute `merges` that is true, and is refused by `merging`; where its loader has
an option `progressive_merge`, that option gets the rule instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.clicking.regions import clicked_components
from iiszoo.errors import BadOption
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.names import parse_name
from iiszoo.protocol import Click, Clicks, Images, Model, Outputs, State, check_batch, check_form

Mask = NDArray[np.bool_]
_UNKNOWN, _FROM_NOTHING, _FROM_MASK = -1, 0, 1


def progressive_merge(prediction: Mask, previous: Mask, *clicks: Click, fixed: bool = False) -> Mask:
    """The mask after a click: `previous`, changed only in the region under the click; bool (H, W), a new array.

    `prediction`, `previous`: bool (H, W). A click is (row, col), in pixels. Its region is the 8-connected component,
    under it, of the pixels in which the two masks differ. Where the clicked pixel was object before, the region's
    pixels are removed from `previous`, else they are added to it: a click that adds never removes, nor the reverse.
    Several clicks each bring their region, all judged by the same `previous`; without a click it stays as it is.

    Where the two masks agree at the clicked pixel there is no such component. The published rule then takes for the
    region *all* pixels in which the masks agree, and corrupts the mask: one such click on the background turns most of
    the image into object (the fault of alibaba/ClickSEG's GitHub issue 2). With `fixed` such a click has an empty
    region: a click under which nothing changed changes nothing.

    Raises ValueError where the masks are not bool of one shape, or a click lies outside.
    """
    for mask in (prediction, previous):
        if mask.dtype != np.bool_ or mask.ndim != 2 or mask.shape != prediction.shape:
            raise ValueError(
                f"prediction and previous must be bool masks (H, W) of one shape, not {prediction.dtype} "
                f"{prediction.shape} and {previous.dtype} {previous.shape}"
            )
    changed = prediction != previous
    added, removed = np.zeros_like(previous), np.zeros_like(previous)
    for row, col in ((int(row), int(col)) for row, col in clicks):
        if not (0 <= row < previous.shape[0] and 0 <= col < previous.shape[1]):
            raise ValueError(f"click {(row, col)} lies outside of masks of shape {previous.shape}")
        if changed[row, col] or not fixed:
            region = changed_under(changed, (row, col))
            added |= region & ~previous[row, col]
            removed |= region & previous[row, col]
    merged: Mask = np.where(previous, ~removed, added)
    return merged


def changed_under(changed: Mask, click: Click) -> Mask:
    """The 8-connected component of `changed`, bool (H, W), in which the click (row, col) lies; where it lies in none,
    all that is not changed, as ClickSEG reads the background's label.
    """
    if not changed[click]:
        return ~changed
    return clicked_components(changed, [click], 8)


def merged_output(
    y: Tensor, before: Tensor, clicks: Sequence[Click], threshold: float, *, fixed: bool = False
) -> Tensor:
    """The output whose mask is the merge of those of `y` and `before`; all three float32 (1, H, W), a new tensor.

    Pixel by pixel it is y where `y > threshold` is what the merged mask says, else the previous output `before` where
    `before > threshold` is, else 1 on the object and 0 on the background: so `output > threshold` is exactly the merged
    mask. (The last case is the published fault alone: everywhere else the merged mask agrees with one of the two.)
    """
    prediction, previous = y > threshold, before > threshold
    mask = progressive_merge(prediction[0].cpu().numpy(), previous[0].cpu().numpy(), *clicks, fixed=fixed)
    wanted = torch.from_numpy(mask)[None].to(y.device)
    return torch.where(wanted == prediction, y, torch.where(wanted == previous, before, wanted.to(y.dtype)))


@dataclass(frozen=True)
class ProgressiveMerge:
    """A model of the standard format whose answers are merged, in sessions that started from a mask.

    Args:
        model: answers first; it is shown the merged output as its previous one.
        threshold: above it a pixel is object. It must be that of the run.
        fixed: see `progressive_merge`.

    A session starts from a mask where any pixel of `z["prev_output"]` is above the threshold at its first call; all
    others are the model's own (ClickSEG d61a76b, evaluation.py: `num_pm`). The newest interaction's clicks are the ones
    that are merged by, and an element that has none in it keeps its previous output.

    z is the model's, and `merge`: int8 (B,), 1 for a session that started from a mask, 0 for one that did not, -1
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
        """The same for a run whose masks are `output > threshold`."""
        return replace(self, model=self.model.at_threshold(threshold), threshold=threshold)

    def init_z(self, x: Images) -> State:
        return {**self.model.init_z(x), "merge": torch.full((len(x),), _UNKNOWN, dtype=torch.int8)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Raises `ModelError` where the model answers with outputs of another form."""
        before = z["prev_output"]
        started = torch.tensor([self._started(z["merge"][b], before[b]) for b in range(len(x))], dtype=torch.int8)
        own = {key: value for key, value in z.items() if key != "merge"}
        y, own = self.model(x, own, pcs, ncs)
        check_batch(y, x, self.model.name)
        outputs = list(y)
        for b in range(len(x)):
            check_form(outputs[b], tuple(x[b].shape[-2:]), self.model.name)
            if started[b] == _FROM_MASK:
                clicks = [click for kind in (pcs, ncs) if kind for click in kind[-1][b]]
                outputs[b] = merged_output(outputs[b], before[b], clicks, self.threshold, fixed=self.fixed)
        merged: Outputs = torch.stack(outputs) if isinstance(x, Tensor) else outputs
        return merged, {**own, "prev_output": merged, "merge": started}

    def _started(self, known: Any, output: Tensor) -> int:
        if known != _UNKNOWN:
            return int(known)
        return _FROM_MASK if bool((output > self.threshold).any()) else _FROM_NOTHING


def merging(model: Model, rule: str) -> Model:
    """`model` with progressive merge by `rule`, `"published"` or `"fixed"`, under a name that says so.

    Masks are taken at the model's own threshold; `Model.at_threshold` changes it. Raises `BadOption` for another rule,
    and for a model that merges by itself.
    """
    check_merge_rule(rule)
    if getattr(model.function, "merges", False):
        raise BadOption(f"model {model.name} merges progressively by itself; leave {MERGE} (--progressive-merge) out")
    wrapped = ProgressiveMerge(model, model.threshold, fixed=rule == "fixed")
    complete = Model(wrapped, str(parse_name(model.name).with_options({MERGE: rule})), model.card, model.device)
    complete.checkpoint, complete.options = model.checkpoint, {**model.options, MERGE: rule}
    return complete


def unmerged(model: Model) -> Model:
    """The model whose answers `merging` merges; the model itself if it is not merged."""
    return model.function.model if isinstance(model.function, ProgressiveMerge) else model
