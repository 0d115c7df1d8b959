"""Files for which upstream publishes no hash: pinned when a model has loaded them, and how a pin is forgotten."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from iiszoo import assets, registry
from iiszoo.cards import ModelCard
from iiszoo.errors import ModelError, WeightsError
from iiszoo.loading import load_model
from iiszoo.plugins import Plugin


@pytest.fixture
def card(make_card, server, content):
    return make_card(server.serve("/w", content, etag='"v1"'), sha256=None)


def load(card: ModelCard) -> Path:
    """What a model does that takes the file as it is."""
    with assets.pinning():
        return assets.fetch(card)


def test_what_a_model_has_loaded_is_pinned(card, cache, content):
    assert assets.status(card).sha256_from is None
    load(card)
    pin = json.loads((cache / "weights" / "pins.json").read_text())["toy/tiny.pth"]
    assert pin["sha256"] == hashlib.sha256(content).hexdigest()
    assert (pin["size"], pin["url"]) == (len(content), card.weights[0].urls[0])
    assert pin["date"].startswith("20")
    status = assets.status(card)
    assert (status.sha256_from, status.sha256, status.size) == ("pin", pin["sha256"], len(content))


def test_what_was_only_fetched_is_not_pinned_but_its_hash_is_known(card, cache, content, monkeypatch):
    assets.fetch(card)
    assert assets.verify(card).sha256_from == "file"
    assert assets.status(card).sha256 == hashlib.sha256(content).hexdigest()
    assert not (cache / "weights" / "pins.json").exists()
    monkeypatch.setattr(assets._ledger, "examine", lambda file: pytest.fail("it was hashed again"))
    load(card)
    assert assets.status(card).sha256_from == "pin"


def test_what_was_changed_before_it_was_loaded_is_hashed_anew(card, other_content, place):
    assets.fetch(card)
    place.write_bytes(other_content)
    load(card)
    assert assets.status(card).sha256 == hashlib.sha256(other_content).hexdigest()


def test_what_a_model_could_not_load_is_not_pinned_and_the_right_file_is_accepted(card, server, other_content, place):
    loadings = []

    def fail() -> None:
        with assets.pinning() as loading:
            loadings.append(loading)
            assets.fetch(card)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "run `iiszoo weights remove toy/net` to have it fetched again" in loadings[0].way_out()
    assert assets.status(card).sha256_from == "file"
    server.serve("/w", other_content)
    assert assets.remove(card)
    assert load(card).read_bytes() == other_content
    assert loadings[0].way_out() == ""


def toy_loader(card, *, device, checkpoint=None):
    """What the card of the next test names: a model that wants a file with b"good" at its end."""
    read = assets.fetch(card).read_bytes()
    if read.endswith(b"page"):
        raise WeightsError("checkpoint tiny.pth is truncated")
    if not read.endswith(b"good"):
        raise KeyError("weight")
    return lambda x, z, pcs, ncs: z["prev_output"]


@pytest.mark.parametrize(("end", "error"), [(b"page", WeightsError), (b"half", ModelError)])
def test_load_model_pins_what_it_could_load(server, content, cache, monkeypatch, make_card, end, error):
    monkeypatch.setattr("iiszoo.model_reference._card.load_object", lambda name: toy_loader)
    card = make_card(server.serve("/w", content[:-4] + end), sha256=None)
    shelf: registry.Shelf[ModelCard] = registry.Shelf("model", (Plugin("toy", "toy", "toy", "1", cards=[card]),))
    monkeypatch.setattr(registry, "registry", lambda: registry.Registry(shelf, shelf, shelf))  # type: ignore[arg-type]
    with pytest.raises(error, match=r"no hash is known for tiny\.pth: .*`iiszoo weights remove toy/net`"):
        load_model("toy/net")
    assert assets.status(card).sha256_from == "file"
    server.serve("/w", content[:-4] + b"good")
    assets.remove(card)
    load_model("toy/net")
    assert assets.status(card).sha256_from == "pin"


def test_what_a_card_states_is_not_pinned(make_card, server, content, cache):
    load(make_card(server.serve("/w", content)))
    assert not (cache / "weights" / "pins.json").exists()


def test_a_later_download_is_held_against_the_pin(card, cache, content, other_content, server, place):
    load(card)
    place.unlink()
    server.serve("/w", other_content)
    with pytest.raises(WeightsError) as error:
        assets.fetch(card)
    for sha256 in (hashlib.sha256(content), hashlib.sha256(other_content)):
        assert sha256.hexdigest() in str(error.value)
    assert str(cache / "weights" / "pins.json") in str(error.value)
    assert "run `iiszoo weights remove toy/net` to remove that hash" in str(error.value)
    assert not place.exists()
    assets.remove(card)
    assert load(card).read_bytes() == other_content


def test_verify_is_held_against_the_pin(card, content, place):
    load(card)
    place.write_bytes(content[::-1])
    with pytest.raises(WeightsError, match=r"is pinned in .* run `iiszoo weights remove toy/net` to remove"):
        assets.verify(card)


def test_a_file_put_there_by_hand_is_pinned_when_it_was_loaded(card, cache, content, place, server):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert load(card) == place
    assert not server.asked
    assert assets.status(card).sha256_from == "pin"


def test_the_card_is_believed_before_the_pin(card, make_card, content, place):
    load(card)
    with pytest.raises(WeightsError, match=f"the card states {'0' * 64}"):
        assets.verify(make_card(sha256="0" * 64))


def test_pins_of_other_files_are_kept(card, cache, content):
    pins = cache / "weights" / "pins.json"
    pins.parent.mkdir(parents=True)
    pins.write_text('{"other/file": {"sha256": "x", "size": 1, "url": null, "date": ""}}')
    load(card)
    assert set(json.loads(pins.read_text())) == {"other/file", "toy/tiny.pth"}
    assert assets.remove(card)
    assert set(json.loads(pins.read_text())) == {"other/file"}


def test_remove_takes_the_file_what_was_begun_and_the_pin(card, place, server):
    load(card)
    part = place.with_name("tiny.pth.part")
    part.write_bytes(b"begun")
    assert assets.remove(card)
    assert [file.name for file in place.parent.iterdir() if file.suffix != ".lock"] == []
    assert (assets.status(card).state, assets.status(card).sha256) == ("missing", None)
    assert not assets.remove(card)


@pytest.mark.parametrize("damage", ["{", "[]", '{"toy/tiny.pth": {"sha": 1}}'])
def test_damaged_pins_are_named_and_kept(card, cache, damage):
    pins = cache / "weights" / "pins.json"
    pins.parent.mkdir(parents=True)
    pins.write_text(damage)
    with pytest.raises(WeightsError, match=r"pins\.json cannot be read"):
        assets.fetch(card)
    assert pins.read_text() == damage
