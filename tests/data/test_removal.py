"""Removing a dataset: only what was fetched is deleted, and half of it is never taken for the dataset."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iiszoo.cards import Archive
from iiszoo.data import removal, roots
from iiszoo.data.removal import remove
from iiszoo.errors import DatasetError
from iiszoo.registry import registry


@pytest.fixture
def card() -> Any:
    return registry().datasets.resolve("berkeley")


@pytest.fixture
def fetched(card: Any) -> Path:
    """A copy in the cache."""
    place = roots.cached(card)
    for folder in ("images", "masks"):
        (place / folder).mkdir(parents=True)
        (place / folder / "1.png").write_bytes(b"12345")
    return place


def test_the_cache_is_emptied_of_it(card: Any, fetched: Path) -> None:
    other = fetched.with_name("grabcut")
    other.mkdir()
    done = remove(card)
    assert (done.deleted, done.bytes, done.forgotten, done.left) == ([fetched], 10, [], [])
    assert sorted(path.name for path in fetched.parent.iterdir()) == [".berkeley.lock", "grabcut"]


def test_all_that_a_fetch_left_of_archives_goes(card: Any) -> None:
    fetchable = replace(card, archives=(Archive("B.zip", ("https://b.invalid/B.zip",)),))
    shelf = Path(os.environ["IISZOO_CACHE"]) / "archives" / "berkeley"
    shelf.mkdir(parents=True)
    for name in ("B.zip", "B.zip.part", "B.zip.set-aside"):
        (shelf / name).write_bytes(b"123")
    done = remove(fetchable)
    assert ({path.name for path in done.deleted}, done.bytes) == ({"B.zip", "B.zip.part", "B.zip.set-aside"}, 9)
    assert not [path for path in shelf.iterdir() if path.suffix != ".lock"]


def test_an_interrupted_removal_leaves_no_dataset_and_the_next_one_ends_it(
    card: Any, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(place: Path) -> None:
        (place / "images" / "1.png").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(removal.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove(card)
    assert not fetched.exists()
    with pytest.raises(roots.NotFound):
        roots.find(card, None, "images", "masks")
    half = fetched.with_name(".berkeley.removing")
    assert (half / "masks" / "1.png").is_file()
    done = remove(card)
    assert (done.deleted, done.bytes) == ([half], 5)
    assert not half.exists()


def test_a_disk_that_fails_is_one_sentence(card: Any, fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*paths: Any) -> None:
        raise PermissionError(13, "Permission denied", str(fetched))

    monkeypatch.setattr(removal.os, "replace", fail)
    with pytest.raises(
        DatasetError, match=f"dataset berkeley cannot be removed: {fetched}: Permission denied; get write"
    ):
        remove(card)
    assert (fetched / "images" / "1.png").is_file()


@pytest.mark.parametrize("inner", ["", "images"])
@pytest.mark.parametrize("whose", ["berkeley", "grabcut"])
def test_a_registered_directory_in_the_cache_is_forgotten_and_stays(
    inner: str, whose: str, card: Any, fetched: Path
) -> None:
    roots.register(registry().datasets.resolve(whose), fetched / inner)
    if whose == "grabcut":
        with pytest.raises(DatasetError, match=f"there is nothing to remove; it is read from {fetched}, which is not"):
            remove(card)
    else:
        done = remove(card)
        assert (done.forgotten, done.deleted, done.left) == ([fetched / inner], [], [fetched])
    assert (fetched / "images" / "1.png").is_file()
    if whose == "berkeley":
        assert remove(card).deleted == [fetched]


def test_a_link_in_the_cache_goes_and_what_it_leads_to_stays(card: Any, fetched: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.move(fetched, own)
    fetched.symlink_to(own)
    assert remove(card).deleted == [fetched]
    assert not fetched.is_symlink()
    assert (own / "images" / "1.png").is_file()


def test_registrations_of_both_ids_are_forgotten_and_others_kept(card: Any, tmp_path: Path) -> None:
    part = replace(card, id="berkeley-part", shares_root="berkeley")
    for each, place in ((replace(part, shares_root=""), "a"), (card, "b"), (registry().datasets.resolve("davis"), "c")):
        roots.register(each, tmp_path / place)
    done = remove(part)
    assert sorted(done.forgotten) == [tmp_path / "a", tmp_path / "b"]
    assert roots.registered() == {"davis": str(tmp_path / "c")}
