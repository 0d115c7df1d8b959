"""`iiszoo weights ...`"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from iiszoo import registry
from iiszoo.cards import ModelCard, Weights
from iiszoo.cli.weights import command
from iiszoo.errors import UnknownId, WeightsError
from iiszoo.plugins import Plugin


@pytest.fixture
def cards(server, content, make_card, monkeypatch) -> list[ModelCard]:
    """`toy/net` whose weights are known, `toy/new` whose hash nobody states, `bare/model` without weights."""
    known = make_card(server.serve("/w", content), size=len(content))
    files = (Weights("new.pth", (server.serve("/new", content[:1000]),)), Weights("more.pth", (server.url("/gone"),)))
    new = ModelCard(id="toy/new", loader="a:b", summary="", licence="", weights=files)
    bare = ModelCard(id="bare/model", loader="a:b", summary="", licence="")
    plugin = Plugin("toy", "toy", "toy", "1", cards=[known, new, bare], defaults={"toy": "toy/net"})
    shelf: registry.Shelf[ModelCard] = registry.Shelf("model", (plugin,))
    monkeypatch.setattr(registry, "registry", lambda: registry.Registry(shelf, shelf, shelf))  # type: ignore[arg-type]
    return [bare, known, new]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_list_shows_size_hash_place_and_state(cards, cache):
    result = run("list")
    assert result.exit_code == 0, result.output
    assert str(cache / "weights") in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[3:]]
    sha256 = cards[1].weights[0].sha256[:8]
    assert rows[0] == ["toy/net", "toy/tiny.pth", "1", "MB", "known", sha256, "missing"]
    assert rows[1] == ["toy/new", "toy/new.pth", "unknown", "unknown", "missing"]
    run("get", "toy/new")
    rows = [line.split() for line in run("list", "toy/new").stdout.splitlines()[3:]]
    assert rows[0][2:5] == ["1", "kB", "unconfirmed"]
    assert rows[0][-1] == "present"


def test_list_cuts_no_name_off(cards, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("list", "toy").stdout.splitlines()
    assert sum("toy/tiny.pth" in line for line in lines) == 1


def test_list_as_json(cards, cache):
    found = json.loads(run("list", "toy", "--json").stdout)
    assert found == [
        {
            "model": "toy/net",
            "filename": "tiny.pth",
            "path": str(cache / "weights" / "toy" / "tiny.pth"),
            "state": "missing",
            "present_bytes": 0,
            "size": 1_000_000,
            "sha256": cards[1].weights[0].sha256,
            "sha256_from": "card",
            "urls": list(cards[1].weights[0].urls),
        }
    ]


def test_list_of_models_without_weights(cards):
    result = run("list", "bare/model")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "bare/model needs no weights" in result.stderr


def test_get_prints_the_path_and_draws_on_stderr(cards, place, content):
    result = run("get", "toy")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{place}\n"
    assert "tiny.pth" in result.stderr
    assert place.read_bytes() == content


def test_get_as_json_and_again(cards, server):
    for _ in range(2):
        assert json.loads(run("get", "toy/net", "--json").stdout)[0]["state"] == "present"
    assert len(server.asked) == 1


def test_get_goes_on_after_a_failure(cards, place):
    result = run("get", "toy/new", "toy/net")
    assert isinstance(result.exception, WeightsError)
    assert "more.pth" in str(result.exception)
    assert "`iiszoo weights add toy/new FILE --as more.pth`" in str(result.exception)
    assert place.exists()
    assert result.stdout.splitlines() == [str(place.with_name("new.pth")), str(place)]


def test_get_of_a_model_without_weights_is_no_error(cards):
    result = run("get", "bare/model")
    assert (result.exit_code, result.stdout) == (0, "")


def test_an_unknown_model_is_answered_with_a_suggestion(cards):
    result = run("get", "toy/nett")
    assert isinstance(result.exception, UnknownId)
    assert "toy/net" in str(result.exception)


def test_verify_hashes_all_that_is_here(cards, place):
    assert (run("verify").exit_code, run("verify").stdout) == (0, "")
    run("get", "toy/net")
    result = run("verify")
    assert result.stdout == f"{place}: as the card states ({cards[1].weights[0].sha256})\n"
    place.write_bytes(b"damaged")
    assert cards[1].weights[0].sha256 in str(run("verify").exception)
    result = run("verify", "toy/new")
    assert "is missing" in str(result.exception)
    run("get", "toy/new")
    assert "new.pth: its hash is stated nowhere (" in run("verify", "toy/new").stdout


def test_remove_deletes_and_says_so(cards, place):
    run("get", "toy")
    result = run("remove", "toy/net", "bare/model")
    assert (result.exit_code, result.stdout) == (0, f"removed {place}\n")
    assert "bare/model needs no weights" in result.stderr
    assert not place.exists()
    assert "tiny.pth of toy/net is not in the cache" in run("remove", "toy").stderr
    run("get", "toy/new")
    assert run("remove", "toy/new", "--as", "more.pth").stdout == ""
    found = json.loads(run("remove", "toy/new", "--as", "new.pth", "--json").stdout)
    assert [(status["filename"], status["state"]) for status in found] == [("new.pth", "missing")]
    assert "has no weights file 'x'" in str(run("remove", "toy/new", "--as", "x").exception)


def test_path_prints_what_is_there(cards, place):
    result = run("path", "toy/net")
    assert result.stdout == ""
    assert str(place) in str(result.exception)
    assert "`iiszoo weights get toy/net`" in str(result.exception)
    assert json.loads(run("path", "toy/net", "--json").stdout)[0]["path"] == str(place)
    run("get", "toy/net")
    assert run("path", "toy/net").stdout == f"{place}\n"
    assert isinstance(run("path", "bare/model").exception, WeightsError)


def test_add_copies_and_prints_where(cards, tmp_path, content, place):
    (tmp_path / "mine").write_bytes(content)
    result = run("add", "toy", tmp_path / "mine")
    assert result.stdout == f"{place}\n"
    assert place.read_bytes() == content
    result = run("add", "toy/new", tmp_path / "mine", "--as", "new.pth", "--json")
    assert json.loads(result.stdout)[0]["sha256_from"] == "file"
    (tmp_path / "wrong").write_bytes(b"wrong")
    assert isinstance(run("add", "toy", tmp_path / "wrong").exception, WeightsError)
