"""FocalClick's networks against upstream's recorded forwards, with the synthetic weights of the shared fixtures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from iiszoo.clicking.encode import MapClicks, disk
from iiszoo_focalclick.networks import NETWORKS, REFINER_DISK_RADIUS, FocalClick, SegFormerFocalClick
from iiszoo_focalclick.segformer import AllMLPHead, to_maps, to_tokens

RUNS = ["focalclick_segformerB0_S2__sheep", "focalclick_segformerB3_S2__person1", "focalclick_hrnet18s_S2__sheep"]
CONFIGURATIONS = {
    "focalclick/hrnet18s-s1": ("focalclick_hrnet18s_S1", 2),
    "focalclick/hrnet18s-s2": ("focalclick_hrnet18s_S2", 5),
    "focalclick/hrnet32-s2": ("focalclick_hrnet32_S2", 5),
    "focalclick/hrnet32-s2-combined": ("focalclick_hrnet32_S2", 5),
    "focalclick/segformerb0-s1": ("focalclick_segformerB0_S1", 3),
    "focalclick/segformerb0-s2": ("focalclick_segformerB0_S2", 5),
    "focalclick/segformerb3-s2": ("focalclick_segformerB3_S2", 5),
    "focalclick/segformerb3-s2-combined": ("focalclick_segformerB3_S2", 5),
}
"""Architecture -> its state dict in the shared fixtures, the radius of its click disks."""
SIZE = (256, 256)


class Run(NamedTuple):
    """One recorded forward pass and refinement, and our network for it."""

    network: FocalClick
    image: Tensor
    maps: Tensor
    crop: Tensor
    disks: Tensor
    boxes: Tensor
    arrays: Any
    noise: float
    """Five times the change that float32 makes to upstream's logits."""

    def coarse(self) -> tuple[Tensor, Tensor]:
        """In the network's precision."""
        dtype = next(self.network.parameters()).dtype
        with torch.inference_mode():
            return self.network.coarse(self.image.to(dtype), self.maps.to(dtype))

    def refine(self, features: Tensor, logits: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.network.refine(
                self.crop.to(logits), self.disks.to(logits), features, logits, self.boxes.to(logits)
            )


def clicks(points: Any) -> tuple[MapClicks, MapClicks]:
    """(pcs, ncs) of upstream's (1, 2 n, 3): n positive, then n negative; (-1, -1, -1) is no click."""
    rows = [(row, col) for row, col, _ in points[0].tolist()]
    return [[rows[: len(rows) // 2]]], [[rows[len(rows) // 2 :]]]


def unit(values: Any) -> Tensor:
    """uint8 0..255 -> float32 in [0, 1]."""
    return torch.from_numpy(values).float() / 255


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, stored: Any, network: Callable[[str], FocalClick]) -> Run:
    torch.set_num_threads(1)
    arrays, meta = stored(request.param)
    built = network(request.param)
    image = unit(arrays["fwd_image"]).permute(2, 0, 1)[None]
    maps = torch.cat(
        [unit(arrays["fwd_prev_u8"])[None], disk(*clicks(arrays["fwd_points"]), SIZE, built.disk_radius)], 1
    )
    top, bottom, left, right = map(int, re.findall(r"\d+", re.findall(r"\[.*?\]", meta["refine"])[0]))
    crop = F.interpolate(image[:, :, top:bottom, left:right], SIZE, mode="bilinear", align_corners=True)
    disks = disk(*clicks(arrays["ref_points"]), SIZE, REFINER_DISK_RADIUS)
    boxes = torch.from_numpy(arrays["ref_roi_xyxy"])[:, 1:]
    return Run(built, image, maps, crop, disks, boxes, arrays, 5 * meta["float64"]["max_abs_f64_minus_f32"])


@pytest.fixture(scope="module")
def small() -> FocalClick:
    """A SegFormer of one block per stage, with random weights."""
    torch.manual_seed(0)
    return SegFormerFocalClick((32, 64, 160, 256), (1, 1, 1, 1), 32, halve=False).eval()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_state_dict_has_the_official_names_and_shapes(shared: Path, name: str) -> None:
    config, radius = CONFIGURATIONS[name]
    official = json.loads((shared / "parity" / "state_dicts" / f"{config}.json").read_text())["state_dict"]
    with torch.device("meta"):
        network = NETWORKS[name]()
    ours = [
        [key, list(value.shape), str(value.dtype).removeprefix("torch.")] for key, value in network.state_dict().items()
    ]
    assert sorted(ours) == sorted(official)
    assert network.disk_radius == radius


def test_every_architecture_is_checked() -> None:
    assert CONFIGURATIONS.keys() == NETWORKS.keys()


def test_click_maps_are_upstreams(run: Run) -> None:
    assert np.array_equal(run.maps[:, 1:].numpy(), run.arrays["fwd_disks"])


def test_forward_and_refine_in_float32(run: Run) -> None:
    logits, features = run.coarse()
    assert np.abs(logits.numpy() - run.arrays["fwd_logits"]).max() < run.noise
    expected = run.arrays["fwd_feature_sub"]
    steps = [n // m for n, m in zip(features.shape, expected.shape, strict=True)]
    sampled = features[:, :: steps[1], :: steps[2], :: steps[3]].numpy()
    assert np.abs(sampled - expected).max() < run.noise
    refined = run.refine(features, logits)
    assert np.abs(refined.numpy() - run.arrays["ref_refined"]).max() < run.noise


def test_forward_in_float64(run: Run) -> None:
    """Inputs that reveal the eps of norms and the variant of GELU."""
    run.network.double()
    try:
        logits, features = run.coarse()
        refined = run.refine(features, logits)
    finally:
        run.network.float()
    sampled = logits[0, 0].reshape(-1)[torch.from_numpy(run.arrays["fwd_f64_positions"])]
    assert np.abs(sampled.numpy() - run.arrays["fwd_f64_sample"][0]).max() < 1e-7
    assert np.abs(refined.numpy() - run.arrays["ref_refined"]).max() < run.noise


def test_head_is_the_published_order_of_operations() -> None:
    """Embed, enlarge, concatenate from c4 to c1, mix; ours embeds and mixes in one step before enlarging."""
    torch.manual_seed(1)
    head = AllMLPHead((8, 12, 16, 20), 24).double().eval()
    stages = [torch.rand(2, n, 32 >> i, 32 >> i, dtype=torch.float64) for i, n in enumerate((8, 12, 16, 20))]
    with torch.inference_mode():
        embeddings = (head.linear_c1, head.linear_c2, head.linear_c3, head.linear_c4)
        embedded = [
            to_maps(embedding.proj(to_tokens(maps)), maps.shape[2:])
            for embedding, maps in zip(embeddings, stages, strict=True)
        ]
        enlarged = [F.interpolate(maps, (32, 32), mode="bilinear", align_corners=False) for maps in embedded[::-1]]
        features = head.linear_fuse.bn(head.linear_fuse.conv(torch.cat(enlarged, dim=1))).relu()
        logits = head.linear_pred(features)
        ours_logits, ours_features = head(stages)
    torch.testing.assert_close(ours_features, features, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours_logits, logits, rtol=0, atol=1e-12)


def test_s1_works_at_half_the_size(small: FocalClick) -> None:
    """Its features are those of the halved image and maps; its logits are enlarged directly to the image's size."""
    halved = SegFormerFocalClick((32, 64, 160, 256), (1, 1, 1, 1), 32, halve=True).eval()
    halved.load_state_dict(small.state_dict())
    image, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        logits, features = halved.coarse(image, maps)
        half = [F.interpolate(x, (32, 32), mode="bilinear", align_corners=True) for x in (image, maps)]
        _, at_half = small.coarse(*half)
        at_eighth = small.get_submodule("feature_extractor.decode_head.linear_pred")(features)
        enlarged = F.interpolate(at_eighth, (64, 64), mode="bilinear", align_corners=True)
    assert features.shape == (1, 32, 8, 8)
    torch.testing.assert_close(features, at_half, rtol=0, atol=1e-5)
    torch.testing.assert_close(logits, enlarged, rtol=0, atol=1e-5)


def test_elements_of_a_batch_do_not_mix(small: FocalClick) -> None:
    torch.manual_seed(2)
    image, maps, crop, disks = (torch.rand(3, n, 64, 64) for n in (3, 3, 3, 2))
    boxes = torch.tensor([[0.0, 0, 64, 64], [10.5, 3.25, 40, 60], [31, 0, 33.5, 7]])
    with torch.inference_mode():
        logits, features = small.coarse(image, maps)
        refined = small.refine(crop, disks, features, logits, boxes)
        for b in range(3):
            alone = slice(b, b + 1)
            logits_alone, features_alone = small.coarse(image[alone], maps[alone])
            refined_alone = small.refine(crop[alone], disks[alone], features_alone, logits_alone, boxes[alone])
            torch.testing.assert_close(logits[alone], logits_alone, rtol=0, atol=1e-5)
            torch.testing.assert_close(refined[alone], refined_alone, rtol=0, atol=1e-5)
    assert (refined[0] - refined[1]).abs().max() > 1e-3


def test_arguments_are_left_as_they_were(small: FocalClick) -> None:
    arguments = [torch.rand(1, n, 64, 64) for n in (3, 3, 3, 2)]
    copies = [x.clone() for x in arguments]
    with torch.inference_mode():
        logits, features = small.coarse(*arguments[:2])
        kept = logits.clone(), features.clone()
        small.refine(*arguments[2:], features, logits, torch.tensor([[1.0, 2, 30, 40]]))
    assert all(torch.equal(x, y) for x, y in zip((*arguments, logits, features), (*copies, *kept), strict=True))


@pytest.mark.parametrize("batch", [1, 2])
def test_maps_and_tokens_share_memory(batch: int) -> None:
    """And maps are channels-last for convolutions, also in a batch of one, else they copy."""
    tokens = torch.rand(batch, 6, 5)
    maps = to_maps(tokens, (2, 3))
    assert maps.data_ptr() == tokens.data_ptr()
    assert maps.stride() == torch.empty(batch, 5, 2, 3, memory_format=torch.channels_last).stride()
    back = to_tokens(maps)
    assert back.data_ptr() == tokens.data_ptr()
    assert torch.equal(back, tokens)
