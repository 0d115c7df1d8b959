"""From an id to the loaded thing; from a wrong id to the right one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import iiszoo
from iiszoo import registry
from iiszoo.clicking.loading import load_robot
from iiszoo.errors import BadOption, IISZooError, PluginError, UnknownId
from iiszoo.loading import load_dataset, load_model

Discover = Callable[..., dict[str, Any]]

FAMILIES = """
@hookimpl
def iiszoo_register_models(register):
    register(model("one/only"))
    register(model("two/a"))
    register(model("two/b"))
    register(model("three/a"))
    register(model("three/b"), default=True)
"""

X = torch.zeros(1, 3, 4, 5)


@pytest.fixture
def resolve(discover: Discover) -> Callable[[str], Any]:
    discover(families=FAMILIES)
    return registry.registry().models.resolve


def test_a_name_resolves_to_a_card(resolve: Callable[[str], Any]) -> None:
    assert resolve("two/a").id == "two/a"
    assert resolve("one").id == "one/only", "a family with one variant"
    assert resolve("three").id == "three/b", "a family with a default"
    assert resolve("classic").id == "classic/geocut"
    models = registry.registry().models
    assert [card.id for card in models.cards() if models.is_default(card)] == [
        "classic/geocut",
        "smp/unet-lite0",
        "three/b",
    ]
    assert [card.id for card in models.cards()] == sorted(card.id for card in models.cards())
    assert models.plugin(resolve("two/a")).distribution == "dist-families"


def test_a_family_without_a_default_names_its_variants(resolve: Callable[[str], Any]) -> None:
    with pytest.raises(UnknownId, match="model family 'two' has no default; name one of two/a, two/b"):
        resolve("two")


@pytest.mark.parametrize(
    ("kind", "name", "suggestion"),
    [
        ("models", "classic/geocutt", "nearest: classic/geocut"),
        ("models", "clasic", "nearest: classic"),
        ("models", "three/c", "nearest: three/[ab], three/[ab], "),
        ("datasets", "grabcat", "nearest: grabcut"),
        ("robots", "ritn", "nearest: ritm"),
    ],
)
def test_an_unknown_id_is_answered_with_what_comes_near(
    resolve: Callable[[str], Any], kind: str, name: str, suggestion: str
) -> None:
    with pytest.raises(UnknownId, match=f"no {kind[:-1]} is called '{name}'; {suggestion}"):
        getattr(registry.registry(), kind).resolve(name)


@pytest.mark.parametrize("name", ["qqqqqqqq", "", "x" * 5000, "\x1b[31m", "ß?!"])
def test_any_unknown_id_gives_the_three_nearest_and_the_command_that_lists_all(
    resolve: Callable[[str], Any], name: str
) -> None:
    with pytest.raises(UnknownId) as error:
        resolve(name)
    sentence = str(error.value)
    assert sentence.startswith("no model is called '")
    nearest = sentence.partition("nearest: ")[2].partition(";")[0].split(", ")
    assert len({*nearest} & {*registry.registry().models.names()}) == 3
    assert sentence.endswith("; `iiszoo list models` shows all")
    assert len(sentence) < 300


def test_a_model_of_a_known_plugin_that_is_absent_says_what_to_install(resolve: Callable[[str], Any]) -> None:
    for name in ("ritm/h18", "ritm"):
        with pytest.raises(UnknownId) as error:
            resolve(name)
        assert str(error.value).startswith(f"model '{name}' needs the plugin iiszoo-ritm, which is not installed")
        assert str(error.value).endswith('run `pip install "iiszoo[ritm]"`')
    with pytest.raises(UnknownId, match=r"no model is called 'ritm/h19'; nearest: ritm/h18"):
        resolve("ritm/h19")


def constant(x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
    return torch.full_like(x[:, :1], 0.25)


class Stateless:
    """A model as a class."""

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return constant(x, z, pcs, ncs), {**z, "calls": [1]}


@pytest.mark.parametrize("callable_", [constant, Stateless, Stateless(), iiszoo.as_model(constant)])
def test_any_callable_is_a_model(callable_: Any) -> None:
    model = load_model(callable_)
    y, z = model(X, model.init_z(X), [[[(0, 0)]]], [[[]]])
    assert (model.card, float(y.mean())) == (None, 0.25)
    assert "prev_output" in z


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module's source; returns its name, importable in this test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", {**sys.modules})

    def write(source: str) -> str:
        (tmp_path / "my_method.py").write_text(source)
        return "my_method"

    return write


def test_module_colon_function_is_a_model(module: Callable[[str], str]) -> None:
    name = module("def segment(x, z, pcs, ncs):\n    return x[:, :1] + 0.75")
    model = load_model(f"{name}:segment")
    assert model.name == "my_method:segment"
    assert float(model(X, model.init_z(X), [], [])[0].mean()) == 0.75


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_here:f", "'no_such_module_here:f' cannot be imported: ModuleNotFoundError: No module named"),
        ("my_method:g", "module 'my_method' has no 'g'"),
        ("my_method:number", "my_method:number is not callable"),
        ("my_method.deeper:f", "cannot be imported"),
    ],
)
def test_a_function_that_cannot_be_had_is_named(module: Callable[[str], str], name: str, message: str) -> None:
    module("number = 3")
    with pytest.raises(BadOption, match=message):
        load_model(name)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module_here", "No module named 'no_such_module_here'"),
        ("import numpy\nnumpy.bool_of_old", "has no attribute 'bool_of_old'"),
        ("1 / 0", "division by zero"),
        ("def f(:", "invalid syntax"),
    ],
)
def test_a_module_that_fails_to_import_says_why(module: Callable[[str], str], source: str, cause: str) -> None:
    module(source)
    with pytest.raises(BadOption, match="my_method") as error:
        load_model("my_method:f")
    assert cause in str(error.value)


def test_a_bare_function_takes_neither_checkpoint_nor_options(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="is a bare function"):
        load_model(constant, checkpoint=tmp_path / "own.pth")
    with pytest.raises(BadOption, match="is a bare function"):
        load_model(constant, size=256)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_model(constant, device="cpu").device == "cpu"
    with pytest.raises(BadOption, match="device 'gpu' is not one of torch's: cpu, cuda"):
        load_model(constant, device="gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadOption, match="device 'cuda' is not available: torch finds no such device here"):
        load_model("classic/geocut", device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert load_model(constant, device="cuda:1").device == "cuda:1"
    with pytest.raises(BadOption, match="device 'cuda:2' is not available: the number of CUDA devices is 2"):
        load_model(constant, device="cuda:2")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"checkpoint .*own\.pth does not exist"):
        load_model("classic/geocut", checkpoint=tmp_path / "own.pth")
    with pytest.raises(BadOption, match="is a directory, not a file"):
        load_model("classic/geocut", checkpoint=tmp_path)


def test_a_model_by_id_knows_its_card() -> None:
    model = load_model("classic")
    assert model.card is not None
    assert (model.name, model.card.id) == ("classic/geocut", "classic/geocut")
    assert "classic/geocut" in repr(model)


def test_an_unknown_option_names_the_model_and_the_option() -> None:
    with pytest.raises(IISZooError, match=r"classic/geocut.*work_sides"):
        load_model("classic/geocut", work_sides=3)
    with pytest.raises(BadOption):
        load_model("classic/geocut", work_sides=3)


def test_a_loader_that_cannot_be_imported_is_an_error_of_its_plugin(discover: Discover) -> None:
    discover(families=FAMILIES)  # their loader is some_module:load, which nobody has
    with pytest.raises(IISZooError, match="some_module"):
        load_model("one/only")


def test_only_folder_takes_an_argument(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="dataset 'folder' needs an argument: folder:DIR"):
        load_dataset("folder")
    with pytest.raises(BadOption, match="dataset 'folder' needs an argument"):
        load_dataset("folder:")
    with pytest.raises(BadOption, match=f"dataset 'demo' takes no argument; write it without ':{tmp_path}'"):
        load_dataset(f"demo:{tmp_path}")
    with pytest.raises(UnknownId, match="no dataset is called 'floder'; nearest: folder"):
        load_dataset("floder:images")


def test_a_robot_by_id() -> None:
    assert callable(load_robot("ritm"))
    with pytest.raises(UnknownId, match="no robot is called 'human'"):
        load_robot("human")


def test_the_public_face() -> None:
    assert iiszoo.load_model is load_model
    assert iiszoo.load_dataset is load_dataset
    assert iiszoo.load_robot is load_robot
    assert issubclass(PluginError, iiszoo.IISZooError)
    assert {*iiszoo.__all__} <= {*dir(iiszoo)}
    assert all(hasattr(iiszoo, name) for name in iiszoo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'benchmark'"):
        iiszoo.benchmark  # noqa: B018
