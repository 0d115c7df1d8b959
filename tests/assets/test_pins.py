"""Files for which upstream publishes no hash."""

from __future__ import annotations

import hashlib
import json

import pytest

from iiszoo import assets
from iiszoo.errors import WeightsError


@pytest.fixture
def card(make_card, server, content):
    return make_card(server.serve("/w", content, etag='"v1"'), sha256=None)


def test_the_first_download_is_pinned(card, cache, content):
    assert assets.status(card).sha256_from is None
    assets.fetch(card)
    pin = json.loads((cache / "weights" / "pins.json").read_text())["toy/tiny.pth"]
    assert pin["sha256"] == hashlib.sha256(content).hexdigest()
    assert (pin["size"], pin["url"]) == (len(content), card.weights[0].urls[0])
    assert pin["date"].startswith("20")
    status = assets.status(card)
    assert (status.sha256_from, status.sha256, status.size) == ("pin", pin["sha256"], len(content))


def test_a_later_download_is_held_against_the_pin(card, cache, content, server, place):
    assets.fetch(card)
    place.unlink()
    server.serve("/w", content[::-1])
    with pytest.raises(WeightsError) as error:
        assets.fetch(card)
    for sha256 in (hashlib.sha256(content), hashlib.sha256(content[::-1])):
        assert sha256.hexdigest() in str(error.value)
    assert str(cache / "weights" / "pins.json") in str(error.value)
    assert not place.exists()


def test_verify_is_held_against_the_pin(card, content, place):
    assets.fetch(card)
    place.write_bytes(content[::-1])
    with pytest.raises(WeightsError, match="is pinned in"):
        assets.verify(card)


def test_a_file_put_there_by_hand_is_pinned(card, cache, content, place, server):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert assets.fetch(card) == place
    assert not server.asked
    assert assets.status(card).sha256_from == "pin"


def test_the_card_is_believed_before_the_pin(card, make_card, content, place):
    assets.fetch(card)
    with pytest.raises(WeightsError, match=f"{'0' * 64} is what the card states"):
        assets.verify(make_card(sha256="0" * 64))


def test_pins_of_other_files_are_kept(card, cache, content):
    pins = cache / "weights" / "pins.json"
    pins.parent.mkdir(parents=True)
    pins.write_text('{"other/file": {"sha256": "x", "size": 1, "url": null, "date": ""}}')
    assets.fetch(card)
    assert set(json.loads(pins.read_text())) == {"other/file", "toy/tiny.pth"}


@pytest.mark.parametrize("damage", ["{", "[]", '{"toy/tiny.pth": {"sha": 1}}'])
def test_damaged_pins_are_named_and_kept(card, cache, damage):
    pins = cache / "weights" / "pins.json"
    pins.parent.mkdir(parents=True)
    pins.write_text(damage)
    with pytest.raises(WeightsError, match=r"pins\.json cannot be read"):
        assets.fetch(card)
    assert pins.read_text() == damage
