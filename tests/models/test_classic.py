"""The weight-free models: the standard format's contract, and that clicks do what they say."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra, maximum_flow

from iiszoo.builtin.models import MODELS
from iiszoo.errors import BadOption
from iiszoo.models.classic.elementwise import ElementwiseModel, element_clicks
from iiszoo.models.classic.geocut import load_geocut
from iiszoo.models.classic.geodesic import geodesic_distance, step_costs
from iiszoo.models.classic.grabcut import load_grabcut
from iiszoo.models.classic.mincut import min_cut
from iiszoo.models.classic.random_walker import load_random_walker
from iiszoo.protocol import check_output

LOADERS = {"geocut": load_geocut, "grabcut": load_grabcut, "random-walker": load_random_walker}
CARDS = {card.id.partition("/")[2]: card for card in MODELS}


@pytest.fixture(params=list(LOADERS))
def model(request: pytest.FixtureRequest) -> ElementwiseModel:
    return LOADERS[request.param](CARDS[request.param], device="cpu")


def disc_image(
    height: int = 60, width: int = 80, row: int = 30, col: int = 35, radius: int = 15
) -> tuple[torch.Tensor, torch.Tensor]:
    """An orange disc on a bluish, slightly noisy ground: x (3, H, W) and its mask, bool (H, W)."""
    rows, cols = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    mask = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    image = torch.where(
        mask, torch.tensor([0.9, 0.5, 0.1])[:, None, None], torch.tensor([0.2, 0.3, 0.6])[:, None, None]
    )
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    return (image + noise).clamp(0, 1), mask


def iou(y: torch.Tensor, mask: torch.Tensor) -> float:
    found = y.reshape(mask.shape) > 0.5
    return float((found & mask).sum() / (found | mask).sum())


def same(a: Any, b: Any) -> bool:
    """Deep equality of states: tensors, arrays, lists, dicts, dataclasses."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    if hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return bool(a == b)


def test_a_positive_click_finds_the_disc(model: ElementwiseModel) -> None:
    image, mask = disc_image()
    x = image[None]
    y, z = model(x, model.init_z(x), [[[(30, 35)]]], [[[]]])
    check_output(y, x, "classic")
    assert iou(y, mask) > 0.8
    assert torch.equal(y, z["prev_output"])


def test_a_negative_click_removes_and_a_positive_click_adds(model: ElementwiseModel) -> None:
    image, left = disc_image(60, 120, 30, 30, 15)
    other, right = disc_image(60, 120, 30, 85, 15)
    x = torch.where(right, other, image)[None]
    z = model.init_z(x)
    pcs, ncs = [[[(30, 30)]], [[(30, 85)]]], [[[]], [[]]]
    both, z = model(x, *_first(model, x, z, pcs, ncs), pcs, ncs)
    assert iou(both, left | right) > 0.8
    pcs, ncs = [*pcs, [[]]], [*ncs, [[(30, 85)]]]
    # The second click is taken back: its pixel now holds a negative click, and the second disc has to go.
    one, z = model(x, z, pcs, ncs)
    assert iou(one, left) > 0.8


def _first(model: ElementwiseModel, x: Any, z: Any, pcs: Any, ncs: Any) -> tuple[Any]:
    return (model(x, z, pcs[:1], ncs[:1])[1],)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (17, 400), (1200, 30), (41, 37)])
