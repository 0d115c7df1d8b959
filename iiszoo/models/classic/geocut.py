"""`classic/geocut`: geodesic distances and colour models of the clicks, combined by a min-cut. Needs no weights.

Each interaction, on a coarse grid (`Settings.work_side`):

1. geodesic distances in Lab from the positive and from the negative clicks, with the image's frame as weak background
   (Bai & Sapiro 2007, Criminisi et al. 2008);
2. histograms of Lab in the object and in the background (Boykov & Jolly 2001), refitted to each cut (Rother et al.
   2004). Close to the newest click, in geodesic distance, the previous output is known to be wrong: there it affects
   neither the colours nor the cut;
3. a contrast-sensitive min-cut (Boykov & Jolly 2001) with the discs of the clicks as hard labels, solved for several
   interpretations of the clicks, one of which is chosen: see `GeoCut._first_cut` and `GeoCut._next_cut`;
4. only the connected components that contain a positive click stay.

Then the boundary is cut again on a fine grid (`Settings.fine_side`), in a narrow band around the coarse one (Lombaert
et al., ICCV 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.cards import ModelCard

from .colour import colour_bins, log_likelihood_ratio, to_lab
from .components import depth, keep_clicked
from .elementwise import ElementClicks, ElementwiseModel, refuse_checkpoint
from .geodesic import geodesic_distance, step_costs
from .mincut import edge_weights, mean_cut_weight, min_cut
from .seeds import click_discs, on_grid, shrink, working_size

Array = NDArray[Any]


@dataclass(frozen=True)
class Settings:
    """Tuned on half of Berkeley (even indices of the sorted stems) with the `ritm` robot, one value at a time.

    Not varied: fine_side, fine_smooth, distance_floor, colour_limit. GrabCut and the other half of Berkeley were never
    used to choose a value. Lengths are in pixels of the named grid, distances in Lab units, energies in units of the
    cut.
    """

    work_side: int = 256  # longest side of the coarse grid
    fine_side: int = 640  # longest side of the fine grid
    smooth: float = 0.8  # Gaussian before colours and distances, coarse grid
    fine_smooth: float = 0.6  # Gaussian before colours, fine grid
    length_cost: float = 0.8  # of a geodesic path, per coarse pixel
    frame_distance: float = 25.0  # at which the image's frame counts as background
    first_frame_distances: tuple[float, ...] = (50.0, 25.0, 12.0, 6.0)  # likewise: interpretations of the first click
    distance_floor: float = 3.0  # added to both distances before their ratio is taken
    geodesic_limit: float = 2.0  # largest |log ratio| of the distances
    n_bins: int = 24  # of the histogram, per axis
    bin_sigma: float = 1.0  # its smoothing, in bins
    colour_weight: float = 0.7  # of the log-likelihood ratio of colours
    colour_limit: float = 3.0  # largest |log-likelihood ratio|
    rounds: int = 2  # of "fit the colours, cut", per interaction
    pulls: tuple[float, ...] = (0.3, 0.7, 1.5, 4.0)  # towards the previous output: interpretations of a later click
    newest_hush: float = 0.5  # share of the colours' influence that is lost at a newest click
    newest_reach: float = 40.0  # geodesic distance at which a new click's influence falls to 1/e
    disc: float = 3.0  # radius of the hard labels around a click, on either grid
    pairwise: float = 6.0  # weight of the boundary, coarse grid
    fine_pairwise: float = 4.8  # the same, fine grid
    weight_floor: float = 0.05  # the least cost of separating two pixels
    band: int = 6  # half width of the band, fine grid
    depth_factor: float = 1.1  # how much deeper than its click a change may be, ...
    depth_slack: float = 2.0  # ... plus this many coarse pixels


@dataclass(frozen=True)
class Prepared:
    """Results that depend only on the image: on the coarse grid (h, w), or on the fine grid if the name says so."""

    steps: Array  # float32 (h + 2, w + 2, 4), see geodesic.step_costs
    frame: Array  # float32 (h, w): geodesic distance from the image's frame
    bins: Array  # int64 (h, w)
    weights: Array  # float32 (h, w, 4), see mincut.edge_weights
    fine_bins: Array  # int64 (fh, fw), bins of the same histogram
    fine_weights: Array  # float32 (fh, fw, 4)


@dataclass(frozen=True)
class _Scene:
    """One interaction on the coarse grid, before any interpretation of its clicks."""

    fixed: Array  # int8 (h, w): 1 and -1 under the discs of clicks
    before: Array  # float32 (h, w) in [0, 1]: the previous output
    to_positive: Array  # float32 (h, w): geodesic distance from the positive clicks
    to_negative: Array  # the same, from the negative clicks
    newest: Array  # float32 (h, w) in [0, 1]: the influence of the newest clicks
    newest_side: Array  # float32 (h, w): 1 if that of a positive click is the stronger, else 0


@dataclass(frozen=True)
class _Cut:
    mask: Array  # bool (h, w)
    unary: Array  # float32 (h, w): all terms but the colours
    colour: Array  # float32 (n_bins^3,): weighted log-likelihood ratio of each bin
    heard: Array  # float32 (h, w) in [0, 1]: weight of the colours


class GeoCut:
    """A `Segmenter` with settings and no state."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def prepare(self, image: Array) -> Prepared:
        s = self._settings
        coarse = shrink(image, working_size(image.shape, s.work_side))
        fine = shrink(image, working_size(image.shape, s.fine_side))
        lab = to_lab(cv2.GaussianBlur(coarse, (0, 0), s.smooth))
        fine_lab = to_lab(cv2.GaussianBlur(fine, (0, 0), s.fine_smooth))
        bins, fine_bins = colour_bins([lab, fine_lab], s.n_bins)
        steps = step_costs(lab, s.length_cost)
        frame = np.ones(bins.shape, bool)
        frame[1:-1, 1:-1] = False
        return Prepared(
            steps=steps,
            frame=geodesic_distance(frame, steps),
            bins=bins,
            weights=edge_weights(to_lab(coarse), s.weight_floor),
            fine_bins=fine_bins,
            fine_weights=edge_weights(to_lab(fine), s.weight_floor),
        )

    def segment(self, prepared: Prepared, previous: Array, clicks: ElementClicks) -> Array:
        has_mask = bool((previous > 0.5).any())
        if not has_mask and not clicks.positive.any():
            return np.zeros_like(previous)
        points = on_grid(clicks.points, previous.shape, prepared.bins.shape)
        scene = self._scene(prepared, previous, clicks, points)
        if has_mask:
            cut = self._next_cut(prepared, scene, clicks, points)
        else:
            cut = self._first_cut(prepared, scene, points[clicks.positive])
        mask = self._refine(prepared, cut, clicks, previous.shape)
        if mask.shape != previous.shape:
            return np.asarray(cv2.resize(mask.astype(np.float32), previous.shape[::-1], interpolation=cv2.INTER_LINEAR))
        return mask.astype(np.float32)

    def _scene(self, prepared: Prepared, previous: Array, clicks: ElementClicks, points: Array) -> _Scene:
        s = self._settings
        shape = prepared.bins.shape
        fixed = click_discs(points, clicks.positive, shape, s.disc)

        def reach(chosen: Array) -> Array:
            seeds = np.zeros(shape, bool)
            seeds[points[chosen, 0], points[chosen, 1]] = True
            return np.exp(-geodesic_distance(seeds, prepared.steps) / s.newest_reach)

        positive, negative = reach(clicks.newest & clicks.positive), reach(clicks.newest & ~clicks.positive)
        return _Scene(
            fixed=fixed,
            before=shrink(previous, shape),
            to_positive=geodesic_distance(fixed > 0, prepared.steps),
            to_negative=geodesic_distance(fixed < 0, prepared.steps),
            newest=np.maximum(positive, negative),
            newest_side=(positive > negative).astype(np.float32),
        )

    def _geodesic(self, prepared: Prepared, scene: _Scene, frame_distance: float) -> Array:
        """Clipped log ratio of the distances, float32 (h, w): positive where a positive click is nearer."""
        s = self._settings
        if np.isinf(scene.to_positive).all():  # correcting a mask, and no positive click yet: there is no ratio
            return np.asarray(-s.geodesic_limit * np.exp(-scene.to_negative / s.newest_reach))
        to_background = np.minimum(scene.to_negative, prepared.frame + frame_distance)
        ratio = (to_background + s.distance_floor) / (scene.to_positive + s.distance_floor)
        return np.asarray(np.clip(np.log(ratio), -s.geodesic_limit, s.geodesic_limit))

    def _cut(self, prepared: Prepared, scene: _Scene, unary: Array, belief: Array) -> _Cut:
        """One round: colours from `belief`, float32 (h, w) in [0, 1], then the cut."""
        s = self._settings
        belief = np.where(scene.fixed == 0, belief, scene.fixed > 0).astype(np.float32)
        colour = log_likelihood_ratio(prepared.bins, s.n_bins, belief, s.bin_sigma)
        colour = (s.colour_weight * np.clip(colour, -s.colour_limit, s.colour_limit)).astype(np.float32)
        heard = 1 - s.newest_hush * scene.newest
        mask = min_cut(unary + heard * colour[prepared.bins], prepared.weights * s.pairwise, scene.fixed)
        return _Cut(mask, unary, colour, heard)

    def _rounds(self, prepared: Prepared, scene: _Scene, unary: Array, belief: Array) -> _Cut:
        cut = self._cut(prepared, scene, unary, belief)
        for _ in range(self._settings.rounds - 1):
            cut = self._cut(prepared, scene, unary, cut.mask)
        return cut

    def _first_cut(self, prepared: Prepared, scene: _Scene, positives: Array) -> _Cut:
        """Without a mask the size of the object is open: of several cuts, the one that follows edges best."""
        cuts = []
        for distance in self._settings.first_frame_distances:
            unary = self._geodesic(prepared, scene, distance)
            cuts.append(self._rounds(prepared, scene, unary, _logistic(unary)))
        return min(cuts, key=lambda cut: mean_cut_weight(keep_clicked(cut.mask, positives), prepared.weights))

    def _next_cut(self, prepared: Prepared, scene: _Scene, clicks: ElementClicks, points: Array) -> _Cut:
        """The largest change of the previous output that its newest clicks explain; else the smallest.

        People (and robots) click in the middle of the largest error. So a change that is much deeper elsewhere than at
        its click is not what the click meant, and the next candidate stays closer to the previous output.
        """
        s = self._settings
        geodesic = self._geodesic(prepared, scene, s.frame_distance)
        for pull in s.pulls:
            unary = geodesic + pull * (2 * scene.before - 1) * (1 - scene.newest)
            belief = _logistic(unary) * (1 - scene.newest) + scene.newest_side * scene.newest
            cut = self._rounds(prepared, scene, unary, belief)
            mask = keep_clicked(cut.mask, points[clicks.positive])
            if self._explained(mask, scene.before > 0.5, clicks, points):
                break
        return cut

    def _explained(self, mask: Array, before: Array, clicks: ElementClicks, points: Array) -> bool:
        s = self._settings
        added, removed = depth(mask & ~before), depth(before & ~mask)
        at_click = 0.0
        for (row, col), positive in zip(points[clicks.newest], clicks.positive[clicks.newest], strict=True):
            own = added if positive else removed
            # A click is not accurate to the pixel: use the deepest of the 5 x 5 around it.
            at_click = max(at_click, float(own[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3].max()))
        return max(float(added.max()), float(removed.max())) <= s.depth_factor * at_click + s.depth_slack

    def _refine(self, prepared: Prepared, cut: _Cut, clicks: ElementClicks, image_shape: tuple[int, ...]) -> Array:
        """The cut repeated on the fine grid, bool (fh, fw), free only in a band around the coarse boundary."""
        s = self._settings
        shape = prepared.fine_bins.shape
        points = on_grid(clicks.points, image_shape, shape)
        coarse_points = on_grid(clicks.points, image_shape, cut.mask.shape)
        coarse = keep_clicked(cut.mask, coarse_points[clicks.positive]).astype(np.float32)
        enlarged = (cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
        ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * s.band + 1, 2 * s.band + 1))
        fixed = cv2.erode(enlarged, ball).astype(np.int8) + cv2.dilate(enlarged, ball).astype(np.int8) - 1
        discs = click_discs(points, clicks.positive, shape, s.disc)
        fixed = np.where(discs != 0, discs, fixed)
        heard = cv2.resize(cut.heard, shape[::-1], interpolation=cv2.INTER_LINEAR)
        unary = cv2.resize(cut.unary, shape[::-1], interpolation=cv2.INTER_LINEAR)
        unary = (unary + heard * cut.colour[prepared.fine_bins]).astype(np.float32)
        mask = min_cut(unary, prepared.fine_weights * s.fine_pairwise, fixed)
        return keep_clicked(mask, points[clicks.positive])


def _logistic(unary: Array) -> Array:
    """The belief, float32 in [0, 1], that corresponds to a unary: its log-odds are twice the unary."""
    return np.asarray(1 / (1 + np.exp(-2 * unary)))


def load_geocut(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> ElementwiseModel:
    """The model in the standard format; it has no weights and no options and always runs on the CPU."""
    refuse_checkpoint(card, checkpoint)
    return ElementwiseModel(GeoCut(Settings()))
