"""A fork of isegm in the standard format: its own network and its own predictor, unchanged.

isegm is the code base of RITM (SamsungLabs/ritm_interactive_segmentation, b9b4460) and its many forks; of it,
`isegm.inference.predictors.get_predictor` and `isegm.inference.clicker` are used.

| entry of z    | meaning                                                                                          |
|---------------|--------------------------------------------------------------------------------------------------|
| `prev_output` | the last output, or a mask to start from, given to the predictor as its previous mask            |
| `memory`      | list of B: what the predictor remembers (`iiszoo.upstream._memory`), None before the first click |
| `roi`         | int64 (B, 4): the region that is zoomed in on; see `iiszoo.models.zoom.read_boxes`               |
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iiszoo.cards import Source
from iiszoo.errors import BadOption, UpstreamError, raised_as, with_place
from iiszoo.models.zoom import Box, from_inclusive, no_boxes, read_boxes, write_boxes
from iiszoo.protocol import Clicks, Images, Outputs, State, empty_output, join
from iiszoo.upstream._memory import Memory, recall, remember
from iiszoo.upstream._namespace import Namespace, load
from iiszoo.upstream._network import Build, clone_network
from iiszoo.upstream._quiet import quiet


def isegm_model(
    source: Source | None,
    checkpoint: str | Path | None,
    *,
    brs_mode: str = "NoBRS",
    zoom_in: Mapping[str, Any] | bool = True,
    threshold: float = 0.49,
    build: Build | None = None,
    device: str = "cpu",
    **options: Any,
) -> IsegmModel:
    """The predictor of a fork of isegm at one commit, in the standard format.

    Args:
        source: the repository and the full hash of the commit, such as a card's `upstream`; it is cloned first if the
            cache lacks it.
        checkpoint: a file that the fork's training saved. Of the classes that it names, only the clone's network
            classes are instantiated. None gives an untrained network.
        brs_mode: "NoBRS", or another mode of the fork's `get_predictor` ("f-BRS-B", "FocalClick", ...).
        zoom_in: the parameters of the fork's `ZoomIn`, as `{"target_size": 600}`; True: its defaults; False: no zoom.
        threshold: the probability above which a pixel is object; the BRS modes use it to tune the network.
        build: `build(namespace)` returns the network, if the checkpoint has no config that says how to build it.
        options: further arguments of the fork's `get_predictor` (`with_flip`, `predictor_params`, `infer_size`, ...).

    Raises `UpstreamError` (clone, imports, network), `WeightsError` (checkpoint), `BadOption` (an unknown option).
    """
    if source is None:
        raise UpstreamError("there is no code to run: the model's card names no upstream repository")
    namespace = load(source)
    network = clone_network(namespace, checkpoint, build).to(device)
    settings = {"brs_mode": brs_mode, "prob_thresh": threshold, **options}
    settings["zoom_in_params"] = dict(zoom_in) if isinstance(zoom_in, Mapping) else {} if zoom_in else None
    return IsegmModel(namespace, network, settings, device)


class IsegmModel:
    """A pure function of its arguments, for images of any size in one call; it keeps only the network.

    Each call makes a fresh predictor per session, and restores what the session's last one remembered. Sessions are
    answered one after another. An element without any click keeps its previous output.

    `network` is the clone's; `settings` are what its `get_predictor` is called with, beside network and device.
    """

    ragged = True

    def __init__(self, namespace: Namespace, network: nn.Module, settings: dict[str, Any], device: str) -> None:
        self.namespace, self.network, self.settings, self.device = namespace, network, settings, device
        self._predictors = namespace.import_module("isegm.inference.predictors")
        self._clicker = namespace.import_module("isegm.inference.clicker")
        with raised_as(UpstreamError, f"{namespace} is not a fork of isegm"):
            known = inspect.signature(self._predictors.get_predictor).parameters
        for name in settings:
            if name not in known:
                raise BadOption(f"get_predictor of {namespace} has no option {name!r}; it has {', '.join(known)}")
        self._predictor()  # an unknown brs_mode or parameter is reported at once

    def init_z(self, x: Images) -> State:
        """The initial state; no work depends on the image alone."""
        return {"prev_output": empty_output(x), "memory": [None] * len(x), "roi": no_boxes(len(x))}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Raises what the clone's code raises."""
        outputs, memories, rois = list(z["prev_output"]), list(z["memory"]), read_boxes(z["roi"])
        for b, image in enumerate(x):
            clicks = _in_order(pcs, ncs, b)
            if clicks:
                with quiet():
                    outputs[b], memories[b], rois[b] = self._answer(image, outputs[b], memories[b], clicks)
        y = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "prev_output": y, "memory": memories, "roi": write_boxes(rois)}

    @torch.no_grad()
    def _answer(
        self, image: Tensor, previous: Tensor, memory: Memory | None, clicks: list[tuple[int, int, bool]]
    ) -> tuple[Tensor, Memory, Box | None]:
        """(probabilities (1, H, W), what the predictor remembers now, its ROI) of one session."""
        predictor, prefix = self._predictor(), f"{self.namespace.name}."
        predictor.set_input_image(_picture(image))
        if memory is not None:
            recall(predictor, memory["predictor"], prefix)
        arguments = {}
        if not torch.equal(previous, memory["answer"].to(previous) if memory else torch.zeros_like(previous)):
            arguments = _previous_mask(predictor, previous)
        clicker = self._clicker.Clicker(
            init_clicks=[self._clicker.Click(is_positive=positive, coords=(row, col)) for row, col, positive in clicks]
        )
        answer = torch.from_numpy(np.array(predictor.get_prediction(clicker, **arguments), np.float32))[None].to(image)
        roi = getattr(getattr(predictor, "zoom_in", None), "_object_roi", None)
        box = None if roi is None else from_inclusive(roi)
        return answer, {"predictor": remember(predictor, prefix), "answer": answer}, box

    def _predictor(self) -> Any:
        with quiet(), raised_as(UpstreamError, f"the predictor of {self.namespace} cannot be made"):
            try:
                return self._predictors.get_predictor(self.network, device=torch.device(self.device), **self.settings)
            except NotImplementedError as error:
                raise BadOption(f"{self.namespace} has no brs_mode {self.settings['brs_mode']!r}") from error
            except TypeError as error:
                raise BadOption(
                    f"get_predictor of {self.namespace} refuses {self.settings}: {with_place(error)}"
                ) from error