def test_odd_sizes(model: ElementwiseModel, shape: tuple[int, int]) -> None:
    height, width = shape
    x = torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(1))
    z = model.init_z(x)
    assert z["prev_output"].shape == (1, 1, height, width)
    assert not z["prev_output"].any()
    pcs: list[Any] = [[[(0, 0)]], [[(height - 1, width - 1), (height // 2, width // 2)]]]
    ncs: list[Any] = [[[]], [[(0, width - 1), (height - 1, 0)]]]
    for k in range(2):
        y, z = model(x, z, pcs[: k + 1], ncs[: k + 1])
        check_output(y, x, "classic")


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_flat_image(model: ElementwiseModel, value: float) -> None:
    x = torch.full((1, 3, 30, 40), value)
    y, _ = model(x, model.init_z(x), [[[(15, 20)]]], [[[(2, 2)]]])
    check_output(y, x, "classic")
    assert y[0, 0, 15, 20] > 0.5
    assert y[0, 0, 2, 2] < 0.5


def test_no_click_keeps_the_previous_output(model: ElementwiseModel) -> None:
    image, mask = disc_image()
    x = image[None]
    z = model.init_z(x)
    for pcs, ncs in (([], []), ([[[]]], [[[]]])):
        y, _ = model(x, z, pcs, ncs)
        assert not y.any()
        y, _ = model(x, {**z, "prev_output": mask[None, None].float()}, pcs, ncs)
        assert torch.equal(y, mask[None, None].float())


def test_only_negative_clicks_find_nothing(model: ElementwiseModel) -> None:
    image, _ = disc_image()
    x = image[None]
    y, _ = model(x, model.init_z(x), [[[]]], [[[(5, 5)]]])
    check_output(y, x, "classic")
    assert y[0, 0, 5, 5] < 0.5


def test_repeated_and_contradicting_clicks(model: ElementwiseModel) -> None:
    image, _ = disc_image()
    x = image[None]
    y, z = model(x, model.init_z(x), [[[(30, 35), (30, 35)]]], [[[]]])
    once, _ = model(x, model.init_z(x), [[[(30, 35)]]], [[[]]])
    assert torch.equal(y, once)
    y, _ = model(x, z, [[[(30, 35)]], [[]]], [[[]], [[(30, 35)]]])
    check_output(y, x, "classic")
    assert y[0, 0, 30, 35] < 0.5  # the later click holds
    y, _ = model(x, model.init_z(x), [[[(30, 35)]]], [[[(30, 35)]]])
    check_output(y, x, "classic")


def test_a_hundred_clicks_and_clicks_on_the_border(model: ElementwiseModel) -> None:
    image, mask = disc_image()
    x = image[None]
    rng = np.random.default_rng(0)
    points = [(int(rng.integers(60)), int(rng.integers(80))) for _ in range(100)]
    points += [(0, 0), (59, 79), (0, 40), (59, 40), (30, 0), (30, 79)]
    pcs = [[[point for point in points if mask[point]]]]
    ncs = [[[point for point in points if not mask[point]]]]
    y, _ = model(x, model.init_z(x), pcs, ncs)
    assert iou(y, mask) > 0.8
    assert all((y[0, 0][point] > 0.5) == mask[point] for point in points)


def test_pure(model: ElementwiseModel) -> None:
    image, _ = disc_image()
    x = image[None]
    z = model.init_z(x)
    _, z = model(x, z, [[[(30, 35)]]], [[[]]])
    pcs, ncs = [[[(30, 35)]], [[]]], [[[]], [[(5, 5)]]]
    before = copy.deepcopy((x, z, pcs, ncs))
    y, new = model(x, z, pcs, ncs)
    kept = y.clone()
    assert new is not z
    assert same(before, (x, z, pcs, ncs))
    y.zero_()  # the caller's to change
    assert torch.equal(new["prev_output"], kept)
    again, _ = model(x, z, pcs, ncs)
    assert torch.equal(again, kept)


def test_a_result_does_not_depend_on_its_neighbours(model: ElementwiseModel) -> None:
    one, _ = disc_image()
    two = torch.rand(one.shape, generator=torch.Generator().manual_seed(2))
    x = torch.stack([two, one])
    z = model.init_z(x)
    alone = model.init_z(x[1:])
    pcs: list[Any] = [[[(3, 3)], [(30, 35)]], [[(50, 50)], []]]
    ncs: list[Any] = [[[], []], [[], [(10, 10)]]]
    for k in (1, 2):
        y, z = model(x, z, pcs[:k], ncs[:k])
        single, alone = model(x[1:], alone, [i[1:] for i in pcs[:k]], [i[1:] for i in ncs[:k]])
        assert torch.equal(y[1:], single)
    assert all(len(value) == 2 for value in z.values())


def test_a_list_of_images_of_any_size(model: ElementwiseModel) -> None:
    one, _ = disc_image()
    two, _ = disc_image(50, 33, 25, 16, 9)
    x = [one, two]
    z = model.init_z(x)
    pcs, ncs = [[[(30, 35)], [(25, 16)]]], [[[], []]]
    y, z = model(x, z, pcs, ncs)
    assert [tuple(output.shape) for output in y] == [(1, 60, 80), (1, 50, 33)]
    for k in range(2):
        single, _ = model(x[k][None], model.init_z(x[k][None]), [[pcs[0][k : k + 1][0]]], [[[]]])
        assert torch.equal(single[0], y[k])
        assert torch.equal(z["prev_output"][k], y[k])


def test_an_empty_batch(model: ElementwiseModel) -> None:
    x = torch.zeros((0, 3, 8, 9))
    y, z = model(x, model.init_z(x), [[]], [[]])
    assert y.shape == (0, 1, 8, 9)
    assert len(z["prepared"]) == 0


def test_interleaved_sessions_and_threads(model: ElementwiseModel) -> None:
    image, _ = disc_image()
    x = image[None]
    z = model.init_z(x)
    expected = [model(x, z, [[[(30, 35 + k)]]], [[[]]])[0] for k in range(4)]
    found: dict[int, torch.Tensor] = {}

    def work(k: int) -> None:
        found[k] = model(x, z, [[[(30, 35 + k)]]], [[[]]])[0]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[k], expected[k]) for k in range(4))


def test_a_given_mask_is_corrected_not_forgotten() -> None:
    # Only geocut: the discs share their colour, so grabcut's colour models cannot tell them apart, and the random
    # walker's card says that it starts from clicks alone.
    image, left = disc_image(60, 120, 30, 30, 15)
    other, right = disc_image(60, 120, 30, 85, 15)
    x = torch.where(right, other, image)[None]
    model = load_geocut(CARDS["geocut"], device="cpu")
    z = {**model.init_z(x), "prev_output": (left | right)[None, None].float()}
    y, _ = model(x, z, [[[]]], [[[(30, 85)]]])
    assert iou(y, left) > 0.8


@pytest.mark.parametrize("name", list(LOADERS))
def test_what_a_loader_refuses(name: str) -> None:
    with pytest.raises(BadOption, match=f"model classic/{name} has no weights, so it takes no checkpoint; leave"):
        LOADERS[name](CARDS[name], device="cpu", checkpoint=Path("weights.pth"))


def test_clicks_beyond_the_image_move_to_its_nearest_pixel() -> None:
    clicks = element_clicks([[[(-3, 99)]], [[(2.4, 2.6)]]], [[[]], [[]]], 0, 10, 20)
    assert clicks.points.tolist() == [[0, 19], [2, 3]]
    assert clicks.newest.tolist() == [False, True]


def links(shape: tuple[int, int], steps: list[tuple[int, int]]) -> list[tuple[int, int, int, int, int]]:
    """(row, col, k, pixel, neighbour) of all pairs `steps[k]` apart on a grid; pixels are numbered in raster order."""
    height, width = shape
    return [
        (r, c, k, r * width + c, (r + dr) * width + c + dc)
        for r in range(height)
        for c in range(width)
        for k, (dr, dc) in enumerate(steps)
        if 0 <= r + dr < height and 0 <= c + dc < width
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_cut_is_as_cheap_as_scipys_flow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (9, 11)
    unary = (rng.integers(-40, 41, shape) / 8).astype(np.float32)  # eighths: exact in thousandths
    weights = (rng.integers(0, 25, (*shape, 4)) / 8).astype(np.float32)
    pairs = links(shape, [(0, 1), (1, -1), (1, 0), (1, 1)])
    n = unary.size
    mask = min_cut(unary, weights, np.zeros(shape, np.int8)).ravel()
    cost = unary.clip(0).sum() - unary.ravel()[mask].sum()
    cost += sum(weights[r, c, k] for r, c, k, i, j in pairs if mask[i] != mask[j])
    edges = [(i, j, weights[r, c, k]) for r, c, k, i, j in pairs]
    edges += [(j, i, weight) for i, j, weight in edges]
    edges += [(n, i, value) if value > 0 else (i, n + 1, -value) for i, value in enumerate(unary.ravel())]
    start, end, capacity = (np.array(column) for column in zip(*edges, strict=True))
    graph = coo_array(((capacity * 8).astype(np.int32), (start, end)), shape=(n + 2, n + 2)).tocsr()
    assert cost == pytest.approx(maximum_flow(graph, n, n + 1).flow_value / 8)


def test_the_geodesic_distance_is_dijkstras() -> None:
    rng = np.random.default_rng(0)
    shape = (13, 17)
    costs = step_costs(rng.random((*shape, 3), np.float32) * 50, 0.5)
    seeds = np.zeros(shape, bool)
    seeds[2, 3] = seeds[12, 16] = True
    pairs = links(shape, [(-1, -1), (-1, 0), (-1, 1), (0, -1)])
    i, j = np.array([pair[3:] for pair in pairs]).T
    graph = coo_array(([costs[r + 1, c + 1, k] for r, c, k, _, _ in pairs], (i, j)), shape=(seeds.size, seeds.size))
    expected = dijkstra(graph.tocsr(), directed=False, indices=np.flatnonzero(seeds), min_only=True)
    np.testing.assert_allclose(geodesic_distance(seeds, costs).ravel(), expected, rtol=1e-5)


def test_the_packages_import_neither_torch_nor_numpy() -> None:
    code = "import sys, iiszoo.models.classic; sys.exit(bool({'torch', 'numpy', 'cv2'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
