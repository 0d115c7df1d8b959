"""An option of the wrong type is refused by its name, before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.errors import BadOption
from iiszoo.loader_options import checked_options
from iiszoo.loading import load_dataset, load_model
from iiszoo.model_reference import resolve
from iiszoo.names import parse_name

LOADER = """
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Anything


def load(
    card, *, device, checkpoint=None, reach: int = 3, scale: Optional[float] = None, mode: Literal["fast", 2] = "fast",
    file: str = "", place: Optional[Path] = None, size: "int | str" = 400, fast: bool = False, many: list[int] = (),
    strange: "Anything" = 1, broken: "(" = 1, note: Annotated[int, "pixels"] = 1, any: Any = 1, old=2, word="a",
    none=None,
):
    raise AssertionError("nothing is to be loaded")
"""


def loader_of(future: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "of_the_test"}
    exec(compile(f"{future}\n{LOADER}", "loader.py", "exec", dont_inherit=True), space)
    return space["load"]  # type: ignore[no-any-return]


LOADERS = [loader_of(""), loader_of("from __future__ import annotations")]


def checked(loader: Callable[..., Any], option: str) -> Any:
    (value,) = checked_options("model m/a", loader, parse_name(f"m?{option}").options, ()).values()
    return value


@pytest.mark.parametrize("loader", LOADERS, ids=["evaluated", "as text"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("reach=5", 5), ("scale=2", 2), ("scale=0.5", 0.5), ("mode=fast", "fast"), ("mode=2", 2), ("file=3", "3"),
        ("file=true", "true"), ("file=a.png", "a.png"), ("place=3", "3"), ("size=448", 448),
        ("size=448x448", "448x448"),
        ("fast=true", True), ("many=abc", "abc"), ("strange=abc", "abc"), ("broken=abc", "abc"), ("note=3", 3),
        ("any=abc", "abc"), ("old=1.5", 1.5), ("word=3", "3"), ("none=abc", "abc"), ("none=3", 3),
    ],
)  # fmt: skip
def test_values_that_fit(loader: Callable[..., Any], option: str, value: Any) -> None:
    found = checked(loader, option)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("loader", LOADERS, ids=["evaluated", "as text"])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("reach=abc", "'reach' must be a whole number, not 'abc'"),
        ("reach=1.5", "'reach' must be a whole number, not 1.5"),
        ("reach=true", "'reach' must be a whole number, not True"),
        ("scale=abc", "'scale' must be a number, not 'abc'"),
        ("scale=NaN", "'scale' must be a number, not nan"),
        ("scale=false", "'scale' must be a number, not False"),
        ("mode=slow", "'mode' must be 'fast' or 2, not 'slow'"),
        ("fast=1", "'fast' must be true or false, not 1"),
        ("fast=yes", "'fast' must be true or false, not 'yes'"),
        ("note=1.5", "'note' must be a whole number, not 1.5"),
        ("old=abc", "'old' must be a number, not 'abc'"),
    ],
)
def test_values_of_another_type(loader: Callable[..., Any], option: str, said: str) -> None:
    with pytest.raises(BadOption) as error:
        checked(loader, option)
    assert str(error.value) == f"model m/a: option {said}"


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=50)))
def test_whatever_is_given_for_a_number_is_a_number_or_refused(value: Any) -> None:
    if type(value) in (int, float) and math.isfinite(value):
        assert checked_options("m", LOADERS[0], {"scale": value}, ())["scale"] is value
    else:
        with pytest.raises(BadOption, match=r"^m: option 'scale' must be a number, not "):
            checked_options("m", LOADERS[0], {"scale": value}, ())


def test_none_is_what_it_means_by_default() -> None:
    assert checked_options("m", LOADERS[0], {"scale": None, "none": None}, ()) == {"scale": None, "none": None}


def test_a_model_and_a_dataset_are_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="model ritm/h18s: option 'zoom' must be true or false, not 3"):
        resolve("ritm?zoom=3").fetch()  # nothing is fetched
    with pytest.raises(BadOption, match="model smp/unet-lite0: option 'flip' must be true or false, not 'abc'"):
        load_model("smp?flip=abc")
    with pytest.raises(BadOption, match="objects must be all or values, not 3"):
        load_dataset(f"folder:{tmp_path}?objects=3")  # a text, which the loader refuses itself


def test_a_text_that_looks_like_a_number_keeps_the_models_name() -> None:
    assert resolve("ritm?size=600").name == "ritm/h18s?size=600"
