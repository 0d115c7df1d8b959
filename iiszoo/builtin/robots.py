"""Cards of iiszoo's own robots."""

from __future__ import annotations

from iiszoo.cards import RobotCard

_RITM = "Reviving Iterative Training with Mask Guidance, arXiv 2102.06583"
_GTO99 = "Getting to 99% Accuracy in Interactive Segmentation, arXiv 2003.07932"

ROBOTS = (
    RobotCard(
        id="ritm",
        loader="iiszoo.clicking.robots:load",
        summary="the field's standard: the pixel deepest inside the larger of false negatives and false positives",
        paper=_RITM,
    ),
    RobotCard(
        id="center-largest",
        loader="iiszoo.clicking.robots:load",
        summary="the pixel deepest inside the largest connected error",
        paper=_GTO99,
    ),
    RobotCard(
        id="gto99",
        loader="iiszoo.clicking.robots:load",
        summary="center-largest exactly as in its authors' code: earlier clicks are not avoided",
        paper=_GTO99,
    ),
    RobotCard(
        id="noisy-ritm",
        loader="iiszoo.clicking.robots:load_noisy_ritm",
        summary="a less precise person: ritm's point, displaced within the same error; noisy-ritm:sigma=0.5",
        takes_argument=True,
    ),
    RobotCard(
        id="boundary",
        loader="iiszoo.clicking.robots:load_boundary",
        summary="a careless person: a random pixel near the border of the largest error; boundary:depth=0.3",
        takes_argument=True,
    ),
    RobotCard(
        id="random",
        loader="iiszoo.clicking.robots:load",
        summary="any pixel of the image, whatever the prediction",
    ),
    RobotCard(
        id="random-false",
        loader="iiszoo.clicking.robots:load",
        summary="any pixel of the errors",
    ),
    RobotCard(
        id="random-largest",
        loader="iiszoo.clicking.robots:load",
        summary="any pixel of the largest connected error",
    ),
    RobotCard(
        id="distance",
        loader="iiszoo.clicking.robots:load",
        summary="a pixel of the errors, the likelier the deeper it lies inside them",
    ),
    RobotCard(
        id="distance-sequential",
        loader="iiszoo.clicking.robots:load",
        summary="like distance, but also away from earlier clicks",
    ),
    RobotCard(
        id="mix",
        loader="iiszoo.clicking.mix:load",
        summary="one of several robots by weight, chosen at each click: mix:ritm=0.7,random-false=0.3",
        takes_argument=True,
    ),
    RobotCard(
        id="recorded",
        loader="iiszoo.clicking.recorded:load",
        summary="clicks of people, by sample, then ritm's: recorded:sessions.jsonl, recorded:clicks.csv,dataset=DAVIS",
        paper="RClicks: Realistic Click Simulation for Benchmarking Interactive Segmentation, arXiv 2410.11722",
        takes_argument=True,
    ),
)
