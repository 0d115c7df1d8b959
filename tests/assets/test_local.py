"""Files of this machine: `file:` urls, and those that a user adds."""

from __future__ import annotations

import hashlib

import pytest

from iiszoo import assets
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError


@pytest.fixture
def mine(tmp_path, content):
    file = tmp_path / "my file 100%.pth"
    file.write_bytes(content)
    return file


def test_a_file_url_is_copied_and_verified(mine, make_card, content):
    assert assets.fetch(make_card(mine.as_uri())).read_bytes() == content
    assert mine.exists()


def test_a_file_url_with_another_hash_is_refused(mine, make_card, place):
    with pytest.raises(WeightsError, match="0" * 64):
        assets.fetch(make_card(mine.as_uri(), sha256="0" * 64))
    assert not place.exists()


@pytest.mark.parametrize(
    ("url", "cause"),
    [("file:///no/such.pth", "there is no file /no/such.pth"), ("file://host/x", "names the host 'host'")],
)
def test_a_file_url_that_leads_nowhere(make_card, url, cause):
    with pytest.raises(WeightsError, match=cause):
        assets.fetch(make_card(url))


def test_an_added_file_is_copied_and_needs_no_connection(mine, make_card, content, place):
    card = make_card()
    assert assets.add(card, mine) == place
    assert place.read_bytes() == content
    assert mine.exists()
    assert assets.fetch(card) == place
    assert not [file for file in place.parent.iterdir() if "part" in file.name]


def test_an_added_file_ends_a_download_that_was_begun(mine, make_card, place):
    place.parent.mkdir(parents=True)
    place.with_name("tiny.pth.part").write_bytes(b"begun")
    assets.add(make_card(), mine)
    assert not place.with_name("tiny.pth.part").exists()


def test_a_wrong_file_is_refused_with_both_hashes(make_card, tmp_path, content, place):
    card = make_card()
    (tmp_path / "wrong.pth").write_bytes(b"wrong")
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    place.with_name("tiny.pth.part").write_bytes(b"begun")
    with pytest.raises(WeightsError) as error:
        assets.add(card, tmp_path / "wrong.pth")
    assert hashlib.sha256(b"wrong").hexdigest() in str(error.value)
    assert card.weights[0].sha256 in str(error.value)
    assert place.read_bytes() == content
    assert place.with_name("tiny.pth.part").read_bytes() == b"begun"


def test_a_file_of_wrong_size_is_refused(make_card, mine):
    with pytest.raises(WeightsError, match="it has 1000000 bytes, but the card states 5"):
        assets.add(make_card(sha256=None, size=5), mine)


def test_an_absent_file_is_refused(make_card):
    with pytest.raises(WeightsError, match="there is no file nowhere"):
        assets.add(make_card(), "nowhere")


def test_an_added_file_without_known_hash_is_pinned_when_it_was_loaded(make_card, mine, tmp_path, other_content):
    card = make_card(sha256=None)
    (tmp_path / "other").write_bytes(other_content)
    assets.add(card, tmp_path / "other")
    assert assets.status(card).sha256_from == "file"
    assets.add(card, mine)  # the other was the wrong one
    with assets.pinning():
        assets.fetch(card)
    assert assets.status(card).sha256_from == "pin"
    with pytest.raises(WeightsError, match="is pinned in"):
        assets.add(card, tmp_path / "other")


def test_adding_what_already_lies_there_only_verifies(make_card, content, place):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert assets.add(make_card(), place) == place
    place.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="is wrong"):
        assets.add(make_card(), place)


def test_which_of_several_files_it_is(tmp_path, cache):
    two = (Weights("encoder.onnx"), Weights("decoder.onnx"))
    card = ModelCard(id="toy/two", loader="a:b", summary="", licence="", weights=two)
    (tmp_path / "decoder.onnx").write_bytes(b"\x08\x08\x12\x00decoder")
    (tmp_path / "download").write_bytes(b"\x08\x08\x12\x00encoder")
    assert assets.add(card, tmp_path / "decoder.onnx").name == "decoder.onnx"
    with pytest.raises(WeightsError, match=r"`--as NAME`, one of encoder\.onnx, decoder\.onnx"):
        assets.add(card, tmp_path / "download")
    assert assets.add(card, tmp_path / "download", "encoder.onnx").read_bytes().endswith(b"encoder")
