"""What a plugin may import: the import contract lists what docs/plugins.md names, and our own plugins keep to it."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import iiszoo

REPOSITORY = Path(iiszoo.__file__).parents[1]
PLUGINS = sorted(file for file in REPOSITORY.glob("plugins/*/iiszoo_*/**/*.py"))
TEMPLATES = sorted(Path(iiszoo.__file__).parent.glob("plugin_project/template/*.py.jinja"))


def contract() -> dict[str, list[str]]:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return next(contract for contract in contracts if contract["name"] == "A plugin uses the stable surface only")


def surface() -> set[str]:
    """The modules of the contract's list; `iiszoo` itself is not forbidden, so it is not excepted either."""
    return {"iiszoo"} | {line.removeprefix("** -> ").removesuffix(".**") for line in contract()["ignore_imports"]}


def whole_rooms() -> tuple[str, ...]:
    """Those whose modules are all part of it."""
    lines = [line.removeprefix("** -> ") for line in contract()["ignore_imports"]]
    return tuple(line.removesuffix("**") for line in lines if line.endswith(".**"))


def strangers(source: str) -> list[str]:
    """What Python code imports of iiszoo beyond the stable surface."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        for module, name in names:
            if module.partition(".")[0] != "iiszoo":
                continue
            inside = module in surface() or module.startswith(whole_rooms())
            private = any(part.startswith("_") for part in (*module.split("."), name))
            hidden = module == "iiszoo" and f"iiszoo.{name}" in TOP_LEVEL - surface()
            if not inside or private or hidden:
                found.append(f"{module}.{name}".rstrip("."))
    return found


TOP_LEVEL = {
    f"iiszoo.{path.stem}"
    for path in Path(iiszoo.__file__).parent.iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
}


def test_the_page_and_the_contract_name_the_same() -> None:
    page = (REPOSITORY / "docs" / "plugins.md").read_text("utf-8")
    said = re.search(r"A plugin may import the stable surface: (.*?), except names", page, re.DOTALL)
    assert said is not None
    assert set(re.findall(r"`([\w.]+)`", said[1])) == surface()


def test_all_else_is_forbidden() -> None:
    assert contract()["forbidden_modules"] == ["iiszoo.*"]
    for module in surface():
        import_module(module)
    plugins = {file.relative_to(REPOSITORY).parts[2] for file in PLUGINS}
    assert set(contract()["source_modules"]) == plugins


@pytest.mark.parametrize("file", [*PLUGINS, *TEMPLATES], ids=lambda file: "/".join(file.parts[-2:]))
def test_our_own_plugins_keep_to_it(file: Path) -> None:
    assert not strangers(re.sub(r"\{\{.*?\}\}", "x", file.read_text("utf-8")))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from iiszoo.models.zoom import Zoom", []),
        ("from iiszoo import load_model, assets", []),
        ("import iiszoo.data.base", []),
        ("from iiszoo.data.read import read_image", ["iiszoo.data.read.read_image"]),
        ("from iiszoo import registry", ["iiszoo.registry"]),
        ("import iiszoo.engine", ["iiszoo.engine"]),
        ("from iiszoo.assets import _http", ["iiszoo.assets._http"]),
        ("from iiszoo.clicking._exact_distance import borrow", ["iiszoo.clicking._exact_distance.borrow"]),
    ],
)
def test_a_stranger_is_found(line: str, found: list[str]) -> None:
    assert strangers(line) == found


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(iiszoo.__file__).parent / "py.typed").exists()
