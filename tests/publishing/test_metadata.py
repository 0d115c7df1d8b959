"""What each project states about itself before it is built: one version, licence, authors, dependencies that fit."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import iiszoo
from iiszoo import documentation

REPOSITORY = Path(__file__).parents[2]
PLUGINS = sorted(REPOSITORY.glob("plugins/*/pyproject.toml"))


def project(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    return values


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", REPOSITORY / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_is_in_one_place() -> None:
    assert f"version: {iiszoo.__version__}\n" in (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"## {iiszoo.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    for path in PLUGINS:
        values = project(path)
        assert "version" not in values["project"], path
        assert (path.parent / values["tool"]["hatch"]["version"]["path"]).resolve() == REPOSITORY / "iiszoo/__init__.py"


def test_each_plugin_is_tied_to_this_minor_release() -> None:
    parts = iiszoo.__version__.split(".")
    tie = f">={parts[0]}.{parts[1]},<{parts[0]}.{int(parts[1]) + 1}"
    for path in PLUGINS:
        ours = [name for name in project(path)["project"]["dependencies"] if name.startswith("iiszoo")]
        assert f"iiszoo{tie}" in ours, path
        assert all(name.endswith(tie) for name in ours), path


@pytest.mark.parametrize("path", [REPOSITORY / "pyproject.toml", *PLUGINS], ids=lambda path: path.parent.name)
def test_each_project_states_licence_authors_and_what_it_is_tested_on(path: Path) -> None:
    stated = project(path)["project"]
    assert stated["license"] == "MIT"
    assert stated["license-files"] == ["LICENSE"]
    assert stated["authors"] == [{"name": "The iiszoo authors"}]
    assert (path.parent / "LICENSE").read_text() == (REPOSITORY / "LICENSE").read_text()
    assert "Programming Language :: Python :: 3.11" in stated["classifiers"]
    assert "Operating System :: POSIX :: Linux" in stated["classifiers"]


def test_every_extra_of_a_plugin_names_a_project_that_is_here() -> None:
    there = {project(path)["project"]["name"] for path in PLUGINS}
    extras = project(REPOSITORY / "pyproject.toml")["project"]["optional-dependencies"]
    named = {name for names in extras.values() for name in names if name.startswith("iiszoo-")}
    assert named == there


def test_the_links_of_a_plugins_readme_need_no_checkout() -> None:
    for path in PLUGINS:
        links = re.findall(r"\]\(([^)]+)\)", (path.parent / "README.md").read_text("utf-8"))
        assert [link for link in links if not link.startswith(("https://", "#"))] == [], path.parent.name


def test_the_links_of_the_readme_lead_to_the_public_address(hook: ModuleType) -> None:
    text = "[docs](docs/a.md), [up](#up), [far](https://far.example) ![A page](docs/page.jpg)"
    there = hook.with_links(text, "https://host.example/iiszoo")
    assert there == (
        "[docs](https://host.example/iiszoo/blob/main/docs/a.md), [up](#up), [far](https://far.example) "
        "![A page](https://host.example/iiszoo/raw/main/docs/page.jpg)"
    )
    assert hook.with_links(text, "") == "docs, [up](#up), [far](https://far.example) "
    address = project(REPOSITORY / "pyproject.toml")["tool"]["hatch"]["metadata"]["hooks"]["custom"]["address"]
    published = hook.with_links((REPOSITORY / "README.md").read_text("utf-8"), address)
    links = [link.split()[0] for link in re.findall(r"\]\(([^)]+)\)", published)]
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_pages_that_messages_name_are_in_the_wheel() -> None:
    named = {
        call.args[0].value
        for file in (REPOSITORY / "iiszoo").rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "page"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and "from iiszoo.documentation import page" in file.read_text("utf-8")
    }
    assert named
    shipped = project(REPOSITORY / "pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name in named:
        assert shipped[f"docs/{name}.md"] == f"iiszoo/docs/{name}.md"
        assert documentation.file(name).is_file()


def test_a_page_is_named_by_its_address_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        def get_all(self, name: str) -> list[str]:
            assert name == "Project-URL"
            return ["Homepage, https://host.example", "Documentation, https://host.example/docs"]

    monkeypatch.setattr(documentation, "metadata", lambda name: Metadata())
    assert documentation.page("upstream") == "https://host.example/docs/upstream.md"


def test_no_message_names_a_page_by_a_path_of_the_repository() -> None:
    """A wheel has no docs/ beside it: `iiszoo.documentation.page` names pages. Docstrings of modules are for readers of
    the source.
    """
    for file in (REPOSITORY / "iiszoo").rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and "cli" not in file.parts
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                assert not re.search(r"\bdocs/[\w-]+\.md", node.value), f"{file}:{node.lineno}"
