"""What the pages of the repository name exists: pages and headings, commands and options, modules and functions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from iiszoo.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Those whose commands are today's."""
OF_OTHERS = {"docs/plugins.md": ("iiszoo mine-largest",)}
"""Commands that a page adds itself."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    found = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = (re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower() for heading in found)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue  # to another site: nothing is fetched here
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in headings(target), f"{link}: no such heading"


def commands(page: Path) -> Iterator[str]:
    """Each `iiszoo ...` of a page: a line of a code block, or code within a sentence."""
    text = page.read_text("utf-8")
    for block in FENCE.findall(text):
        yield from re.findall(r"^ *(?:\$ )?(iiszoo .*)$", block.replace("\\\n", " "), re.MULTILINE)
    yield from re.findall(r"`(iiszoo [^`]*)`", FENCE.sub("", text).replace("\n", " "))


@pytest.mark.parametrize("page", NOW, ids=name_of)
def test_every_command_has_the_options_that_the_page_gives_it(page: Path) -> None:
    for line in commands(page):
        if "..." not in line and not line.startswith(OF_OTHERS.get(name_of(page), "-")):
            parse(line)


def parse(line: str) -> None:
    command: Any = cli
    words = shlex.split(line, comments=True)[1:]
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None and command.invoke_without_command:
            break
        assert found is not None, f"{line}: {words[0]} is no command"
        command, words = found, words[1:]
    try:
        command.make_parser(click.Context(command)).parse_args([word for word in words if word not in ("-h", "--help")])
    except click.UsageError as error:
        raise AssertionError(f"{line}: {error.format_message()}") from error


@pytest.mark.parametrize("line", ["iiszoo benhc", "iiszoo bench --modle x", "iiszoo data chekc x", "iiszoo list -q"])
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(line)):
        parse(line)


@pytest.mark.parametrize("page", NOW, ids=name_of)
def test_every_name_can_be_imported(page: Path) -> None:
    for name in set(re.findall(r"`(iiszoo(?:\.\w+)+)[`(]", FENCE.sub("", page.read_text("utf-8")))):
        assert exists(name), f"{name} does not exist"


def exists(name: str) -> bool:
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_a_wrong_name_is_found() -> None:
    assert exists("iiszoo.clicking.robots.ritm")
    assert not exists("iiszoo.clicking.robots.tirm")
    assert not exists("iiszoo.nowhere.ritm")
