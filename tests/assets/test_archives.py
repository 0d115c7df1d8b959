"""The archives of datasets: fetched as weights are, with errors that speak of datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from iiszoo import assets
from iiszoo.cards import Archive, DatasetCard
from iiszoo.errors import DatasetError


@pytest.fixture
def make_archive(content: bytes) -> Callable[..., tuple[DatasetCard, Archive]]:
    """`make_archive(*urls, sha256=..., **fields)`: a card of dataset `tiny` with one archive, and that archive."""

    def make(*urls: str, sha256: str | None = hashlib.sha256(content).hexdigest(), size: int | None = None, **fields):
        archive = Archive("Tiny.zip", urls, sha256, size)
        described = {"id": "tiny", "summary": "", "licence": "", "layout": "", **fields}
        return DatasetCard(loader="toy:load", archives=(archive,), **described), archive

    return make


@pytest.fixture
def place(cache: Path) -> Path:
    return cache / "archives" / "tiny" / "Tiny.zip"


def test_a_stopped_download_goes_on_where_it_stopped(server, content, make_archive, place):
    card, archive = make_archive(server.serve("/Tiny.zip", content, etag='"v1"'))

    def interrupt(done: int, total: int | None) -> None:
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch_archive(card, archive, progress=interrupt)
    kept = place.with_name("Tiny.zip.part").stat().st_size
    assert kept > 200_000
    assert assets.fetch_archive(card, archive) == place == assets.archive_path(card, archive)
    assert place.read_bytes() == content
    assert server.asked[1].range == f"bytes={kept}-"
    assert server.asked[1].sent == len(content) - kept


def test_a_mirror_takes_over(server, content, make_archive):
    card, archive = make_archive(server.url("/gone"), server.serve("/Tiny.zip", content))
    assert assets.fetch_archive(card, archive).read_bytes() == content
    assert [asked.path for asked in server.asked] == ["/gone", "/Tiny.zip"]


def test_errors_are_of_the_dataset_and_name_its_commands(server, make_archive, place, cache):
    card, archive = make_archive(server.serve("/Tiny.zip", b"wrong"), server.url("/gone"))
    with pytest.raises(DatasetError) as error:
        assets.fetch_archive(card, archive)
    for part in (
        hashlib.sha256(b"wrong").hexdigest(),
        f"the card states {archive.sha256}",
        f"{server.url('/gone')}: HTTP 404",
        f"run `iiszoo data get tiny --archive FILE`, which unpacks it to {cache / 'data' / 'tiny'}",
        "run `iiszoo data add tiny DIR`",
    ):
        assert part in str(error.value)
    assert "weights" not in str(error.value)
    assert not place.exists()


def test_several_archives_are_told_apart_by_name(make_archive):
    _, archive = make_archive()
    several = DatasetCard(
        id="tiny", loader="a:b", summary="", licence="", layout="", archives=(archive, Archive("More.zip"))
    )
    with pytest.raises(DatasetError, match=r"its card names no url; .*`iiszoo data get tiny --archive More\.zip`"):
        assets.fetch_archive(several, several.archives[1])


def test_sets_that_share_a_directory_share_the_archive(server, content, make_archive, place):
    url = server.serve("/Tiny.zip", content)
    for id in ("tiny-train", "tiny-val"):
        card, archive = make_archive(url, id=id, shares_root="tiny")
        assert assets.fetch_archive(card, archive) == place
    assert len(server.asked) == 1


def test_a_hash_that_nobody_states_is_pinned_beside_the_archives(server, content, make_archive, cache):
    card, archive = make_archive(server.serve("/Tiny.zip", content), sha256=None)
    assets.fetch_archive(card, archive)
    assets.remove_archive(card, archive)
    pins = json.loads((cache / "archives" / "pins.json").read_text())
    assert pins["tiny/Tiny.zip"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert not (cache / "weights").exists()
    server.serve("/Tiny.zip", content[::-1])
    with pytest.raises(DatasetError, match="is pinned in"):
        assets.fetch_archive(card, archive)


def test_an_archive_set_aside_is_fetched_anew_and_no_longer_pinned(server, content, make_archive, place):
    card, archive = make_archive(server.serve("/Tiny.zip", content), sha256=None)
    assets.fetch_archive(card, archive)
    aside = assets.set_archive_aside(card, archive)
    assert (aside.read_bytes(), place.exists()) == (content, False)
    server.serve("/Tiny.zip", content[::-1])
    assert assets.fetch_archive(card, archive).read_bytes() == content[::-1]


def test_a_file_of_the_users_own_is_held_against_the_card(make_archive, content, tmp_path):
    own = tmp_path / "own"
    own.write_bytes(content)
    card, archive = make_archive()
    assets.check_archive(card, archive, own)
    assets.check_archive(*make_archive(sha256=None), own)
    with pytest.raises(DatasetError, match="it has 1000000 bytes, but the card states 5"):
        assets.check_archive(*make_archive(sha256=None, size=5), own)
    own.write_bytes(b"wrong")
    with pytest.raises(DatasetError, match=f"{own} cannot be used as archive Tiny.zip of dataset tiny: its sha256 is"):
        assets.check_archive(card, archive, own)


@pytest.mark.parametrize("into", ["/images", "../images", "a//b", "."])
def test_an_archive_goes_inside_its_dataset(into):
    with pytest.raises(ValueError, match=r"Archive\.into of Tiny\.zip must be a relative path"):
        Archive("Tiny.zip", into=into)


def test_a_card_whose_fingerprint_is_none_is_refused(make_archive):
    with pytest.raises(ValueError, match="DatasetCard tiny: fingerprint must be 64 hex digits"):
        make_archive(fingerprint="abc")
