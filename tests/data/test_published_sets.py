"""GrabCut and Berkeley: on tiny trees of their layouts, and as they were published where they are at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.builtin.downloads import ARCHIVES, FINGERPRINTS, complete
from iiszoo.data import roots
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.dataset_check import survey_for_run, verify
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


def test_grabcut_reads_object_and_ignored_band(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    values = np.where(object_mask, 255, 0).astype(np.uint8)
    values[:, 12:14] = 128
    save("data_GT/b.JPG")
    save("data_GT/a.bmp")
    save("boundary_GT/a.bmp", values)
    save("boundary_GT/b.png", np.dstack([values, 0 * values, 0 * values])[:, :, ::-1])  # blue alone
    dataset = load_dataset("grabcut", root=tmp_path)
    assert [sample.id for sample in dataset] == ["a", "b"]
    for i in range(2):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, object_mask & (values != 128))
        assert target.ignore is not None
        assert np.array_equal(target.ignore, values == 128)
        assert inspect(dataset[i]).fault is None


def test_grabcut_has_one_mask_an_image(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("data_GT/a.png")
    save("boundary_GT/a__1.png", object_mask)
    with pytest.raises(DatasetError, match=r"image a\.png has no mask\n.*mask a__1\.png has no image"):
        load_dataset("grabcut", root=tmp_path)


def test_berkeley_reads_the_blue_channel_from_128_on(save: Save, tmp_path: Path) -> None:
    mask = np.zeros((24, 32, 3), np.uint8)
    mask[0, :4, 2] = (127, 128, 197, 255)
    mask[1, :, 0] = mask[2, :, 1] = 255  # red and green do not count
    save("images/189011a.jpg")
    save("masks/189011a.png", mask)
    dataset = load_dataset("berkeley", root=tmp_path)
    target = dataset[0].read_target()
    assert dataset[0].id == "189011a"
    assert np.argwhere(target.object).tolist() == [[0, 1], [0, 2], [0, 3]]
    assert target.ignore is None


@pytest.mark.parametrize(("id", "n_samples", "n_ignoring"), [("grabcut", 50, 42), ("berkeley", 100, 0)])
def test_the_published_set_is_complete_and_sound(id: str, n_samples: int, n_ignoring: int, shared: Path) -> None:
    dataset = load_dataset(id, root=shared / "data")
    ids = [sample.id for sample in dataset]
    assert len(set(ids)) == len(dataset) == n_samples == registry().datasets.resolve(id).n_samples
    assert ids == sorted(ids)
    assert list(dataset.check_files()) == []
    assert len(by_image(dataset)) == n_samples
    inspections = [inspect(dataset[i]) for i in range(n_samples)]
    assert [inspection.fault for inspection in inspections if inspection.fault] == []
    assert len({inspection.target for inspection in inspections}) == n_samples
    ignores = [sample.read_target().ignore for sample in dataset]
    ignoring = sum(ignore is not None and bool(ignore.any()) for ignore in ignores)
    assert ignoring == n_ignoring


@pytest.mark.parametrize("id", ["grabcut", "berkeley"])
def test_the_copy_at_hand_is_the_published_one(id: str, shared: Path) -> None:
    """Every file by the manifest beside it, and all masks together by the fingerprint of the card."""
    place = shared / "data" / id
    manifest = dict(line.split("  ")[::-1] for line in (place / "MANIFEST.sha256").read_text().splitlines())
    for name, sha256 in manifest.items():
        assert hashlib.sha256((place / name).read_bytes()).hexdigest() == sha256, name
    pictures = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.parent != place}
    assert {path for path in pictures if (place / path).is_file()} <= set(manifest)
    card, dataset = complete(registry().datasets.resolve(id)), load_dataset(id, root=shared / "data")
    found = survey_for_run(dataset, None, False, lambda *_: None)
    assert (found.total, found.fingerprint) == (card.n_samples, card.fingerprint)
    assert verify(dataset, card, lambda *_: None) == card.n_samples


def test_another_copy_is_told_from_the_published_one(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("data_GT/a.png")
    save("boundary_GT/a.png", object_mask)
    card = complete(registry().datasets.resolve("grabcut"))
    with pytest.raises(DatasetError, match="1 sample instead of 50; the fingerprint is"):
        verify(load_dataset("grabcut", root=tmp_path), card, lambda *_: None)


def test_what_is_known_of_downloads_is_of_datasets_that_there_are() -> None:
    cards = registry().datasets.cards()
    assert set(ARCHIVES) <= {card.root_id for card in cards}
    assert set(FINGERPRINTS) <= {card.id for card in cards}
    for card in cards:
        completed = complete(card)
        assert completed.archives == ARCHIVES.get(card.root_id, ())
        assert not (completed.archives and (card.embedded or card.takes_argument))
        assert all(archive.urls for archive in completed.archives)


def test_sets_that_share_a_directory_find_it_under_the_name_of_either(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "cache"))
    for folder in ("img", "inst"):
        (tmp_path / "cache" / "data" / "sbd" / folder).mkdir(parents=True)
    place = tmp_path / "cache" / "data" / "sbd"
    card = registry().datasets.resolve("sbd-train")
    assert roots.find(card, None, "img", "inst") == roots.cached(card) == place
    elsewhere = place.rename(tmp_path / "elsewhere")
    roots.register(registry().datasets.resolve("sbd"), elsewhere)
    assert roots.find(card, None, "img", "inst") == elsewhere
    assert roots.find(card, elsewhere, "img") == elsewhere