def _in_order(pcs: Clicks, ncs: Clicks, b: int) -> list[tuple[int, int, bool]]:
    """All clicks of element `b` as (row, col, positive), oldest first; within an interaction the positive ones
    first.
    """
    return [
        (row, col, positive)
        for interaction in zip(pcs, ncs, strict=True)
        for clicks, positive in zip(interaction, (True, False), strict=True)
        for row, col in clicks[b]
    ]


def _picture(image: Tensor) -> np.ndarray[Any, Any]:
    """(H, W, 3): uint8, as upstream reads it from a file, if the image has 8 bits, else float32 in [0, 1].

    Upstream's `ToTensor` divides the former by 255 and keeps the latter as it is.
    """
    planes = image.permute(1, 2, 0).contiguous().cpu()
    bytes_ = (planes * 255).round().to(torch.uint8)
    return (bytes_ if torch.equal(bytes_.to(torch.float32) / 255, planes) else planes).numpy()


def _previous_mask(predictor: Any, previous: Tensor) -> dict[str, Tensor]:
    """Give the predictor a previous mask that is not its own; returns the arguments that `get_prediction` needs for
    that.
    """
    if hasattr(predictor, "set_prev_mask"):
        predictor.set_prev_mask(previous[0].cpu().numpy())
        return {}
    if "prev_mask" in inspect.signature(predictor.get_prediction).parameters:
        return {"prev_mask": previous[None].to(predictor.device)}
    raise UpstreamError(f"{type(predictor).__name__} takes no previous mask, so it cannot start from one")
