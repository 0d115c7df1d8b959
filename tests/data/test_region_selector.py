"""Region selectors: which regions there are to choose from, and that each choice is as likely as its rule says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from iiszoo.data import region_selector, seg_dataset
from iiszoo.data.region_selector import (
    all_regions,
    first,
    largest,
    random_class,
    random_connected,
    random_merge,
    random_single,
    random_stuff_background,
)
from iiszoo.errors import DatasetError

Pixels = frozenset[tuple[int, int]]
DRAWS = 3000

# Sizes differ widely, so that no rule that goes by pixels passes for one that goes by objects.
LAYERS = [
    [
        "1111111110",
        "1111111110",
        "0000000000",
        "2002003300",
        "0000003300",
        "-------000",
    ],
    [
        "0000000000",
        "0000000000",
        "0000000000",
        "0000000000",
        "0000000001",
        "0-00000000",
    ],
]
MASKS = np.array([[[-1 if c == "-" else int(c) for c in row] for row in layer] for layer in LAYERS]).transpose(1, 2, 0)
OBJECTS = {(0, 1): 18, (0, 2): 2, (0, 3): 4, (1, 1): 1}


def pixels_of(mask: Any) -> Pixels:
    return frozenset(map(tuple, np.argwhere(mask).tolist()))


def object_(layer: int, value: int) -> Pixels:
    return pixels_of(MASKS[:, :, layer] == value)


BACKGROUND = pixels_of((MASKS == 0).all(axis=2))
CLASSES = {(0, 1): "cat", (0, 2): "cat", (0, 3): "cat", (1, 1): 7, (0, 9): "a class of no object"}


def draws(selector: Callable[..., Any], masks: Any = MASKS, info: Any = None, n: int = DRAWS) -> Counter[Pixels]:
    rng = np.random.default_rng(5)
    return Counter(pixels_of(selector(masks, info or {}, rng)) for _ in range(n))


def assert_shares(found: Counter[Pixels], expected: dict[Pixels, float]) -> None:
    """Each region turns up as often as its probability says, within five standard deviations; and no other does."""
    assert set(found) == set(expected)
    n = found.total()
    for region, share in expected.items():
        assert abs(found[region] - n * share) <= 5 * math.sqrt(n * share * (1 - share)) + 1e-9, sorted(region)


def equally(*regions: Pixels) -> dict[Pixels, float]:
    return dict.fromkeys(regions, 1 / len(regions))


def test_first_is_value_1_of_layer_0() -> None:
    assert_shares(draws(first, n=5), {object_(0, 1): 1})
    assert first(np.where(MASKS == 1, 0, MASKS), {}, np.random.default_rng(0)) is None


def test_largest_has_the_most_pixels_and_of_equals_is_the_first() -> None:
    assert_shares(draws(largest, n=5), {object_(0, 1): 1})
    equals = np.zeros((3, 4, 2), np.uint8)
    equals[0, :2, 1], equals[1, :2, 0], equals[2, :2, 0] = 1, 9, 4
    assert pixels_of(largest(equals, {}, np.random.default_rng(0))) == {(2, 0), (2, 1)}


def test_random_single_is_uniform_over_the_objects_of_all_layers() -> None:
    assert_shares(draws(random_single), equally(*(object_(*region) for region in OBJECTS)))


def test_random_single_takes_the_background_when_asked_as_one_region_more() -> None:
    found = draws(partial(random_single, background=True))
    assert_shares(found, equally(BACKGROUND, *(object_(*region) for region in OBJECTS)))
    assert (5, 8) in BACKGROUND
    assert (5, 1) not in BACKGROUND, "it is ignored in both layers"
    assert (5, 2) not in BACKGROUND, "it is ignored in one layer"


def test_random_class_is_uniform_over_the_classes_and_takes_all_objects_of_one() -> None:
    cats = object_(0, 1) | object_(0, 2) | object_(0, 3)
    assert_shares(draws(random_class, info={"classes": CLASSES}), equally(cats, object_(1, 1)))


def test_random_class_leaves_out_what_has_no_class_and_counts_the_pixels_of_the_class() -> None:
    info = {"classes": {(0, 2): "cat", (0, 3): "cat", (1, 1): 7}}
    assert_shares(draws(partial(random_class, min_area=6), info=info, n=50), {object_(0, 2) | object_(0, 3): 1})
    assert random_class(MASKS, info, np.random.default_rng(0), min_area=7) is None
    assert random_class(MASKS, {"classes": {}}, np.random.default_rng(0)) is None


def test_random_class_without_classes_says_what_it_needs() -> None:
    with pytest.raises(DatasetError, match=r'random_class needs info\["classes"\], .* another region selector'):
        random_class(MASKS, {"stuff": {(0, 1)}}, np.random.default_rng(0))


def test_random_connected_draws_an_object_and_then_one_of_its_components() -> None:
    found = draws(random_connected)
    halves = [frozenset({(3, 0)}), frozenset({(3, 3)})]
    whole = [object_(0, 1), object_(0, 3), object_(1, 1)]
    assert_shares(found, {**dict.fromkeys(whole, 1 / 4), **dict.fromkeys(halves, 1 / 8)})


def test_random_connected_knows_only_components_that_are_large_enough() -> None:
    masks = np.zeros((6, 12, 1), np.uint8)
    masks[0, [0, 2, 4, 6], 0] = 1  # four components of one pixel
    masks[2, :3, 0] = masks[2, 5:9, 0] = masks[2, 11, 0] = 2  # of three, four and one
    masks[4, :3, 0] = 3
    found = draws(partial(random_connected, min_area=3), masks)
    rows = {k: pixels_of(masks[:, :, 0] == k) for k in (2, 3)}
    left = frozenset(p for p in rows[2] if p[1] < 3)
    middle = frozenset(p for p in rows[2] if 3 < p[1] < 10)
    assert_shares(found, {left: 1 / 4, middle: 1 / 4, rows[3]: 1 / 2})


def test_components_are_8_connected() -> None:
    masks = np.eye(4, dtype=np.uint8)[:, :, None]
    assert_shares(draws(random_connected, masks, n=5), {pixels_of(masks[:, :, 0]): 1})


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_random_merge_is_uniform_over_sets_of_n_objects(n: int) -> None:
    sets = [frozenset().union(*(object_(*region) for region in chosen)) for chosen in combinations(OBJECTS, n)]
    assert_shares(draws(partial(random_merge, n=n)), equally(*sets))


def test_random_merge_needs_n_objects_that_are_large_enough() -> None:
    rng = np.random.default_rng(0)
    assert random_merge(MASKS, {}, rng, n=5) is None
    assert random_merge(MASKS, {}, rng, n=3, min_area=3) is None
    assert pixels_of(random_merge(MASKS, {}, rng, n=2, min_area=3)) == object_(0, 1) | object_(0, 3)


def test_random_stuff_background_is_uniform_over_stuff_and_the_background() -> None:
    stuff = {(0, 3), (1, 1), (0, 8)}
    found = draws(random_stuff_background, info={"stuff": stuff})
    assert_shares(found, equally(object_(0, 3), object_(1, 1), BACKGROUND))
    assert_shares(draws(random_stuff_background, info={"stuff": sorted(stuff)}, n=300), dict.fromkeys(found, 1 / 3))
    assert_shares(draws(random_stuff_background, n=5), {BACKGROUND: 1})
    assert random_stuff_background(np.ones_like(MASKS), {}, np.random.default_rng(0)) is None


def test_all_regions_is_what_a_dataset_with_full_masks_enumerates() -> None:
    assert all_regions is seg_dataset.regions_in
    assert all_regions(MASKS) == list(OBJECTS)
    assert all_regions(MASKS, min_area=4) == [(0, 1), (0, 3)]


SELECTORS = {
    "first": first,
    "largest": largest,
    "random_single": random_single,
    "random_single with background": partial(random_single, background=True),
    "random_class": random_class,
    "random_connected": random_connected,
    "random_merge": random_merge,
    "random_merge of 1": partial(random_merge, n=1),
    "random_stuff_background": random_stuff_background,
}


def exists(name: str, masks: Any, info: dict[str, Any], min_area: int) -> bool:
    """Whether there is a region for this selector, by plain counting."""
    layers = range(masks.shape[2])
    regions = {(k, v): masks[:, :, k] == v for k in layers for v in range(1, 4) if (masks[:, :, k] == v).any()}
    large = {region: mask for region, mask in regions.items() if mask.sum() >= min_area}
    background = (masks == 0).all(axis=2)
    behind = background.any() and background.sum() >= min_area
    if name == "first":
        return (0, 1) in large
    if name == "random_class":
        by_class = [
            np.any([mask for region, mask in regions.items() if info["classes"].get(region) == k], axis=0)
            for k in {info["classes"][region] for region in regions if region in info["classes"]}
        ]
        return any(mask.sum() >= min_area for mask in by_class)
    if name == "random_connected":
        labelled = [ndimage.label(mask, np.ones((3, 3)))[0] for mask in large.values()]
        return any((labels == k).sum() >= min_area for labels in labelled for k in range(1, labels.max() + 1))
    if name == "random_stuff_background":
        return bool(behind or set(large) & info["stuff"])
    if name == "random_single with background":
        return bool(behind or large)
    return len(large) >= (2 if name == "random_merge" else 1)


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(SELECTORS)),
    masks=arrays.arrays(np.int16, sizes, elements=st.integers(-1, 3)),
    min_area=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_a_region_is_bool_large_enough_never_ignored_and_there_if_it_exists(
    name: str, masks: Any, min_area: int, seed: int
) -> None:
    info = {"classes": {(0, 1): "a", (0, 2): "b", (1, 1): "a", (2, 3): "c"}, "stuff": {(0, 2), (1, 3)}}
    given = masks.copy()
    region = SELECTORS[name](masks, info, np.random.default_rng(seed), min_area=min_area)
    assert np.array_equal(masks, given), "the full masks stay as they are"
    assert (region is not None) == exists(name, masks, info, min_area)
    if region is not None:
        assert (region.dtype, region.shape) == (np.bool_, masks.shape[:2])
        assert region.sum() >= max(min_area, 1)
        assert not np.shares_memory(region, masks)
        assert not region[(masks < 0).all(axis=2)].any()
    again = SELECTORS[name](masks, info, np.random.default_rng(seed), min_area=min_area)
    assert (again is None and region is None) or np.array_equal(again, region), "one seed, one region"


def test_every_public_selector_is_tested_here() -> None:
    tested = {name.split()[0] for name in SELECTORS} | {"all_regions", "RegionSelector"}
    assert set(region_selector.__all__) == tested
