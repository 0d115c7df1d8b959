"""What is made from data equals the data: the table of models in README and docs, the known plugins, the figures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from iiszoo import figures
from iiszoo.cards import ModelCard
from iiszoo.known_plugins import known_plugin, known_plugins
from iiszoo.plugins import installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_tables", ROOT / "docs" / "write_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("step", ["known_plugins", "measured", "pages"])
def test_every_table_is_up_to_date(step: str, tables: ModuleType) -> None:
    if not known_plugins() or {plugin.name for plugin in installed()} < {plugin.name for plugin in known_plugins()}:
        pytest.skip("the plugins in plugins/ are not installed")
    for path, text in getattr(tables, step)():
        assert path.read_text("utf-8") == text, f"{path} is out of date: run `python docs/write_tables.py`"


def test_the_tables_are_where_people_look() -> None:
    for page in ("README.md", "docs/models.md"):
        text = (ROOT / page).read_text("utf-8")
        assert "| `ritm/h18s`\\* | 4.2 M | 17 MB | (1.68) | (2.60) |" in text
    assert "| `classic/geocut` | berkeley | 100 | 4.16 | 6.34 | 6 |" in text


def test_a_known_plugin_is_described_by_its_own_cards() -> None:
    ritm = known_plugin("ritm/h18")
    assert ritm is not None
    assert (ritm.distribution, ritm.install) == ("iiszoo-ritm", 'pip install "iiszoo[ritm]"')
    assert ritm.default in ritm.names
    assert all(isinstance(card, ModelCard) and card.family == "ritm" for card in ritm.models)
    assert known_plugin("classic/geocut") is None, "what iiszoo brings needs no plugin"
    edgetam = known_plugin("edgetam")
    assert edgetam is not None
    assert (edgetam.distribution, edgetam.requirement) == ("iiszoo-sam2", "iiszoo[sam2]"), "two families share it"
    extras = (ROOT / "pyproject.toml").read_text("utf-8")
    for plugin in known_plugins():
        extra = plugin.requirement.removeprefix("iiszoo[").removesuffix("]")
        assert f'\n{extra} = ["{plugin.distribution}"]\n' in extras


def test_measured_runs_name_device_and_threads() -> None:
    assert len(figures.measured()) >= 8
    for run in figures.measured():
        assert (run.device, run.threads) == ("cpu", 1)
        assert (ROOT / "benchmarks" / "results" / run.run / "samples.jsonl").is_file()
