"""How much faster the `ritm` robot is than the published code, and whether its clicks are correct.

    python benchmarks/speed/robots.py [--cases N] [--seed S]

Two robots answer the same cases, one thread each: `iiszoo.clicking.robots.ritm`, called as in the benchmark loop, and
the algorithm of RITM's `isegm/inference/clicker.py`: two OpenCV distance transforms (DIST_L2, precise) of whole padded
images. Both start from the probabilities. Times are CPU times of the one thread, so that other work on the machine
matters less. The clicks of both are compared with `tests/clicking/plain_rules.py`: exact squared integer distances.
Exit code 1 if a click of `ritm` differs.

Cases: GrabCut's 50 masks (with their ignored band) if `IISZOO_SHARED` or ../shared has them, and synthetic 480x854
masks. Predictions are made from each target: empty, shifted, eroded, dilated, ragged, with missing and extra parts,
with single wrong pixels, or unrelated to it; zero to six pixels were clicked.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "clicking")]  # measure this checkout, installed or not

from plain_rules import plain_ritm  # noqa: E402

from iiszoo.clicking.robots import ritm  # noqa: E402

Mask = NDArray[np.bool_]
Click = tuple[int, int]
Found = tuple[int, int, bool]
THRESHOLD = 0.49
SYNTHETIC = (480, 854)


def published_ritm(probabilities: NDArray[np.float32], target: Mask, valid: Mask, not_clicked: Mask) -> Found:
    """RITM's clicker, on arrays (H, W). Making `valid` and `not_clicked` is not timed: upstream keeps them."""
    prediction = probabilities > THRESHOLD
    fn = np.logical_and(np.logical_and(target, np.logical_not(prediction)), valid)
    fp = np.logical_and(np.logical_and(np.logical_not(target), prediction), valid)
    fn_distances = cv2.distanceTransform(np.pad(fn, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    fp_distances = cv2.distanceTransform(np.pad(fp, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    fn_distances = fn_distances * not_clicked
    fp_distances = fp_distances * not_clicked
    fn_max, fp_max = fn_distances.max(), fp_distances.max()
    positive = bool(fn_max > fp_max)
    distances, greatest = (fn_distances, fn_max) if positive else (fp_distances, fp_max)
    rows, cols = np.where(distances == greatest)
    return int(rows[0]), int(cols[0]), positive


def grabcut_masks(folder: Path) -> list[tuple[Mask, Mask]]:
    """(target, ignore) of each mask: 255 object, 128 ignored."""
    masks = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob("*.png"))]
    return [(mask == 255, mask == 128) for mask in masks]


def field(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> NDArray[np.float64]:
    """(H, W) smooth noise whose hills are about `grain` pixels wide."""
    height, width = (max(2, round(n / grain)) for n in shape)
    return cv2.resize(rng.standard_normal((height, width)), shape[::-1], interpolation=cv2.INTER_CUBIC)


def wrong(rng: np.random.Generator, target: Mask) -> Mask:
    """A prediction of `target` that some model might make."""
    shape = (target.shape[0], target.shape[1])
    kind = rng.integers(8)
    if kind == 0:
        return np.zeros_like(target)
    if kind == 1:
        return np.roll(target, tuple(rng.integers(-15, 16, 2)), (0, 1))
    if kind in (2, 3):
        size = 2 * int(rng.integers(1, 16)) + 1
        change = cv2.erode if kind == 2 else cv2.dilate
        return change(target.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))).astype(bool)
    if kind == 4:
        soft = cv2.GaussianBlur(target.astype(np.float64), (0, 0), rng.uniform(2, 10))
        return soft + 0.25 * field(rng, shape, rng.uniform(2, 30)) > 0.5
    if kind == 5:
        return target ^ (field(rng, shape, rng.uniform(20, 120)) > rng.uniform(1, 2))
    if kind == 6:
        return target ^ (rng.random(shape) < 10 ** rng.uniform(-4, -1))
    return field(rng, shape, rng.uniform(5, 150)) > 0


def cases(
    rng: np.random.Generator, masks: list[tuple[Mask, Mask]], n: int
) -> Iterator[tuple[Mask, Mask, Mask | None, list[Click]]]:
    """n cases (target, prediction, ignore, earlier clicks), from `masks` or, if there are none, synthetic ones."""
    for i in range(n):
        ignore: Mask | None
        if masks:
            target, ignore = masks[i % len(masks)]
        else:
            target, ignore = field(rng, SYNTHETIC, rng.uniform(30, 300)) > rng.uniform(0, 1), None
        prediction = wrong(rng, target)
        pcs, ncs = ritm(
            torch.from_numpy(prediction[None, None].astype(np.float32)),
            torch.from_numpy(target[None, None]),
            [],
            [],
            int(rng.integers(0, 5)),
            ignore=None if ignore is None else torch.from_numpy(ignore[None, None]),
        )
        clicks = pcs[0][0] + ncs[0][0]
        clicks += [
            (int(rng.integers(target.shape[0])), int(rng.integers(target.shape[1]))) for _ in range(rng.integers(3))
        ]
        yield target, prediction, ignore, clicks


def measure(
    rng: np.random.Generator, masks: list[tuple[Mask, Mask]], n: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Seconds (n, 2) of the published code and of `ritm`; whether their clicks (n, 2) equal those of the exact rule.

    If nothing is left to click, the published code clicks (0, 0) negative; that counts as equal.
    """
    seconds, same = np.empty((n, 2)), np.empty((n, 2), bool)
    todo = cases(rng, masks, n)
    done = 0
    while chunk := list(itertools.islice(todo, 20)):  # alternating, so that a slow phase of the machine affects both
        published = [time_published(*case) for case in chunk]
        ours = [time_ritm(*case) for case in chunk]
        for case, (published_seconds, published_click), (our_seconds, our_click) in zip(
            chunk, published, ours, strict=True
        ):
            exact = plain_ritm(*case)
            seconds[done] = published_seconds, our_seconds
            same[done] = published_click == (exact or (0, 0, False)), our_click == exact
            done += 1
    return seconds, same


def as_probabilities(prediction: Mask) -> NDArray[np.float32]:
    """Made again for each robot, just before its call, as a model's output is."""
    return np.where(prediction, np.float32(0.9), np.float32(0.1))


def time_published(target: Mask, prediction: Mask, ignore: Mask | None, clicks: list[Click]) -> tuple[float, Found]:
    valid = np.ones_like(target) if ignore is None else ~ignore
    not_clicked = np.ones_like(target)
    for click in clicks:
        not_clicked[click] = False
    probabilities = as_probabilities(prediction)
    begin = time.thread_time()
    found = published_ritm(probabilities, target, valid, not_clicked)
    return time.thread_time() - begin, found


def time_ritm(target: Mask, prediction: Mask, ignore: Mask | None, clicks: list[Click]) -> tuple[float, Found | None]:
    past = [[[click]] for click in clicks]
    none: list[list[list[Click]]] = [[[]] for _ in clicks]
    targets = torch.from_numpy(target[None, None])
    void = None if ignore is None else torch.from_numpy(ignore[None, None])
    outputs = torch.from_numpy(as_probabilities(prediction)[None, None])
    begin = time.thread_time()
    pcs, ncs = ritm(outputs, targets, past, none, ignore=void, threshold=THRESHOLD)
    seconds = time.thread_time() - begin
    found = [(*click, True) for click in pcs[-1][0]] + [(*click, False) for click in ncs[-1][0]]
    return seconds, found[0] if found else None


def report(name: str, seconds: NDArray[np.float64], same: NDArray[np.bool_]) -> None:
    ratio = seconds[:, 0].sum() / seconds[:, 1].sum()
    print(f"{name}: {len(seconds)} cases, ritm is {ratio:.1f}x as fast by total time")
    for column, robot in enumerate(("published", "ritm")):
        ms = 1000 * seconds[:, column]
        p50, p95 = np.percentile(ms, [50, 95])
        print(
            f"  {robot:9}  sum {ms.sum():8.1f} ms  p50 {p50:6.3f} ms  p95 {p95:6.3f} ms"
            f"  exact clicks: {same[:, column].sum()} of {len(same)}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=3000, help="total, half of them GrabCut's (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    folder = Path(os.environ.get("IISZOO_SHARED", ROOT.parent / "shared")) / "data" / "grabcut" / "boundary_GT"
    masks = grabcut_masks(folder) if folder.is_dir() else []
    n_grabcut = arguments.cases // 2 if masks else 0
    if not masks:
        print(f"no GrabCut masks in {folder}: synthetic ones only")

    # numba compiles on the first call, once without and once with ignored pixels.
    measure(np.random.default_rng(0), [], 3)
    measure(np.random.default_rng(0), [(np.eye(9, dtype=bool), np.zeros((9, 9), bool))], 3)

    results = []
    for name, some_masks, n in (
        ("GrabCut", masks, n_grabcut),
        ("synthetic 480x854", [], arguments.cases - n_grabcut),
    ):
        if n:
            results.append(measure(np.random.default_rng([arguments.seed, len(some_masks)]), some_masks, n))
            report(name, *results[-1])
    seconds, same = (np.concatenate(parts) for parts in zip(*results, strict=True))
    report("all", seconds, same)
    return 0 if same[:, 1].all() else 1


if __name__ == "__main__":
    sys.exit(main())
