"""docs/plugins.md is true: its commands run in a fresh environment, on the files that it shows; its tables are full."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from iiszoo import cards, hookspecs

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def script() -> str:
    """The whole page as a shell script: what it shows as a file is written, what it shows as commands is run."""
    parts = []
    for language, text in BLOCKS:
        file = re.match(r"# (\S+)\n", text)
        if language == "sh":
            parts.append(text)
        else:
            assert file, f"a block of the page is neither commands nor a file that is named in its first line:\n{text}"
            parts.append(f"cat > {file[1]} <<'END OF FILE'\n{text}END OF FILE\n")
    return "".join(parts)


def test_the_page_goes_from_nothing_to_a_benchmark_and_shows_every_kind():
    commands = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    assert commands[:2] == ["pip install iiszoo", "iiszoo new mine"]
    assert "iiszoo bench --model mine" in commands
    for hook in (name for name in vars(hookspecs) if name.startswith("iiszoo_")):
        assert any(f"def {hook}(" in text for _, text in BLOCKS)
        assert f"| `{hook}(" in PAGE


@pytest.mark.parametrize("card", [cards.ModelCard, cards.DatasetCard, cards.RobotCard])
def test_every_field_of_a_card_has_its_line(card):
    (table,) = re.findall(rf"^\| `{card.__name__}` .*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    rows = " ".join(row.split("|")[1] for row in table.splitlines()[1:])
    assert set(re.findall(r"`(\w+)`", rows)) == {field.name for field in fields(card)}


def test_the_version_that_the_page_tells_is_that_of_the_contract():
    assert f"version of that surface; it is {hookspecs.API_VERSION}." in PAGE
    assert f"api_version = {hookspecs.API_VERSION}\n" in PAGE


@pytest.mark.slow
def test_every_command_of_the_page_runs(fresh_environment, tmp_path):
    done = fresh_environment(script(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nmoon-2\n" in done.stdout  # of `iiszoo mine-largest`
    assert re.search(r"mine/smooth +mine-moons +3 ", done.stdout)  # of the last `iiszoo bench`
    assert re.search(r"mine-leaves: 2 samples in \S+/leaves, all sound", done.stdout)
    assert re.search(r"mine/nearest +mine-leaves +2 ", done.stdout)
    assert "broken" not in done.stdout + done.stderr
