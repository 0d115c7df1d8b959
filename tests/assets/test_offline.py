"""IISZOO_OFFLINE=1: no connection, and what to do instead."""

from __future__ import annotations

import pytest

from iiszoo import assets
from iiszoo.errors import WeightsError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("IISZOO_OFFLINE", "1")


def test_no_connection_is_made_and_the_error_says_where_to_put_what(server, content, make_card, place):
    card = make_card(server.serve("/w", content), "npm:x@1.0.0/y", "drive:abc")
    with pytest.raises(WeightsError) as error:
        assets.fetch(card)
    assert not server.asked
    assert "IISZOO_OFFLINE is set" in str(error.value)
    assert "`iiszoo weights add toy/net FILE`" in str(error.value)
    assert str(place) in str(error.value)


def test_what_is_there_is_used(content, make_card, place):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert assets.fetch(make_card("http://weights.invalid/w")) == place


def test_what_is_there_and_wrong_is_said_to_be_wrong(make_card, place):
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    card = make_card("http://weights.invalid/w")
    with pytest.raises(WeightsError, match=f"is wrong .*{card.weights[0].sha256}"):
        assets.fetch(card)
    assert place.read_bytes() == b"something else"


def test_files_of_this_machine_are_no_connection(content, make_card, tmp_path):
    (tmp_path / "mine.pth").write_bytes(content)
    card = make_card("http://weights.invalid/w", (tmp_path / "mine.pth").as_uri())
    assert assets.fetch(card).read_bytes() == content


def test_zero_is_online(server, content, make_card, monkeypatch):
    monkeypatch.setenv("IISZOO_OFFLINE", "0")
    assert assets.fetch(make_card(server.serve("/w", content))).read_bytes() == content
