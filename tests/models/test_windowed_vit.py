"""The windowed ViT and its decoder, which SimpleClick, CFR-ICL and SegNext share: each rule separately. The plugins
compare their networks with upstream's.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iiszoo.models.vit_decoder import LevelMixing
from iiszoo.models.windowed_vit import WindowedViT, join_windows, split_windows
from iiszoo.models.windows import ViTSizes, windows_of

SMALL = ViTSizes(dim=16, depth=4, heads=2, patch=16, global_every=2, trained=448)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("size", "patch", "windows"),
    [
        ((448, 448), 16, (2, 2)),
        ((672, 672), 16, (3, 3)),
        ((1024, 1024), 16, (4, 4)),  # of 16 x 16 patches
        ((448, 448), 14, (2, 2)),
        ((448, 672), 14, (2, 3)),
        ((420, 448), 14, (1, 2)),  # 30 x 32 patches: windows have at least 16 x 16
        ((432, 240), 16, (1, 1)),  # 27 x 15 patches: a window may have more than 14 x 14
        ((480, 448), 16, (2, 2)),  # 15 x 14
        ((455, 463), 16, (2, 2)),  # cut to 448
    ],
)
def test_windows(size: tuple[int, int], patch: int, windows: tuple[int, int]) -> None:
    assert windows_of(size, patch) == windows


def test_splitting_into_windows_and_joining_them() -> None:
    maps = torch.arange(2 * 4 * 9 * 5).view(2, 4, 9, 5)  # two images of 4 x 9 tokens of 5 channels
    windows = split_windows(maps.flatten(1, 2), (4, 9), (2, 3))
    assert windows.shape == (12, 6, 5)
    assert torch.equal(windows[6 + 3 + 1], maps[1, 2:4, 3:6].flatten(0, 1))
    assert torch.equal(join_windows(windows, (4, 9), (2, 3)), maps.flatten(1, 2))


@torch.inference_mode()
def test_all_but_the_last_block_of_a_group_stay_in_their_window() -> None:
    vit = WindowedViT(SMALL).eval()
    images, others = torch.rand(1, 3, 448, 672).repeat(2, 1, 1, 1), torch.zeros(2, 28 * 42, 16)
    images[1, :, :16, :16] = 0
    seen = vit(images, others)
    assert (seen[0] != seen[1]).all(dim=0).all()
    for i in (1, 3):
        vit.blocks[i] = nn.Identity()
    seen = vit(images, others)
    differs = (seen[0] != seen[1]).any(dim=0)
    assert differs[:14, :14].all()
    assert not differs[14:].any()
    assert not differs[:, 14:].any()


@torch.inference_mode()
def test_positions_of_an_oblong_grid() -> None:
    """Channel 0 encodes the row, channel 1 the column."""
    vit = WindowedViT(SMALL)
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    vit.pos_embed[0, 1:, :2] = torch.stack((rows, columns), dim=-1).flatten(0, 1)
    found = vit.positions((28, 42))[0].view(28, 42, 16)
    assert torch.allclose(found[:, :, 0], torch.arange(28.0)[:, None].expand(28, 42), atol=1e-4)
    assert torch.allclose(found[5:9, 3:39, 1], ((torch.arange(3.0, 39) + 0.5) / 1.5 - 0.5).expand(4, 36), atol=0.05)


@torch.inference_mode()
def test_levels_are_mixed_before_they_are_enlarged() -> None:
    """The same as the published order: enlarge, concatenate, mix."""
    head = LevelMixing((3, 4, 5, 6), 8).double()
    shapes = [(2, 3, 9, 7), (2, 4, 5, 4), (2, 5, 3, 2), (2, 6, 1, 1)]
    levels = [torch.rand(shape, dtype=torch.float64) for shape in shapes]
    embedded = [conv(level) for conv, level in zip(head.convs, levels, strict=True)]
    enlarged = [F.interpolate(maps, (9, 7), mode="bilinear", align_corners=False) for maps in embedded]
    published = head.fusion_conv(torch.cat(enlarged, dim=1))
    assert torch.allclose(head.mixed(levels), published, rtol=0, atol=1e-12)
