"""`drive:` urls: without gdown, and with one of our own."""

from __future__ import annotations

import errno
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiszoo import assets
from iiszoo.assets import _part
from iiszoo.errors import WeightsError


@pytest.fixture
def gdown(monkeypatch, content):
    """A module with the `download` of gdown 6; `gdown.calls` are its arguments, `gdown.fault` is raised half-way."""
    module: Any = ModuleType("gdown")
    module.calls, module.fault, module.content = [], None, content

    def download(url=None, output=None, *, id=None, quiet=False, resume=False, progress=None, timeout=None, retries=0):
        module.calls.append({"id": id, "output": output, "resume": resume, "timeout": timeout})
        assert not Path(output).exists()  # the real one takes that for a finished download
        leftovers = list(Path(output).parent.glob(Path(output).name + "????????.part"))
        unfinished = leftovers[0] if resume and leftovers else Path(f"{output}abcdefgh.part")
        with open(unfinished, "ab") as file:
            module.resumed_at = file.tell()
            file.write(module.content[file.tell() : 500_000])
            if module.fault:
                raise module.fault
            file.write(module.content[500_000:])
        if progress:
            progress(len(module.content), len(module.content))
        unfinished.replace(output)
        return output

    module.download = download
    monkeypatch.setitem(sys.modules, "gdown", module)
    return module


def test_it_is_fetched_through_gdown(gdown, make_card, content, place):
    seen = []
    assert assets.fetch(make_card("drive:1aB_-x"), progress=lambda *done: seen.append(done)).read_bytes() == content
    assert gdown.calls[0]["id"] == "1aB_-x"
    assert gdown.calls[0]["timeout"]
    assert seen == [(len(content), len(content))]
    assert sorted(file.name for file in place.parent.iterdir() if file.suffix != ".lock") == [place.name]


def test_it_is_verified(gdown, make_card, place):
    gdown.content = b"other"
    with pytest.raises(WeightsError, match="its sha256 is"):
        assets.fetch(make_card("drive:abc"))
    assert not place.exists()


def test_gdowns_error_is_one_sentence_and_its_part_is_resumed(gdown, make_card, content, place):
    gdown.fault = RuntimeError("Cannot retrieve the public link.\n  Check the permissions.")
    with pytest.raises(WeightsError, match=r"drive:abc: Cannot retrieve the public link\. Check the permissions\.; if"):
        assets.fetch(make_card("drive:abc"))
    gdown.fault = None
    assert assets.fetch(make_card("drive:abc")).read_bytes() == content
    assert gdown.resumed_at == 500_000
    assert not list(place.parent.glob("*.part"))


def test_a_part_of_another_file_is_not_resumed(gdown, make_card, content):
    gdown.fault = RuntimeError("quota")
    with pytest.raises(WeightsError):
        assets.fetch(make_card("drive:abc"))
    gdown.fault = None
    assert assets.fetch(make_card("drive:def")).read_bytes() == content
    assert gdown.resumed_at == 0


def test_nothing_is_resumed_where_the_hash_is_unknown(gdown, make_card, content):
    gdown.fault = RuntimeError("quota")
    card = make_card("drive:abc", sha256=None)
    with pytest.raises(WeightsError):
        assets.fetch(card)
    gdown.fault = None
    assets.fetch(card)
    assert (gdown.resumed_at, gdown.calls[-1]["resume"]) == (0, False)


def test_a_full_disk_is_told_from_a_bad_link(gdown, make_card):
    gdown.fault = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(WeightsError, match=r"cannot be written to .*No space left on device"):
        assets.fetch(make_card("drive:abc", "http://weights.invalid/w"))


def test_without_gdown_the_error_says_what_to_install(make_card, monkeypatch, place):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(WeightsError) as error:
        assets.fetch(make_card("drive:abc"))
    assert "`pip install gdown`" in str(error.value)
    assert "`iiszoo weights add toy/net FILE`" in str(error.value)
    assert str(place) in str(error.value)


def test_an_old_gdown_is_named(gdown, make_card):
    gdown.download = lambda url=None, output=None, quiet=False: None
    with pytest.raises(WeightsError, match="pip install -U gdown"):
        assets.fetch(make_card("drive:abc"))


def test_a_url_is_no_file_id(gdown, make_card):
    with pytest.raises(WeightsError, match="is not of the form drive:FILE_ID"):
        assets.fetch(make_card("drive:https://x/y"))
    assert not gdown.calls


def test_the_real_gdown_takes_the_arguments_and_names_its_parts_as_expected(tmp_path):
    real = pytest.importorskip("gdown")
    used = {"id", "output", "quiet", "resume", "progress", "timeout", "retries"}
    assert used <= set(inspect.signature(real.download).parameters)
    module = sys.modules.get("gdown.download")
    prepare = getattr(module, "_prepare_partial_file", None)
    if prepare is None:
        pytest.skip("this gdown keeps its parts elsewhere")
    part = tmp_path / "w.part"
    leftover, _ = prepare(output=str(part), resume=False)
    assert Path(leftover).exists()
    _part.discard(part)
    assert not Path(leftover).exists()
