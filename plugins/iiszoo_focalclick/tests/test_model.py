"""FocalClick's predictor with an analytic network: against upstream's recorded pipelines, and its guarantees."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from iiszoo.models.zoom import read_boxes, whole_image
from iiszoo.protocol import Clicks, as_model, split, stack, to_tensor
from iiszoo_focalclick.model import FocalClickModel

CASES = [f"{name}_{which}" for name in ("sheep", "teddycrop") for which in (0, 1)]


def hills(clicks: Any, size: tuple[int, int], breadth: float) -> Tensor:
    """(H, W): 1 at each click, decreasing with distance; 0 without clicks."""
    rows, columns = torch.arange(size[0], dtype=torch.float32)[:, None], torch.arange(size[1], dtype=torch.float32)
    found = torch.zeros(size)
    for row, col in torch.tensor(clicks, dtype=torch.float32).reshape(-1, 2):
        if max(row, col) >= 0:
            distance = (rows - row) ** 2 + (columns - col) ** 2
            found = torch.maximum(found, torch.exp(-distance / (2 * (breadth * max(size)) ** 2)))
    return found


class Bumps:
    """The fixture's stand-in for the networks (see its meta)."""

    def coarse(self, pictures: Tensor, positives: Any, negatives: Any) -> tuple[Tensor, Tensor]:
        size = (int(pictures.shape[-2]), int(pictures.shape[-1]))
        logits = 3 * (pictures[:, :3].mean(1) - 0.5) - 1.5 + 2 * (pictures[:, 3] - 0.5)
        clicked = [
            6 * hills(positives[n], size, 0.10) - 6 * hills(negatives[n], size, 0.06) for n in range(len(pictures))
        ]
        answer = (logits + torch.stack(clicked))[:, None]
        return answer, answer

    def refine(
        self, crops: Tensor, positives: Any, negatives: Any, features: Tensor, logits: Tensor, boxes: Tensor
    ) -> Tensor:
        size = (int(crops.shape[-2]), int(crops.shape[-1]))
        rois = torch.cat((torch.arange(len(boxes))[:, None], boxes), dim=1)
        coarse = roi_align(logits, rois, size, aligned=True)
        clicked = [4 * hills(positives[n], size, 0.08) - 4 * hills(negatives[n], size, 0.05) for n in range(len(crops))]
        return coarse + torch.stack(clicked)[:, None] + 2 * (crops.mean(1, keepdim=True) - 0.5)


def one_click_each(clicks: Any) -> tuple[Clicks, Clicks]:
    pcs: Clicks = [[[(row, col)] if positive else []] for row, col, positive in clicks]
    ncs: Clicks = [[[] if positive else [(row, col)]] for row, col, positive in clicks]
    return pcs, ncs


def target_box(z: dict[str, Any], size: Any) -> list[int]:
    return list(read_boxes(z["roi"])[0] or whole_image(size))


@pytest.fixture(scope="module")
def fixture(shared: Path) -> Any:
    return np.load(shared / "parity" / "stub_pipeline_focal.npz")


@pytest.mark.parametrize("variant", ["plain", "init_merge"])
@pytest.mark.parametrize("name", CASES)
def test_crops_and_probabilities_are_upstreams(fixture: Any, shared: Path, name: str, variant: str) -> None:
    key = f"{name}_{variant}"
    case = next(c for c in json.loads(bytes(fixture["meta_json"]))["cases"] if c["key"] == key)
    x = to_tensor(fixture[f"image::{case['image']}"])[None]
    size = x.shape[-2:]
    positions = runpy.run_path(str(shared / "parity" / "recipe.py"))["sample_positions"](*size, 2400)
    model = FocalClickModel(Bumps())
    z = model.init_z(x)
    if variant == "init_merge":
        z["prev_output"] = torch.from_numpy(fixture[f"init::{name}"] > 0).float()[None, None]
    pcs, ncs = one_click_each(case["clicks"])
    for k, info in enumerate(case["info"]):
        y, z = model(x, z, pcs[: k + 1], ncs[: k + 1])
        assert target_box(z, size) == info["global_roi"]
        assert z["focus"].tolist() == [info["focus_roi"]]
        ours = z["probabilities"].flatten()[torch.from_numpy(positions)].numpy()
        np.testing.assert_allclose(ours, fixture[f"probs::{key}"][k], rtol=0, atol=2e-5)
        if variant == "init_merge":
            merged = np.unpackbits(fixture[f"masks::{key}"][k], axis=-1)[:, : size[1]].astype(bool)
            np.testing.assert_array_equal((y[0, 0] > 0.5).numpy(), merged)
        else:
            assert torch.equal(y, z["probabilities"])


