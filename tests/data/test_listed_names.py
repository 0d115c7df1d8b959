"""Names that a list states lead to files inside the folder, or are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiszoo.data.listed_names import inside

FOLDER = Path("/data/set")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("images/a.jpg", "images/a.jpg"),
        ("images//a.jpg", "images/a.jpg"),
        ("images\\sub\\a.jpg", "images/sub/a.jpg"),
        (".\\a.jpg", "a.jpg"),
        ("x/../a.jpg", "a.jpg"),
        ("/data/set/a.jpg", "a.jpg"),
        ("/data/set/../set/x/a.jpg", "x/a.jpg"),
        ("a b (1).jpg", "a b (1).jpg"),
        ("größe/猫.jpg", "größe/猫.jpg"),
        ("...", "..."),
        ("..a.jpg", "..a.jpg"),
        ("e" * 255, "e" * 255),
    ],
)
def test_a_name_inside(name: str, path: str) -> None:
    assert inside(name, FOLDER) == path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x.jpg", "leads out of the folder"),
        ("..\\x.jpg", "leads out of the folder"),
        ("..", "leads out of the folder"),
        ("a/../../x.jpg", "leads out of the folder"),
        ("a\\..\\..\\x.jpg", "leads out of the folder"),
        ("/etc/passwd", "leads out of the folder"),
        ("//etc/passwd", "leads out of the folder"),
        ("/data/set2/a.jpg", "leads out of the folder"),
        ("/data/set/../x.jpg", "leads out of the folder"),
        ("C:\\Users\\me\\a.jpg", "leads out of the folder"),
        ("c:/a.jpg", "leads out of the folder"),
        ("\\\\server\\share\\a.jpg", "leads out of the folder"),
        ("a\0.jpg", "NUL"),
        ("", "names no file"),
        (".", "names no file"),
        ("./", "names no file"),
        ("a/..", "names no file"),
        ("/data/set", "names no file"),
        ("x" * 5000, "too long for a file name, 5000 bytes"),
        ("x" * 256, "too long for a file name"),
        ("猫" * 86, "too long for a file name, 258 bytes"),
        ("x/" * 3000, "too long for a file name"),
        ("\ud800.jpg", "lone surrogate"),
        ("x\udc80/a.jpg", "lone surrogate"),
        (7, "7 is not text"),
        (None, "None is not text"),
        (["a.jpg"], "is not text"),
        (True, "True is not text"),
    ],
)  # fmt: skip
def test_a_name_that_is_refused(name: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        inside(name, FOLDER)
    assert len(str(error.value)) < 200
    assert str(error.value).isprintable()


@given(st.text(st.sampled_from("./\\ab:C\0~"), max_size=12))
@example("~/a")
def test_no_name_leads_out(name: str) -> None:
    try:
        path = inside(name, FOLDER)
    except ValueError:
        return
    assert (FOLDER / path).resolve().is_relative_to(FOLDER.resolve())
    assert (FOLDER / path).resolve() != FOLDER.resolve()
