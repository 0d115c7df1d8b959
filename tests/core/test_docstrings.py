"""The examples in docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import iiszoo

PACKAGE = Path(iiszoo.__file__).parent
MODULES = [
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in sorted(PACKAGE.rglob("*.py"))
    if re.search(r"^ *>>> ", file.read_text("utf-8"), re.MULTILINE)
]


def test_there_are_examples() -> None:
    assert "iiszoo.testing.golden" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IISZOO_GOLDEN", "")  # an example sets it
    module = import_module(name)
    found = [test for test in doctest.DocTestFinder().find(module, extraglobs={"iiszoo": iiszoo}) if test.examples]
    assert found
    for test in found:
        report: list[str] = []
        failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
        assert not failed, "".join(report)
