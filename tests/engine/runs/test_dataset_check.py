"""Looking at all samples before a run: every fault at once, by file name; and the fingerprint of the masks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import iiszoo.data.inspection
import iiszoo.data.read
from iiszoo.engine.runs.dataset_check import survey_for_run, verify
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry


def checked(folder, limit=None, skip_broken=False):
    return survey_for_run(load_dataset(folder), limit, skip_broken, lambda done, total: None)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "photos"


def test_a_sound_dataset_has_nothing_broken_and_one_fingerprint(photos):
    folder = photos(3, objects=2)
    found = checked(folder)
    assert (found.total, found.broken, len(found.fingerprint)) == (6, {}, 64)
    assert checked(folder).fingerprint == found.fingerprint


def test_progress_counts_samples(photos):
    told = []
    survey_for_run(load_dataset(photos(3)), None, False, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_fingerprint_changes_with_a_mask_and_with_a_name(photos, place):
    folder = photos(3)
    fingerprints = [checked(folder).fingerprint]
    mask = place / "masks" / "p1.png"
    pixels = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    pixels[0, 0] = 255
    cv2.imwrite(str(mask), pixels)
    fingerprints.append(checked(folder).fingerprint)
    for kind in ("images", "masks"):
        (place / kind / "p2.png").rename(place / kind / "q2.png")
    fingerprints.append(checked(folder).fingerprint)
    assert len(set(fingerprints)) == 3


def test_the_fingerprint_is_of_the_whole_dataset_whatever_the_limit(photos):
    folder = photos(4)
    assert checked(folder, limit=1).fingerprint == checked(folder).fingerprint


def test_the_fingerprint_does_not_depend_on_what_is_skipped(photos, place):
    folder = photos(3)
    (place / "images" / "p1.png").write_bytes(b"torn")
    first, all = checked(folder, limit=1), checked(folder, skip_broken=True)
    assert (list(first.broken), list(all.broken)) == ([], ["p1"])
    assert first.fingerprint == all.fingerprint


def test_every_image_is_hashed_and_decoded_once_for_all_its_samples(photos, monkeypatch):
    hashed, decoded = [], []
    sha256, read_image = iiszoo.data.inspection.sha256, iiszoo.data.read.read_image
    monkeypatch.setattr("iiszoo.data.inspection.sha256", lambda path: hashed.append(path.name) or sha256(path))
    monkeypatch.setattr("iiszoo.data.read.read_image", lambda path: decoded.append(path.name) or read_image(path))
    found = checked(photos(3, objects=2), limit=3)
    assert sorted(hashed) == ["p0.png", "p1.png", "p2.png"]
    assert sorted(decoded) == ["p0.png", "p1.png"]
    assert (found.groups, found.ids[2:4]) == ([[0, 1], [2, 3], [4, 5]], ["p1__0", "p1__1"])


def test_every_fault_is_named_at_once(photos, place):
    folder = photos(6)
    size = (40, 56)
    (place / "masks" / "p4.png").rename(place / "masks" / "stray.png")
    (place / "images" / "p0.png").write_bytes(b"torn")
    (place / "masks" / "p1.png").write_bytes(b"")
    cv2.imwrite(str(place / "masks" / "p2.png"), np.zeros(size, np.uint8))
    cv2.imwrite(str(place / "masks" / "p3.png"), np.full((41, 56), 255, np.uint8))
    with pytest.raises(DatasetError) as raised:
        checked(folder)
    first, *faults = str(raised.value).splitlines()
    assert "6 of 7 samples cannot be used" in first
    assert "--skip-broken" in first
    assert len(faults) == 6
    for fault, (name, cause) in zip(
        faults,
        [
            ("images/p0.png", "cannot be decoded"),
            ("masks/p1.png", "cannot be decoded"),
            ("masks/p2.png", "the target is empty"),
            ("masks/p3.png", "differ in size (rows x columns): 40x56 but 41x56"),
            ("images: image p4.png", "has no mask"),
            ("masks: mask stray.png", "has no image"),
        ],
        strict=True,
    ):
        assert name in fault
        assert cause in fault


def test_unpaired_files_can_be_left_out_and_are_counted(photos, place):
    folder = photos(4)
    (place / "masks" / "p0.png").rename(place / "masks" / "stray.png")
    found = checked(folder, skip_broken=True)
    assert (found.total, set(found.broken)) == (5, {"p0", "stray"})
    assert all("has no" in reason for reason in found.broken.values())


def test_differences_from_the_published_set_are_told(photos):
    card = replace(registry().datasets.resolve("grabcut"), n_samples=3, fingerprint=None)
    dataset = load_dataset(photos(3))
    fingerprint = checked(f"folder:{dataset.place}").fingerprint
    assert verify(dataset, card, lambda *_: None) == 3
    assert verify(dataset, replace(card, fingerprint=fingerprint), lambda *_: None) == 3
    assert verify(dataset, replace(card, n_samples=None), lambda *_: None) is None
    with pytest.raises(DatasetError, match=r"^3 samples instead of 4$"):
        verify(dataset, replace(card, n_samples=4), lambda *_: None)
    with pytest.raises(DatasetError, match=f"fingerprint is {fingerprint}, but .* is {'0' * 64}"):
        verify(dataset, replace(card, fingerprint="0" * 64), lambda *_: None)


def test_only_the_samples_that_are_wanted_must_be_sound(photos, place):
    folder = photos(3)
    (place / "images" / "p2.png").write_bytes(b"torn")
    assert checked(folder, limit=2).broken == {}
    assert set(checked(folder, skip_broken=True).broken) == {"p2"}


def test_a_dataset_in_which_nothing_is_sound_cannot_be_skipped(photos, place):
    folder = photos(2)
    for i in range(2):
        (place / "images" / f"p{i}.png").write_bytes(b"torn")
    with pytest.raises(DatasetError, match=r"2 of 2 samples cannot be used; fix them:"):
        checked(folder, skip_broken=True)
