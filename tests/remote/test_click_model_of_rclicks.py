"""The block of docs/robots.md that has RClicks' own `Clicker` click, against stand-ins of its classes.

Their signatures, and what they return, are those of emb-ai/rclicks at e20bf76: isegm/isegm/inference/clicker.py and
rclicks/rclicks/nets.py. The network's weights and mmcv 1.7 are not at hand.
"""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.runs import store

ROBOTS_PAGE = Path(__file__).parents[2] / "docs" / "robots.md"

CLICKER = '''
import numpy as np


class Click:
    def __init__(self, is_positive, coords, indx=None):
        self.is_positive, self.coords, self.indx = is_positive, coords, indx


class Clicker:
    """Draws a pixel of the larger error, of what the network gives; a slice has its share of the rows."""

    def __init__(self, gt_mask=None, image=None, init_clicks=None, ignore_label=-1, click_indx_offset=0,
                 click_model=None, model_device="cuda", quantile_low=0.0, quantile_high=1.0):
        assert image.shape == (*gt_mask.shape, 3) and image.dtype == np.uint8
        assert {-1, 0, 1} >= set(np.unique(gt_mask).tolist())
        self.target, self.counts = gt_mask == 1, gt_mask != ignore_label
        self.image, self.network, self.low, self.high = image, click_model, quantile_low, quantile_high
        self.before = [(click.is_positive, tuple(click.coords)) for click in init_clicks]

    def make_next_click(self, pred_mask):
        missed, excess = self.target & ~pred_mask & self.counts, ~self.target & pred_mask & self.counts
        positive = missed.sum() > excess.sum()
        error = missed if positive else excess
        likely = self.network.apply(self.image, self.target, error)[0][0].numpy() * error
        for _, at in self.before:
            likely[at] = 0
        rows = np.flatnonzero(likely.any(axis=1))
        first, last = (int(share * (len(rows) - 1)) for share in (self.low, self.high))
        likely[: rows[first]] = likely[rows[last] + 1 :] = 0
        at = np.random.choice(likely.size, p=likely.ravel() / likely.sum())
        return likely, Click(positive, np.unravel_index(at, likely.shape))
'''
NETS = '''
import torch


class SegNeXtSaliencyApply(torch.nn.Module):
    """Likely where the image is red."""

    def __init__(self, path, arch_type="b", device="cuda", **kwargs):
        super().__init__()
        assert path == "clickability_model.pth"

    def apply(self, image, mask, prev_mistake):
        assert image.shape[:2] == mask.shape == prev_mistake.shape
        return torch.from_numpy(image[None, None, :, :, 0].astype("float32") + 1)
'''


@pytest.fixture
def people(photos: Any, tmp_path: Path) -> Any:
    """`people(function, ...)`: by sample, the clicks of a run of the page's robot."""
    (block,) = re.findall(r"```python\n(# people\.py.*?)```", ROBOTS_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    folder, numbers = photos(3), itertools.count()
    (tmp_path / "people.py").write_text(block.replace("TETRIS/images", "photos/images"))
    for name, content in {"isegm/inference/clicker": CLICKER, "rclicks/nets": NETS}.items():
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True)
        file.write_text(content)

    def people(function: str, **how: Any) -> dict[str, Any]:
        settings = {"max_clicks": 3, "target_iou": 1.0, "robot_python": sys.executable, **how}
        (summary,) = bench(
            "painting_models:discs", folder, robot=f"people:{function}", out=tmp_path / str(next(numbers)), **settings
        )
        return {trace.sample: trace for trace in store.read_traces(Path(summary["directory"]))}

    return people


def test_their_clicker_clicks_and_its_draws_follow_the_sample(people: Any) -> None:
    alone = people("clicks")
    assert set(alone) == {"p0", "p1", "p2"}
    for trace in alone.values():
        assert trace.error is None
        made = [tuple(click) for turn in trace.clicks for click in turn]
        assert made
        assert len(set(made)) == len(made), "earlier clicks are given to it"
        assert made[0][2] == 1
    together = people("clicks", batch_size=3)
    assert {id: trace.clicks for id, trace in together.items()} == {id: trace.clicks for id, trace in alone.items()}
    assert [trace.clicks for trace in people("clicks", seed=1).values()] != [trace.clicks for trace in alone.values()]


def test_a_group_is_a_slice(people: Any) -> None:
    last, first = ([trace.clicks[0][0][0] for trace in people(name, max_clicks=1).values()] for name in ("g10", "g1"))
    assert all(a < b for a, b in zip(first, last, strict=True))
