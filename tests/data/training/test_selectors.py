"""The target of a scene as RITM draws it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from iiszoo.data.seg_dataset import Region, SegDataset
from iiszoo.data.training.image_scores import chances
from iiszoo.data.training.selectors import Chosen, random_roots
from iiszoo.data.training.source import Source
from iiszoo.errors import DatasetError


@pytest.fixture
def scene():
    """Two roots, of which the second has a large and a small part; a small object."""
    masks = np.zeros((60, 80, 2), np.uint8)
    masks[5:25, 5:25, 0] = 1
    masks[30:58, 5:60, 0] = 2
    masks[32:52, 8:28, 1] = 3
    masks[40:43, 50:53, 1] = 4
    masks[5:8, 70:74, 0] = 5
    parents = {Region(1, 3): Region(0, 2), Region(1, 4): Region(0, 2)}
    return masks, {"parents": parents}


def _areas(scene, n=300, **options):
    rng = np.random.default_rng(0)
    return [{int(part.sum()) for part in random_roots(*scene, rng, **options).parts} for _ in range(n)]


def test_parts_of_objects_are_no_targets(scene):
    assert {frozenset(areas) for areas in _areas(scene, merge=0.0)} == {
        frozenset([400]), frozenset([28 * 55]), frozenset([12]),
    }  # fmt: skip
    assert {frozenset(areas) for areas in _areas(scene, merge=0.0, min_area=100)} == {
        frozenset([400]), frozenset([28 * 55]),
    }  # fmt: skip


def test_a_part_is_a_root_where_its_whole_is_too_small(scene):
    masks, info = scene
    masks[30:58, :, 0] = 0
    masks[30, 5:60, 0] = 2
    found = _areas((masks, info), merge=0.0, min_area=100)
    assert {frozenset(areas) for areas in found} == {frozenset([400])}, "both squares have 400 pixels"
    rng = np.random.default_rng(0)
    chosen = [random_roots(masks, info, rng, merge=0.0, min_area=100).target for _ in range(40)]
    assert {bool(target[40, 20]) for target in chosen} == {True, False}


def test_two_roots_are_joined_with_the_probability_of_merge(scene):
    joined = np.mean([len(areas) == 2 for areas in _areas(scene, 1200, merge=0.15, min_area=100)])
    assert abs(joined - 0.15) < 0.04


def test_others_are_all_other_objects_unless_there_is_no_other_large_one(scene):
    masks, info = scene
    found = random_roots(masks, info, np.random.default_rng(0), merge=0.0, min_area=100)
    assert (found.others == ((masks > 0).any(2) & ~found.target)).all()
    masks[30:] = 0
    found = random_roots(masks, info, np.random.default_rng(0), merge=0.0, min_area=100)
    assert found.target.sum() == 400
    assert found.others is None
    masks[:28, :28] = 0
    found = random_roots(masks, info, np.random.default_rng(0), min_area=100)
    assert found.parts == []
    assert found.target is None
    assert found.others.sum() == 12


def test_parents_in_a_circle_end(scene):
    masks, info = scene
    info["parents"] = {Region(0, 1): Region(0, 2), Region(0, 2): Region(0, 1)}
    assert _areas((masks, info), n=5, merge=0.0, min_area=30)


class _Three(SegDataset):
    def __len__(self):
        return 3

    def image_id(self, i):
        return f"p{i}"

    def get_sample(self, i):
        return np.full((4, 4, 3), i, np.uint8), np.ones((4, 4, 1), np.uint8), {}


def test_images_are_drawn_by_their_scores(tmp_path):
    file = tmp_path / "scores.pkl"
    file.write_bytes(pickle.dumps([(0, "p2", np.float32(0.0)), (1, "p0", np.float32(0.75)), (2, "elsewhere", 0.5)]))
    found = chances(file, _Three(), 0.5)
    assert found.tolist() == [0.5, 0.0, 1.0]
    source = Source(_Three(), [(1.0, random_roots)], range(3), chances=found)
    rng = np.random.default_rng(0)
    drawn = np.bincount([source.sample(rng).image[0, 0, 0] for _ in range(3000)], minlength=3) / 3000
    assert np.abs(drawn - [1 / 3, 0, 2 / 3]).max() < 0.03
    held = Source(_Three(), [(1.0, random_roots)], [0, 1], chances=found)
    assert {int(held.sample(rng).image[0, 0, 0]) for _ in range(50)} == {0}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([(0, "p0")], "must be a list of"),
        ([(0, "p0", 1.5)], "its scores must lie between 0 and 1"),
        ([(0, "q0", 0.5)], "scores no image"),
    ],
)
def test_a_file_without_scores_is_named(tmp_path, content, said):
    file = tmp_path / "scores.pkl"
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(DatasetError, match=f"scores.pkl: {said}"):
        chances(file, _Three())


def test_a_plain_selector_gives_one_part():
    def first(masks, info, rng):
        return masks[..., 0] == 1

    sample = _Three()[0]
    chosen = Source(_Three(), [(1.0, first)], range(3)).chosen(sample, np.random.default_rng(0))
    assert isinstance(chosen, Chosen)
    assert chosen.target.all()
    assert not chosen.others.any()
