"""The predictor that RITM and SimpleClick share, under an analytic network: against upstream's recorded pipelines where
the shared fixtures are, and what it promises of any network.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iiszoo.models.click_model import ClickModel, OnDisks
from iiszoo.models.zoom import Box, Zoom, from_inclusive, read_boxes
from iiszoo.protocol import Clicks, as_model, split, stack, to_tensor


def bumps(pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
    """The fixture's stand-in for a network (see its meta): a hill at each positive click, a pit at each negative."""
    height, width = pictures.shape[-2:]
    rows, columns = torch.arange(height, dtype=torch.float32)[:, None], torch.arange(width, dtype=torch.float32)

    def hills(clicks: Any, breadth: float) -> Tensor:
        found = torch.zeros(height, width)
        for row, col in torch.tensor(clicks, dtype=torch.float32).reshape(-1, 2):
            if max(row, col) >= 0:
                distance = (rows - row) ** 2 + (columns - col) ** 2
                found = torch.maximum(found, torch.exp(-distance / (2 * (breadth * max(height, width)) ** 2)))
        return found

    logits = 3 * (pictures[:, :3].mean(1) - 0.5) - 1.5
    if pictures.shape[1] > 3:
        logits = logits + 2 * (pictures[:, 3] - 0.5)
    return torch.stack(
        [logits[n] + 6 * hills(positives[n], 0.10) - 6 * hills(negatives[n], 0.06) for n in range(len(pictures))]
    )[:, None]


