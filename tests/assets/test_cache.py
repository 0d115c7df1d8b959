"""Where files lie, what the bookkeeping remembers, what may be imported."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from iiszoo import assets
from iiszoo.assets import _ledger
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError

TWO = ModelCard(
    id="toy/two",
    loader="toy:load",
    summary="",
    licence="MIT",
    weights=(Weights("encoder.onnx"), Weights("decoder.onnx")),
)


def test_the_cache_is_where_the_variable_says_or_where_the_platform_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("IISZOO_CACHE", "~/there")
    assert assets.cache_root() == Path.home() / "there"
    monkeypatch.delenv("IISZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.cache_root().name == "iiszoo"


def test_a_file_is_chosen_by_name_by_card_or_because_it_is_the_only_one(make_card, cache):
    card = make_card()
    assert assets.path(card) == assets.path(card, "tiny.pth") == assets.path(card, card.weights[0])
    assert assets.path(TWO, "decoder.onnx") == cache / "weights" / "toy" / "decoder.onnx"
    with pytest.raises(WeightsError, match=r"2 weights files; name one of encoder\.onnx, decoder\.onnx"):
        assets.path(TWO)
    with pytest.raises(WeightsError, match="no weights file 'x'; it has encoder"):
        assets.path(TWO, "x")
    with pytest.raises(WeightsError, match="has no weights"):
        assets.path(ModelCard(id="a/b", loader="a:b", summary="", licence=""))


def test_a_touched_file_is_hashed_again(make_card, place, content):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    card = make_card()
    assets.fetch(card)
    place.write_bytes(content[::-1])  # of the same size
    with pytest.raises(WeightsError, match="is wrong"):
        assets.fetch(card)


def test_a_new_hash_on_the_card_is_checked(make_card, place, content):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assets.fetch(make_card())
    with pytest.raises(WeightsError, match="0" * 64):
        assets.fetch(make_card(sha256="0" * 64))


def test_verify_hashes_whatever_is_remembered(make_card, place, content, cache):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    card = make_card()
    assert assets.verify(card).state == "present"
    place.write_bytes(content[::-1])
    state = place.stat()
    entry = {"sha256": card.weights[0].sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns}
    _ledger._verified_file(cache / "weights").write_text(json.dumps({"toy/tiny.pth": entry}))
    assert assets.fetch(card) == place  # a disk that rots keeps size and time
    with pytest.raises(WeightsError) as error:
        assets.verify(card)
    assert hashlib.sha256(content[::-1]).hexdigest() in str(error.value)
    assert card.weights[0].sha256 in str(error.value)
    assert place.exists()


def test_verify_says_what_is_missing(make_card, place):
    with pytest.raises(WeightsError, match=r"is missing: there is no .*tiny\.pth; run `iiszoo weights get toy/net`"):
        assets.verify(make_card())


@pytest.mark.parametrize("damage", ["{", "[]", '{"toy/tiny.pth": 3}'])
def test_damaged_memory_of_verified_files_is_made_anew(make_card, place, content, cache, damage):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    _ledger._verified_file(cache / "weights").write_text(damage)
    assets.fetch(make_card())
    assert json.loads(_ledger._verified_file(cache / "weights").read_text())["toy/tiny.pth"]["size"] == len(content)


def test_a_good_file_in_a_cache_that_cannot_be_written_to_is_used(make_card, place, content, monkeypatch):
    place.parent.mkdir(parents=True)
    place.write_bytes(content)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_ledger, "_put", refuse)
    monkeypatch.setattr("iiszoo.files.lock", refuse)
    assert assets.fetch(make_card()) == place
    assert assets.fetch(make_card(sha256=None)) == place


def test_a_cache_that_is_no_directory_is_one_sentence(make_card, cache, content, server):
    cache.write_text("a file")
    with pytest.raises(WeightsError, match=r"cannot be written to .*Not a directory.*IISZOO_CACHE"):
        assets.fetch(make_card(server.serve("/w", content)))


def test_importing_it_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'cv2', 'rich', 'gdown'}"
    script = f"import sys, iiszoo.assets, iiszoo.cli.weights; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
