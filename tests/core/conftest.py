"""Plugins made on the spot, found through their entry points in this very process."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iiszoo import plugins, registry

Discover = Callable[..., dict[str, plugins.Plugin]]

HEAD = """
import iiszoo
from iiszoo import hookimpl
from iiszoo.cards import DatasetCard, ModelCard, RobotCard

api_version = 1

def model(id):
    return ModelCard(id=id, loader="some_module:load", summary="", licence="MIT")

def dataset(id):
    return DatasetCard(id=id, loader="some_module:load", summary="", licence="MIT", layout="")

def robot(id):
    return RobotCard(id=id, loader="some_module:load", summary="")
"""


def _forget() -> None:
    plugins.installed.cache_clear()
    registry.registry.cache_clear()


@pytest.fixture
def discover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Discover]:
    """`discover(name=source, ...)` installs one distribution `dist-NAME` 1.0 a plugin and returns what is then found.

    Each source follows `HEAD`. Plugins that this Python has installed otherwise are not selected.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules = []

    def install_and_find(**sources: str) -> dict[str, plugins.Plugin]:
        for name, source in sources.items():
            modules.append(f"plugin_{name}")
            (site / f"plugin_{name}.py").write_text(HEAD + textwrap.dedent(source))
            info = site / f"dist_{name}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[iiszoo]\n{name} = plugin_{name}\n")
        monkeypatch.setenv("IISZOO_PLUGINS", ",".join(sources))
        _forget()
        return {plugin.name: plugin for plugin in plugins.installed()}

    yield install_and_find
    for module in modules:
        sys.modules.pop(module, None)
    _forget()
