"""A model is named by its module, and whoever names its file is told by which name."""

from __future__ import annotations

import pytest

from iiszoo.errors import BadOption, UnknownId
from iiszoo.loading import load_model
from iiszoo.model_reference import resolve
from iiszoo.object_path import is_function
from iiszoo.registry import resolve_model
from iiszoo.remote import Interpreter

FILES = {
    "slow.py:model": ("slow:model", None),
    "slow.py:model?progressive_merge=published": ("slow:model", None),
    "./slow.py:model": ("slow:model", None),
    "slow.py": ("slow:FUNCTION", None),
    "./slow.py": ("slow:FUNCTION", None),
    "slow.py:": ("slow:FUNCTION", None),
    "./slow:model": ("slow:model", None),
    "dir/slow.py": ("slow:FUNCTION", "dir"),
    "dir/slow.py:model": ("slow:model", "dir"),
    "dir/slow:model": ("slow:model", "dir"),
    "../slow.py:model": ("slow:model", ".."),
    "a/b/slow.py:Model": ("slow:Model", "a/b"),
    "/slow.py:model": ("slow:model", "/"),
    "/home/me/slow.py:model": ("slow:model", "/home/me"),
    "~/slow.py:model": ("slow:model", "~"),
    "dir\\slow.py:model": ("slow:model", "dir"),
    "C:\\work\\slow.py:model": ("slow:model", "C:/work"),
    "C:\\work\\slow.py": ("slow:FUNCTION", "C:/work"),
}


@pytest.mark.parametrize("given", FILES)
def test_a_file_is_answered_with_the_name_of_its_module(given: str) -> None:
    name, folder = FILES[given]
    for ask in (is_function, load_model, lambda model: resolve(model, interpreter=Interpreter("python3"))):
        with pytest.raises(BadOption, match="names a file; name it") as error:
            ask(given)
        assert f"name it {name} " in str(error.value)
        assert ("PYTHONPATH=" in str(error.value)) == (folder is not None)
        if folder is not None:
            assert f"PYTHONPATH={folder} " in str(error.value)


@pytest.mark.parametrize("given", ["my-model.py:model", "dir/2nd.py", "./a b.py:model"])
def test_a_file_that_cannot_be_a_module_is_to_be_renamed(given: str) -> None:
    with pytest.raises(BadOption, match=r"is not a valid module name; rename the file"):
        is_function(given)


@pytest.mark.parametrize("given", ["sam/vit-b", "sam", "sam/vit-b?rule=segnext", "sam2.1/hiera-b+", "py"])
def test_ids_are_no_files(given: str) -> None:
    assert not is_function(given)
    with pytest.raises(UnknownId):
        resolve_model("no-" + given)


@pytest.mark.parametrize("given", ["slow:model", "package.slow:Model", "_a.b:c?x=1"])
def test_functions_are_no_files(given: str) -> None:
    assert is_function(given)
