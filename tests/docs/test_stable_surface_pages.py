"""The API reference has a page for each room of the stable surface, and on it every public module of that room."""

from __future__ import annotations

import importlib.util
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("myst_parser", reason="the extra `docs` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stable_surface", ROOT / "docs" / "stable_surface.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_page_for_what_the_plugins_page_promises(extension: ModuleType) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    said = re.search(r"A plugin may import the stable surface: (.*?), except names", page, re.DOTALL)
    assert said is not None
    assert set(re.findall(r"`([\w.]+)`", said[1])) == set(extension.pages())


def test_a_page_has_the_public_modules_of_its_room(extension: ModuleType) -> None:
    pages = extension.pages()
    assert ".. automodule:: iiszoo.clicking.robots\n" in pages["iiszoo.clicking"]
    assert ".. automodule:: iiszoo.models.zoom\n" in pages["iiszoo.models"]
    assert not re.search(r"automodule:: \S*\._", "".join(pages.values()))
    for name in extension.surface():
        if not name.startswith("iiszoo.models.wrappers.mmseg"):  # these need the extra mmseg
            assert import_module(name).__doc__
