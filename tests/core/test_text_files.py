"""Text files as Windows and other editors save them: with a byte order mark, in UTF-16, with any line end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iiszoo import files
from iiszoo.data import file_checks, roots
from iiszoo.engine.evaluation_protocol import load_protocol
from iiszoo.engine.training import config_file
from iiszoo.errors import BadOption, DatasetError
from iiszoo.registry import registry

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark", "utf-16-be with mark"]


def write(path: Path, text: str, encoding: str) -> Path:
    name, _, mark = encoding.partition(" with ")
    path.write_bytes((("\ufeff" if mark else "") + text).encode(name))
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_is_read_without_its_mark(encoding: str, tmp_path: Path) -> None:
    assert files.read_text(write(tmp_path / "a.txt", "größe\r\n猫\n", encoding)) == "größe\n猫\n"
    assert files.read_text(write(tmp_path / "empty.txt", "", encoding)) == ""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lists_json_and_toml(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_checks.names_in(write(tmp_path / "val.txt", "2008_1\r\n\r\n2008_2\n", encoding)) == ["2008_1", "2008_2"]
    assert file_checks.json_in(write(tmp_path / "a.json", '{"größe": 1}', encoding)) == {"größe": 1}
    protocol = load_protocol(str(write(tmp_path / "short.toml", "max_clicks = 5\r\n", encoding)))
    assert protocol.max_clicks == 5
    config = config_file.read(write(tmp_path / "mine.toml", '[[data]]\r\ndataset = "sbd"\r\n', encoding))
    assert config.data[0].dataset == "sbd"
    monkeypatch.setenv("IISZOO_CONFIG", str(tmp_path))
    write(tmp_path / "datasets.json", json.dumps({"grabcut": str(tmp_path)}), encoding)
    assert roots.registered() == {"grabcut": str(tmp_path)}
    roots.register(registry().datasets.resolve("berkeley"), tmp_path)
    assert set(roots.registered()) == {"grabcut", "berkeley"}


@pytest.mark.parametrize(
    "content", [b"\xff\xfea", b"\xe4\n", b"\xef\xbb\xbf\xe4"], ids=["half", "latin-1", "mark, latin-1"]
)
def test_another_encoding_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    for name, read, error in (
        ("a.txt", file_checks.names_in, DatasetError),
        ("a.json", file_checks.json_in, DatasetError),
        ("a.toml", lambda path: load_protocol(str(path)), BadOption),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(error, match=name):
            read(path)


def test_a_deep_toml_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("seed = " + "[" * 20_000)
    with pytest.raises(BadOption, match=r"deep\.toml"):
        load_protocol(str(path))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..\\x", "x" * 300, "a\0b"])
def test_a_list_whose_names_lead_out_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "val.txt"
    path.write_text(f"good\n{name}\n")
    with pytest.raises(DatasetError, match=r"val\.txt: a name in the list cannot be used"):
        file_checks.names_in(path)