def painted(*size: int) -> Tensor:
    return torch.rand((3, *size), generator=torch.Generator().manual_seed(size[0]))


def test_sessions_in_one_call_do_not_see_each_other() -> None:
    images = [painted(50, 80), painted(90, 61), painted(1, 1), painted(50, 80).flip(-1), painted(17, 100)]
    model = as_model(FocalClickModel(Bumps(), side=64))
    rng = np.random.default_rng(0)

    def click(b: int) -> list[tuple[int, int]]:
        height, width = images[b].shape[-2:]
        return [(int(rng.integers(height)), int(rng.integers(width)))] if rng.random() < 0.7 else []

    pcs: Clicks = [[click(b) for b in range(5)] for _ in range(12)]
    ncs: Clicks = [[click(b) if k % 3 == 2 else [] for b in range(5)] for k in range(12)]
    together = model.init_z(images)
    together["prev_output"][1] = (painted(90, 61)[:1] > 0.7).float()
    apart = split(together)
    for k in range(1, 13):
        y, together = model(images, together, pcs[:k], ncs[:k])
        for b in range(5):
            mine = [[[step[b]] for step in clicks[:k]] for clicks in (pcs, ncs)]
            own, apart[b] = model(images[b][None], apart[b], *mine)
            torch.testing.assert_close(own[0], y[b], rtol=0, atol=1e-6)
        joined = stack(apart)
        for entry in ("roi", "focus", "answered", "merging"):
            assert torch.equal(joined[entry], together[entry]), entry
    assert together["merging"].tolist() == [False, True, False, False, False]


def test_arguments_stay_as_they_were_and_no_click_is_no_answer() -> None:
    images = [painted(40, 60), painted(50, 30)]
    model = FocalClickModel(Bumps(), side=32)
    z = model.init_z(images)
    z["prev_output"] = [torch.rand(1, 40, 60), torch.rand(1, 50, 30)]
    before = {name: [element.clone() for element in value] for name, value in z.items()}
    pcs: Clicks = [[[(3, 4)], []]]
    ncs: Clicks = [[[], []]]
    y, after = model(images, z, pcs, ncs)
    assert (pcs, ncs) == ([[[(3, 4)], []]], [[[], []]])
    for name, value in z.items():
        assert all(torch.equal(element, old) for element, old in zip(value, before[name], strict=True)), name
    assert torch.equal(y[1], z["prev_output"][1])
    assert after["answered"].tolist() == [True, False]


def test_without_merge_the_answer_is_the_models_own() -> None:
    x = painted(60, 60)[None]
    start = torch.zeros(1, 1, 60, 60)
    start[..., :10, :10] = 1
    answers = {}
    for rule in ("published", "fixed", "none"):
        model = FocalClickModel(Bumps(), side=64, merge=rule)
        y, z = model(x, {**model.init_z(x), "prev_output": start}, [[[(40, 40)]]], [[[]]])
        answers[rule] = y
        assert (rule == "none") == torch.equal(y, z["probabilities"])
    assert torch.equal(answers["published"], answers["fixed"])
    assert (answers["published"][..., :10, :10] > 0.5).all()  # what the click does not touch stays
    assert not (answers["none"][..., :10, :10] > 0.5).all()


def test_a_click_whose_label_does_not_change_corrupts_the_mask_unless_mended() -> None:
    """The published rule's fault: alibaba/ClickSEG, issue 2."""

    class Deaf(Bumps):
        """Predicts object at rows and columns below 20, whatever the clicks."""

        def coarse(self, pictures: Tensor, positives: Any, negatives: Any) -> tuple[Tensor, Tensor]:
            answer = torch.full((len(pictures), 1, *pictures.shape[-2:]), -6.0)
            answer[..., :20, :20] = 6
            return answer, answer

        def refine(self, crops: Tensor, *others: Any) -> Tensor:
            return roi_align(
                others[3], torch.cat((torch.zeros(1, 1), others[4]), dim=1), crops.shape[-2:], aligned=True
            )

    x = painted(64, 64)[None]
    start = torch.zeros(1, 1, 64, 64)
    start[..., :20, :20] = 1
    for rule, share in (("published", 1.0), ("fixed", 400 / 64**2)):
        model = FocalClickModel(Deaf(), side=64, merge=rule)
        y, _ = model(x, {**model.init_z(x), "prev_output": start}, [[[(50, 50)]]], [[[]]])
        assert float((y > 0.5).float().mean()) == pytest.approx(share, abs=0.02)
