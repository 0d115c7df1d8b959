"""What lies in the place of weights is recognised, and refused before it is taken for them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from iiszoo import assets
from iiszoo.assets import _format
from iiszoo.cards import Archive, DatasetCard, ModelCard, Weights
from iiszoo.errors import DatasetError, WeightsError

torch = pytest.importorskip("torch")

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 17000000\n"


def saved(content: object, zipped: bool = True) -> bytes:
    written = io.BytesIO()
    torch.save(content, written, _use_new_zipfile_serialization=zipped)
    return written.getvalue()


def scripted() -> bytes:
    written = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), written)
    return written.getvalue()


def zipped(**files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def tarred() -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("w.pth"))
    return written.getvalue()


def safetensors(length: int = 12) -> bytes:
    index = json.dumps({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}).encode()
    return len(index).to_bytes(8, "little") + index + bytes(length)


STATE = {"w": torch.arange(300.0)}
GOOD = {
    "zip.pth": saved(STATE),
    "legacy.pt": saved(STATE, zipped=False),
    "zip.ckpt": saved({"state_dict": STATE}),
    "w.safetensors": safetensors(),
    "w.onnx": b"\x08\x08\x12\x07pytorch\x1a\x03abc:\x04abcd",
    "w.bin": b"\x00\x01\x02 whatever",
    "names.txt": b"one\ntwo\n",
    "tokens.json": b'{"a": 1}',
}
BAD = {
    "is empty": b"",
    "a git-lfs pointer": LFS,
    "a web page": b"<!DOCTYPE html><html><title>quota exceeded</title></html>",
    "a web page ": b"\xef\xbb\xbf\n\n  <HTML lang='en'>",
    "a web page  ": b"<!-- moved --><script>location='/'</script>",
    "an XML document": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "an XML document ": b"<Error><Code>NoSuchKey</Code></Error>",
    "JSON text": b'{"error": "rate limit"}',
    "plain text ('Not Found')": b"Not Found\n",
    "plain text": "Fichier déplacé : voir la page du projet. ".encode() * 500,
    "plain text ('moved": "moved, see the page".encode("utf-16"),
    "a gzip archive": gzip.compress(saved(STATE)),
    "a bzip2 archive": bz2.compress(saved(STATE)),
    "an xz archive": lzma.compress(saved(STATE)),
    "a tar archive": tarred(),
    "a zip archive without a checkpoint's data.pkl": zipped(**{"w.pth": b"x"}),
    "an empty zip archive": zipped(),
    "a numpy archive": zipped(**{"w.npy": b"x"}),
    "a TorchScript archive": scripted(),
    "a pickle that torch.save did not write": pickle.dumps(STATE["w"].tolist()),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n\x00\x00",
    "a picture": b"\x89PNG\r\n\x1a\n\x00",
    "a PDF document": b"%PDF-1.4\n%\xe2\xe3",
    "of an unknown kind": bytes(1000),
}
HALF = {name: GOOD[name][: len(GOOD[name]) // 2] for name in ("zip.pth", "zip.ckpt", "w.safetensors")}


def card_of(filename: str, *urls: str) -> ModelCard:
    return ModelCard(
        id="toy/net", loader="toy:load", summary="", licence="MIT", weights=(Weights(filename, tuple(urls)),)
    )


@pytest.mark.parametrize("filename", GOOD)
@pytest.mark.parametrize("how", [{}, {"send_length": False, "chunked": True}], ids=["length", "chunks"])
def test_what_is_of_the_format_that_its_name_promises_is_taken(filename, how, server, tmp_path):
    card = card_of(filename, server.serve("/w", GOOD[filename], **how))
    assert assets.fetch(card).read_bytes() == GOOD[filename]
    assert assets.verify(card).sha256_from == "file"


@pytest.mark.parametrize("filename", ["w.pth", "w.pt", "w.ckpt", "w.safetensors", "w.onnx"])
@pytest.mark.parametrize("what", BAD)
def test_what_is_none_is_refused_by_name_and_the_right_file_accepted_afterwards(what, filename, tmp_path, cache):
    file, right = tmp_path / "served", next(content for name, content in GOOD.items() if Path(name).suffix in filename)
    file.write_bytes(BAD[what])
    card = card_of(filename, file.as_uri())
    place = assets.path(card)
    for action in (lambda: assets.fetch(card), lambda: assets.add(card, file)):
        with pytest.raises(WeightsError) as error:
            action()
        assert what.strip() in str(error.value)
        assert "\n" not in str(error.value)
        assert not place.exists()
    place.write_bytes(BAD[what])  # by hand
    with pytest.raises(WeightsError, match="is wrong: it is "):
        assets.verify(card)
    file.write_bytes(right)
    assert assets.fetch(card).read_bytes() == right
    assert assets.verify(card)


@pytest.mark.parametrize("content", [*HALF.values(), *list(BAD.values())[:6]])
@pytest.mark.parametrize("how", [{}, {"send_length": False}, {"send_length": False, "chunked": True}])
def test_the_next_url_is_tried(content, how, server):
    name = "w.safetensors" if content == HALF["w.safetensors"] else "zip.pth"
    card = card_of(name, server.serve("/wrong", content, **how), server.serve("/w", GOOD[name]))
    assert assets.fetch(card).read_bytes() == GOOD[name]


@pytest.mark.parametrize("name", HALF)
@pytest.mark.parametrize("how", [{}, {"chunked": True}], ids=["closed", "chunks"])
def test_a_body_of_unknown_length_that_was_cut_is_refused(name, how, server):
    url = server.serve("/w", GOOD[name], send_length=False, cut_always=len(HALF[name]), **how)
    card = card_of(name, url)
    with pytest.raises(WeightsError, match="cut"):
        assets.fetch(card)
    assert not assets.path(card).exists()
    server.serve("/w", GOOD[name], send_length=False)
    assert assets.fetch(card).read_bytes() == GOOD[name]  # these formats tell where they end


@pytest.mark.parametrize("name", ["legacy.pt", "w.onnx"])
def test_a_body_whose_end_nobody_knows_is_refused(name, server):
    url = server.serve("/w", GOOD[name], send_length=False)
    with pytest.raises(WeightsError, match=r"does not state the file's length, .*`iiszoo weights add toy/net FILE`"):
        assets.fetch(card_of(name, url))
    sized = ModelCard(
        id="toy/net", loader="a:b", summary="", licence="", weights=(Weights(name, (url,), size=len(GOOD[name])),)
    )
    assert assets.fetch(sized).read_bytes() == GOOD[name]


def test_a_web_page_of_known_hash_is_named_too(server, make_card):
    with pytest.raises(WeightsError, match=r"its sha256 is .*, but the card states .*; it is a git-lfs pointer"):
        assets.fetch(make_card(server.serve("/w", LFS)))


@pytest.mark.parametrize("content", [b"", LFS, b"<html>", b"Not Found", b'{"error": 404}'])
def test_an_archive_whose_hash_nobody_states_is_looked_at(content, server):
    archive = Archive("Tiny.zip", (server.serve("/w", content),))
    card = DatasetCard(id="tiny", loader="a:b", summary="", licence="", layout="", archives=(archive,))
    with pytest.raises(DatasetError, match=r"it is .*, not the file"):
        assets.fetch_archive(card, archive)


def test_text_that_is_cut_within_a_letter_is_text(tmp_path):
    (tmp_path / "w").write_text("é" * 5000 + "x")
    assert _format.format_of(tmp_path / "w").family == "text"
    (tmp_path / "w").write_text("x" + "é" * 5000)
    assert _format.format_of(tmp_path / "w").family == "text"


@pytest.mark.parametrize("what", BAD)
def test_load_checkpoint_says_what_it_is_and_what_to_do(what, tmp_path):
    (tmp_path / "w.pth").write_bytes(BAD[what])
    with pytest.raises(WeightsError) as error:
        assets.load_checkpoint(tmp_path / "w.pth")
    text = str(error.value)
    assert f"w.pth is not a PyTorch checkpoint: it {'' if what.startswith('is ') else 'is '}{what.strip()}" in text
    assert "; " in text
    assert "file an issue" not in text
    assert "\n" not in text


def test_load_checkpoint_of_a_directory_a_pipe_and_a_half(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "half.pth").write_bytes(HALF["zip.pth"])
    for name, said in (
        ("", "is a directory"),
        ("pipe", "is a pipe"),
        ("half.pth", "is truncated or not a PyTorch checkpoint"),
    ):
        with pytest.raises(WeightsError, match=said):
            assets.load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_safetensors_are_read_whatever_they_are_called(name, tmp_path):
    library = pytest.importorskip("safetensors.torch")
    library.save_file(STATE, tmp_path / name)
    assert torch.equal(assets.load_checkpoint(tmp_path / name)["w"], STATE["w"])


def test_safetensors_without_its_package_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    (tmp_path / "w.safetensors").write_bytes(safetensors())
    with pytest.raises(WeightsError, match="pip install safetensors"):
        assets.load_checkpoint(tmp_path / "w.safetensors")
