"""Names of any bytes as text that can be printed, stored and read back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from iiszoo.errors import DatasetError, one_line
from iiszoo.file_names import escaped, for_hash, printable, sample_name, unescaped
from iiszoo.seeding import generator_for

names = st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
tricky = st.lists(st.sampled_from(["%", "25", "2", "5", "E", "9", "?", "&", "\udce9", "é", "e\u0301", "a"])).map(
    "".join
)


@given(names | tricky, st.sampled_from(["", "?", "&", "?&"]))
def test_an_escaped_name_is_valid_text_and_is_read_back(name: str, characters: str) -> None:
    text = escaped(name, characters)
    assert unescaped(text) == name
    assert json.loads(json.dumps(text).encode("utf-8")) == text
    assert text.encode("utf-8").decode("utf-8") == text
    assert not set(characters) & set(text)


@given(names | tricky, names | tricky)
def test_two_names_never_become_one(first: str, second: str) -> None:
    assert (escaped(first) == escaped(second)) == (first == second)


@given(st.text(st.characters(exclude_characters="%", exclude_categories=["Cs"])))
def test_an_ordinary_name_stays(name: str) -> None:
    assert escaped(name) == unescaped(name) == printable(name) == name


def test_how_names_are_written() -> None:
    assert escaped("caf\udce9") == "caf%E9"
    assert escaped("caf%E9") == "caf%25E9"
    assert escaped("50%") == "50%"
    assert escaped("a%20b") == "a%20b"
    assert escaped("what?", "?") == "what%3F"
    assert sample_name("cafe\u0301") == sample_name("caf\u00e9") == "caf\u00e9"


def test_nothing_dies_of_a_lone_surrogate() -> None:
    for character in ("\udce9", "\ud800", "\udfff"):
        printable(character).encode("utf-8")
        for_hash(character)
        generator_for(character, "robot", 0)
        str(DatasetError(f"/tmp/{character}: is not there")).encode("utf-8")
        one_line(ValueError(character)).encode("utf-8")
