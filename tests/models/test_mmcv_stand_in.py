"""What stands in for mmcv's compiled operators, with a small package in place of mmcv, installed or not."""

from __future__ import annotations

import importlib
import sys

import pytest

from iiszoo.models.mmcv_stand_in import EXTENSION, NoOperator, provide_operators

LOADER = """
import importlib

EXTENSION = importlib.import_module("mmcv._ext")
assert hasattr(EXTENSION, "psamask_forward")
"""


@pytest.fixture
def toy_mmcv(tmp_path, monkeypatch):
    """A package mmcv without operators."""
    theirs = {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "mmcv"}
    package = tmp_path / "mmcv"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "ops.py").write_text(LOADER)
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [*sys.modules]:
        if name.partition(".")[0] == "mmcv":
            del sys.modules[name]
    sys.modules.update(theirs)


def test_operators_can_be_imported_but_not_called(toy_mmcv) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mmcv.ops")
    provide_operators()
    extension = importlib.import_module("mmcv.ops").EXTENSION
    with pytest.raises(NoOperator, match="compiled operator psamask_forward is not installed"):
        extension.psamask_forward(1, n=2)
    assert not hasattr(extension, "__path__")
    assert importlib.util.find_spec(EXTENSION).loader is None  # how mmcv finds out that it has no operators
    before = sys.modules[EXTENSION]
    provide_operators()
    assert sys.modules[EXTENSION] is before


def test_installed_operators_are_used(toy_mmcv) -> None:
    (toy_mmcv / "_ext.py").write_text("def psamask_forward():\n    return 'compiled'\n")
    provide_operators()
    assert EXTENSION not in sys.modules
    assert importlib.import_module("mmcv.ops").EXTENSION.psamask_forward() == "compiled"


def test_without_mmcv_there_is_nothing_to_complete(toy_mmcv, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mmcv", None)
    with pytest.raises(ModuleNotFoundError):
        provide_operators()
