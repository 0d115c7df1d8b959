from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from iiszoo_gto99.components import remove_unclicked

ALPHA = torch.tensor([[[0.9, 0.0, 0.0, 0.5], [0.0, 0.8, 0.2, 0.7], [0.0, 0.0, 0.0, 0.6]]])


def test_components_without_a_positive_click_go_and_so_does_what_is_in_none() -> None:
    kept = remove_unclicked(ALPHA, [(0, 0)])  # touches the other pixel at a corner
    assert torch.equal(kept, torch.tensor([[[0.9, 0, 0, 0], [0, 0.8, 0, 0], [0, 0, 0, 0]]]))
    both = remove_unclicked(ALPHA, [(0, 0), (2, 3), (1, 1)])
    assert torch.equal(both, torch.tensor([[[0.9, 0, 0, 0], [0, 0.8, 0, 0.7], [0, 0, 0, 0.6]]]))


def test_exactly_a_half_is_in_no_component() -> None:
    assert not remove_unclicked(ALPHA, [(0, 3)]).any()


def test_without_positive_clicks_all_stays() -> None:
    before = ALPHA.clone()
    assert remove_unclicked(ALPHA, []) is ALPHA
    remove_unclicked(ALPHA, [(0, 0)])
    assert torch.equal(ALPHA, before)


def test_upstreams_cases(shared: Path) -> None:
    stored = np.load(shared / "parity" / "gto99_robot.npz")
    for i in range(20):
        alpha = torch.from_numpy((stored[f"rnf_alpha_u8_{i}"] / 254).astype(np.float32))
        kept = np.unpackbits(stored[f"rnf_keep_{i}"], axis=-1)[:, : alpha.shape[1]]
        found = remove_unclicked(alpha[None], [(r, c) for r, c in stored[f"rnf_fg_{i}"].tolist()])
        assert torch.equal(found[0], alpha * torch.from_numpy(kept)), i