def upstream_settings(arguments: dict[str, Any]) -> dict[str, Any]:
    """What upstream's names for its settings mean here."""
    names = {"target_size": "target", "skip_clicks": "skip_clicks"}
    zoom: Zoom | None = Zoom()
    if "zoom" in arguments:
        said = arguments["zoom"]
        zoom = (
            None
            if said is None
            else Zoom(
                **{names[name]: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
            )
        )
    return {"zoom": zoom, "flip": arguments.get("flip", True), "click_limit": arguments.get("limit")}


def one_click_each(clicks: list[list[int]]) -> tuple[Clicks, Clicks]:
    pcs: Clicks = [[[(row, col)] if positive else []] for row, col, positive in clicks]
    ncs: Clicks = [[[] if positive else [(row, col)]] for row, col, positive in clicks]
    return pcs, ncs


def rois_of(z: dict[str, Any]) -> list[Box | None]:
    return read_boxes(z["roi"])


@pytest.fixture(scope="module")
def fixture(shared: Path) -> Any:
    return np.load(shared / "parity" / "stub_pipeline_ritm.npz")


def _cases() -> list[str]:
    settings = ("cvpr400", "davis600_noflip", "fixed448", "nozoom", "limit4")
    return [f"{image}_{which}_{name}" for image in ("sheep", "teddycrop") for which in (0, 1) for name in settings]


@pytest.mark.parametrize("key", _cases())
def test_regions_inputs_and_probabilities_are_upstreams(fixture: Any, shared: Path, key: str) -> None:
    case = next(c for c in json.loads(bytes(fixture["meta_json"]))["cases"] if c["key"] == key)
    image = to_tensor(fixture[f"image::{case['image']}"])[None]
    seen: list[Any] = []

    def watched(pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
        seen.append((tuple(pictures.shape), positives, negatives))
        return bumps(pictures, positives, negatives)

    model = ClickModel(watched, **upstream_settings(case["args"]))
    positions = runpy.run_path(str(shared / "parity" / "recipe.py"))["sample_positions"](*image.shape[-2:], 2400)
    z = model.init_z(image)
    pcs, ncs = one_click_each(case["clicks"])
    for k in range(len(case["clicks"])):
        y, z = model(image, z, pcs[: k + 1], ncs[: k + 1])
        roi = case["rois"][k]
        assert rois_of(z) == [None if roi is None else from_inclusive(roi)]
        shape, points = case["net_inputs"][k]
        assert seen[k][0] == tuple(shape)
        for n, of_picture in enumerate(points):
            half = len(of_picture) // 2
            for clicks, expected in ((seen[k][1][n], of_picture[:half]), (seen[k][2][n], of_picture[half:])):
                there = [point[:2] for point in expected if point[2] >= 0]
                assert torch.equal(torch.tensor(clicks).reshape(-1, 2), torch.tensor(there).reshape(-1, 2))
        ours = y.flatten()[torch.from_numpy(positions)].numpy()
        np.testing.assert_allclose(ours, fixture[f"probs::{key}"][k], rtol=0, atol=2e-5)


def painted(*size: int) -> Tensor:
    return torch.rand((3, *size), generator=torch.Generator().manual_seed(size[0]))


def test_an_object_that_vanishes_leaves_the_region_and_shows_the_whole_image() -> None:
    """Upstream's rule, quirk included: the answer for the whole image then lands in the region that is left."""
    image = painted(300, 300)[None]
    sizes: list[tuple[int, int]] = []
    answers = iter([torch.full((300, 300), -9.0), torch.full((400, 400), -9.0), torch.full((300, 300), 9.0)])

    def network(pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
        sizes.append(tuple(pictures.shape[-2:]))
        answer = next(answers)
        if len(sizes) == 1:
            answer[100:120, 100:120] = 9
        return answer.expand(len(pictures), 1, -1, -1)

    model = ClickModel(network, Zoom(), flip=False)
    z = model.init_z(image)
    pcs, ncs = one_click_each([[110, 110, 1], [105, 105, 0], [110, 112, 1]])
    for k in range(3):
        y, z = model(image, z, pcs[: k + 1], ncs[: k + 1])
    assert sizes == [(300, 300), (400, 400), (300, 300)]
    assert rois_of(z) == [(10, 211, 10, 211)]
    assert y[0, 0, 10:211, 10:211].min() > 0.99
    y[0, 0, 10:211, 10:211] = 0
    assert not y.any()


@given(
    seed=st.integers(0, 2**16),
    zoom=st.sampled_from([Zoom(), Zoom(300, -1), Zoom((64, 96), -1), None]),
    flip=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_sessions_in_one_call_do_not_see_each_other(seed: int, zoom: Zoom | None, flip: bool) -> None:
    rng = np.random.default_rng(seed)
    images = [painted(int(h), int(w)) for h, w in rng.integers(20, 120, (3, 2))]
    images[2] = images[2].new_zeros(images[0].shape)
    model = as_model(ClickModel(bumps, zoom, flip))

    def click(b: int) -> list[tuple[int, int]]:
        height, width = images[b].shape[-2:]
        return [(int(rng.integers(height)), int(rng.integers(width)))] if rng.random() < 0.7 else []

    pcs: Clicks = [[click(b) for b in range(3)] for _ in range(4)]
    ncs: Clicks = [[click(b) for b in range(3)] for _ in range(4)]
    together = model.init_z(images)
    apart = split(model.init_z(images))
    for k in range(1, 5):
        y, together = model(images, together, pcs[:k], ncs[:k])
        for b in range(3):
            mine = [[[step[b]] for step in clicks[:k]] for clicks in (pcs, ncs)]
            own, apart[b] = model(images[b][None], apart[b], *mine)
            torch.testing.assert_close(own[0], y[b], rtol=0, atol=1e-6)
        assert rois_of(stack(apart)) == rois_of(together)


def test_arguments_stay_as_they_were_and_no_click_is_no_answer() -> None:
    images = [painted(40, 60), painted(50, 30)]
    model = ClickModel(bumps, Zoom((32, 32), -1))
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
    assert rois_of(after) == [(0, 40, 0, 60), None]


def test_a_mask_to_start_from_is_read_by_the_network_and_not_by_the_zoom() -> None:
    image = painted(300, 300)[None]
    model = ClickModel(bumps, Zoom(), flip=False)
    z = model.init_z(image)
    mask = torch.zeros(1, 1, 300, 300)
    mask[:, :, 200:220, 200:220] = 1
    pcs: Clicks = [[[(20, 20), (30, 30)]]]  # two clicks at once: more than skip_clicks
    y, after = model(image, {**z, "prev_output": mask}, pcs, [[[]]])
    without, _ = model(image, z, pcs, [[[]]])
    assert rois_of(after) == [None]
    assert y[0, 0, 210, 210] > without[0, 0, 210, 210] + 0.1


def test_the_limit_counts_clicks_of_both_kinds_in_order() -> None:
    seen: list[Any] = []

    def network(pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
        seen.append((positives[0], negatives[0]))
        return pictures[:, :1]

    model = ClickModel(network, zoom=None, flip=False, click_limit=3)
    image = painted(20, 20)[None]
    pcs: Clicks = [[[(1, 1)]], [[]], [[(3, 3), (4, 4)]], [[(5, 5)]]]
    ncs: Clicks = [[[]], [[(2, 2)]], [[(6, 6)]], [[]]]
    model(image, model.init_z(image), pcs, ncs)
    assert seen == [([(1, 1), (3, 3)], [(2, 2)])]


def test_a_network_without_a_previous_mask_sees_three_channels_and_disks() -> None:
    seen: list[Tensor] = []

    def network(image: Tensor, maps: Tensor) -> Tensor:
        seen.extend((image, maps))
        return maps[:, :1] - maps[:, 1:2]

    model = ClickModel(OnDisks(network, radius=2), zoom=None, with_prev_mask=False)
    x = painted(30, 40)[None]
    y, _ = model(x, model.init_z(x), [[[(10, 10)]]], [[[(20, 30)]]])
    assert seen[0].shape == (2, 3, 30, 40)
    assert torch.equal(seen[0][1], x[0].flip(-1))
    assert seen[1].shape == (2, 2, 30, 40)
    assert seen[1].sum().item() == 4 * 13  # pixels within 2 of a pixel's centre
    assert torch.equal(seen[1][1], seen[1][0].flip(-1))
    assert y[0, 0, 10, 10] == torch.sigmoid(torch.tensor(1.0))
    assert y[0, 0, 20, 30] == torch.sigmoid(torch.tensor(-1.0))
