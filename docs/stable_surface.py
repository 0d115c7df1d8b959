"""A Sphinx extension: the pages of the API reference, one for each module of the stable surface.

Which modules that are is read from the one list there is, the import contract in pyproject.toml. Docstrings are
Markdown, as in the source.
"""

from __future__ import annotations

import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils import new_document
from myst_parser.mdit_to_docutils.sphinx_ import SphinxRenderer
from myst_parser.parsers.mdit import create_md_parser
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).parent
PAGES = DOCS / "api"
"""Written by each build; not in the repository."""


def surface() -> list[str]:
    """Every module of the stable surface, rooms with their modules: `iiszoo`, `iiszoo.assets`, `iiszoo.cards`, ..."""
    stated = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    contracts = stated["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one["name"] == "A plugin uses the stable surface only")
    names = {line.removeprefix("** -> ") for line in contract["ignore_imports"]}
    found = {"iiszoo"} | {name for name in names if not name.endswith(".**")}
    for room in (name.removesuffix(".**") for name in names if name.endswith(".**")):
        inside = pkgutil.walk_packages(import_module(room).__path__, f"{room}.")
        found |= {module.name for module in inside if "._" not in module.name}
    return sorted(found)


def pages() -> dict[str, str]:
    """The text of each page, by its name: a room and its modules are one page."""
    texts: dict[str, list[str]] = {}
    rooms = [name for name in surface() if name != "iiszoo"]
    for name in surface():
        page = next((room for room in rooms if name.startswith(f"{room}.")), name)
        heading = "#" if page == name else "##"
        texts.setdefault(page, []).append(f"{heading} `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n")
    return {page: "\n".join(parts) for page, parts in texts.items()}


def write_pages(app: Sphinx) -> None:
    PAGES.mkdir(exist_ok=True)
    texts = pages()
    for stale in {*PAGES.glob("*.md")} - {PAGES / f"{page}.md" for page in texts}:
        stale.unlink()
    for page, text in texts.items():
        file = PAGES / f"{page}.md"
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


class MarkdownDocstring(SphinxDirective):
    """Content in Markdown, inside of the reStructuredText that autodoc writes."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        document = new_document(self.get_source_info()[0], self.state.document.settings)
        parser = create_md_parser(self.env.myst_config, SphinxRenderer)
        parser.options["document"] = document
        parser.render("\n".join(self.content))
        return document.children


def with_arguments_as_list(lines: list[str]) -> list[str]:
    """Google's `Args:` sections as lists: `    name: text` becomes an item, deeper lines belong to it."""
    out, inside = [], False
    for line in lines:
        if line.rstrip() in ("Args:", "Attributes:"):
            inside = True
            out += ["Arguments:" if line.startswith("Args") else line, ""]
            continue
        if inside and line.strip() and not line.startswith("    "):
            inside = False
        entry = re.match(r"    (\*{0,2}\w[\w, *]*): (.*)", line) if inside else None
        if entry:
            out.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            out.append(line[4:].replace("    ", "  ", 1) if inside else line)
    return out


def as_markdown(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    if any(line.strip() for line in lines):
        lines[:] = [".. markdown-docstring::", "", *(f"   {line}" for line in with_arguments_as_list(lines)), ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", as_markdown)
    app.add_directive("markdown-docstring", MarkdownDocstring)
    return {"parallel_read_safe": True}
