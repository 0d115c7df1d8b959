"""Unpacking: what an archive holds arrives, and whatever it holds nothing arrives elsewhere."""

from __future__ import annotations

import contextlib
import io
import posixpath
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.data.unpack import Refused, unpack

Make = Callable[..., Path]
KINDS = ("zip", "tar", "tgz", "tar.bz2", "tar.xz")


def tar_of(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, type: bytes = tarfile.REGTYPE, linkname: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type, linkname, mode
    return info


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that `path` is called after."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in files.items():
                opened.writestr(zipfile.ZipInfo(name), content)
        return path
    modes = {"tar": "w", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}
    members = [(entry(name), content) for name, content in files.items()]
    return tar_of(path, members, modes[path.suffix[1:]])


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """An empty directory, in one that holds nothing but it and the archive."""
    into = tmp_path / "sandbox" / "into"
    into.mkdir(parents=True)
    return into


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_files_arrive_as_they_were(kind: str, tmp_path: Path, into: Path) -> None:
    files = {"set/images/a.png": b"a" * 700_000, "set/masks/a.png": b"", "./set/notes.txt": b"n", "set//b": b"b"}
    seen: list[tuple[int, int]] = []
    unpack(archive_of(tmp_path / f"a.{kind}", files), into, lambda done, total: seen.append((done, total)))
    assert tree(into) == {posixpath.normpath(name): content for name, content in files.items()}
    assert seen == sorted(seen)
    assert len(seen) == 4
    assert seen[-1][0] <= seen[-1][1]


def test_the_kind_is_told_by_the_content_not_by_the_name(tmp_path: Path, into: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", {"x": b"x"}).rename(tmp_path / "22774175")
    unpack(archive, into)
    assert tree(into) == {"x": b"x"}


def test_directories_arrive_and_what_macos_adds_does_not(tmp_path: Path, into: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("set/empty/", b"")
        opened.writestr("set/a.png", b"a")
        opened.writestr("__MACOSX/set/._a.png", b"junk")
    unpack(tmp_path / "a.zip", into)
    assert tree(into) == {"set/a.png": b"a"}
    assert (into / "set" / "empty").is_dir()


def test_backslashes_are_separators(tmp_path: Path, into: Path) -> None:
    unpack(archive_of(tmp_path / "a.tar", {"set\\images\\a.png": b"a"}), into)
    assert tree(into) == {"set/images/a.png": b"a"}


def test_modes_of_the_archive_do_not_count(tmp_path: Path, into: Path) -> None:
    unpack(tar_of(tmp_path / "a.tar", [(entry("a", mode=0), b"a"), (entry("b", mode=0o6777), b"b")]), into)
    assert tree(into) == {"a": b"a", "b": b"b"}
    assert not (into / "b").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


EVIL = ["/evil", "../evil", "a/../../evil", "..", "C:\\evil", "c:evil", "\\evil", "..\\evil", "a\\..\\..\\evil"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", EVIL)
def test_a_path_that_leaves_the_folder_is_refused_by_name(kind: str, name: str, tmp_path: Path, into: Path) -> None:
    archive = archive_of(tmp_path / f"a.{kind}", {"good": b"", name: b"evil"})
    with pytest.raises(Refused) as error:
        unpack(archive, into)
    assert repr(name) in str(error.value)
    assert "folder" in str(error.value)
    assert set(tree(tmp_path / "sandbox")) <= {"into/good"}


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "../..", "C:\\secret"])
def test_a_link_that_points_outside_is_refused(type: bytes, target: str, tmp_path: Path, into: Path) -> None:
    (tmp_path / "sandbox" / "outside").write_bytes(b"secret")
    with pytest.raises(Refused, match=r"link 'sub/link' to .*folder"):
        unpack(tar_of(tmp_path / "a.tar", [(entry("sub/link", type, target), b"")]), into)
    assert tree(into) == {}


def test_a_link_is_no_way_to_write_elsewhere(tmp_path: Path, into: Path) -> None:
    """The known attack: a link that is textually inside, and an entry that goes through it."""
    members = [
        (entry("x/y/z/s", tarfile.SYMTYPE, "../../.."), b""),
        (entry("t", tarfile.SYMTYPE, "x/y/z/s/.."), b""),
        (entry("t/evil"), b"evil"),
    ]
    with pytest.raises(Refused):
        unpack(tar_of(tmp_path / "a.tar", members), into)
    assert not (tmp_path / "sandbox" / "evil").exists()
    assert not any(path.is_symlink() for path in into.rglob("*"))


def test_a_link_to_a_file_of_the_archive_becomes_a_copy(tmp_path: Path, into: Path) -> None:
    members = [
        (entry("d/symbolic", tarfile.SYMTYPE, "../e/chained"), b""),
        (entry("e/chained", tarfile.SYMTYPE, "file"), b""),
        (entry("e/file"), b"content"),
        (entry("hard", tarfile.LNKTYPE, "e/file"), b""),
    ]
    unpack(tar_of(tmp_path / "a.tar", members), into)
    assert tree(into) == dict.fromkeys(["d/symbolic", "e/chained", "e/file", "hard"], b"content")
    assert not any(path.is_symlink() for path in into.rglob("*"))
    assert (into / "hard").stat().st_nlink == 1


@pytest.mark.parametrize("target", ["link", "other", "nowhere", "directory", "."])
def test_a_link_that_leads_to_no_file_is_refused(target: str, tmp_path: Path, into: Path) -> None:
    members = [
        (entry("directory", tarfile.DIRTYPE), b""),
        (entry("link", tarfile.SYMTYPE, target), b""),
        (entry("other", tarfile.SYMTYPE, "link"), b""),
    ]
    with pytest.raises(Refused, match="which is not a file in it"):
        unpack(tar_of(tmp_path / "a.tar", members), into)


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd"])
def test_a_link_in_a_zip_is_seen_as_one(target: str, tmp_path: Path, into: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, target)
    with pytest.raises(Refused, match="link 'link' to"):
        unpack(tmp_path / "a.zip", into)
    assert not (into / "link").exists()


@pytest.mark.parametrize("type", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_refused(type: bytes, tmp_path: Path, into: Path) -> None:
    with pytest.raises(Refused, match="entry 'null' is a device or a pipe"):
        unpack(tar_of(tmp_path / "a.tar", [(entry("null", type), b"")]), into)
    assert not (into / "null").exists()


NOISE = bytes(range(256)) * 4000


# a plain tar has no checksum of its contents
DAMAGED = [(kind, "cut") for kind in KINDS] + [(kind, "changed") for kind in KINDS if kind != "tar"]


@pytest.mark.parametrize(("kind", "damage"), DAMAGED)
def test_a_damaged_archive_is_one_sentence(kind: str, damage: str, tmp_path: Path, into: Path) -> None:
    archive = archive_of(tmp_path / f"a.{kind}", {"a": NOISE, "b": NOISE[::-1]})
    data = bytearray(archive.read_bytes())
    middle = len(data) // 3
    archive.write_bytes(data[:middle] if damage == "cut" else data[:middle] + b"\xff" * 40 + data[middle + 40 :])
    with pytest.raises(Refused, match="damaged"):
        unpack(archive, into)


def test_the_checksum_at_the_very_end_counts(tmp_path: Path, into: Path) -> None:
    """tarfile itself does not read so far."""
    archive = archive_of(tmp_path / "a.tgz", {"a": b"a"})
    archive.write_bytes(archive.read_bytes()[:-8] + b"wrong...")
    with pytest.raises(Refused, match="damaged"):
        unpack(archive, into)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_tar_that_was_cut_between_two_files_is_damaged(blocks: int, tmp_path: Path, into: Path) -> None:
    """tarfile itself takes that for the end."""
    archive = archive_of(tmp_path / "a.tar", {"a": b"a", "b": b"b"})
    archive.write_bytes(archive.read_bytes()[: blocks * tarfile.BLOCKSIZE])
    with pytest.raises(Refused, match="damaged"):
        unpack(archive, into)


@pytest.mark.parametrize("content", [b"", b"<html>moved", b"PK", b"PK\3\4not a zip"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path, into: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Refused, match=r"neither a zip nor a tar|damaged"):
        unpack(tmp_path / "a.zip", into)


def test_an_encrypted_zip_is_refused(tmp_path: Path, into: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", {"a": b"a"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # the flag of the entry
    data[data.index(b"PK\1\2") + 8] |= 1  # and that of the directory
    archive.write_bytes(data)
    with pytest.raises(Refused, match=r"cannot be read .*encrypted"):
        unpack(archive, into)


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"]])
def test_a_file_and_a_directory_of_one_name_are_refused(names: list[str], tmp_path: Path, into: Path) -> None:
    with pytest.raises(Refused, match="a file and a directory of the same name"):
        unpack(archive_of(tmp_path / "a.tar", dict.fromkeys(names, b"")), into)


step = st.sampled_from(["a", "b", "..", ".", "", "C:", "a\\..\\..", "__MACOSX"])
name = st.builds("/".join, st.lists(step, min_size=1, max_size=5)).filter(bool)
member = st.tuples(name, st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]), name)


@settings(max_examples=100, deadline=None)
@given(st.lists(member, min_size=1, max_size=6))
def test_whatever_it_holds_nothing_leaves_the_folder(members: list[tuple[str, bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Path(folder, "1/2/3/4/5/6")
        into = sandbox / "into"
        into.mkdir(parents=True)
        archive = tar_of(
            Path(folder, "a.tar"),
            [(entry(name, type, link), b"x" if type == tarfile.REGTYPE else b"") for name, type, link in members],
        )
        with contextlib.suppress(Refused):
            unpack(archive, into)
        outside = [path for path in Path(folder).rglob("*") if into not in path.parents and path not in into.parents]
        assert set(outside) == {into, archive}
        assert all(path.is_dir() or path.read_bytes() == b"x" for path in into.rglob("*"))
        assert not any(path.is_symlink() for path in into.rglob("*"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["", ".", "./", "a/..", "./."])
def test_a_file_without_a_name_is_refused(kind: str, name: str, tmp_path: Path, into: Path) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr(zipfile.ZipInfo("set/a"), b"a")
            opened.writestr(zipfile.ZipInfo(name), b"" if name.endswith("/") else b"n")
    else:
        tar_of(path, [(entry("set/a"), b"a"), (entry(name), b"n")])
    if kind == "zip" and name.endswith("/"):  # the folder itself, as a directory
        unpack(path, into)
        assert tree(into) == {"set/a": b"a"}
        return
    with pytest.raises(Refused, match=r"its entry '.*' has no name; it would be the folder itself"):
        unpack(path, into)


@pytest.mark.parametrize("target", ["set/a", ""])
@pytest.mark.parametrize("name", [".", ""])
def test_a_link_without_a_name_is_refused(name: str, target: str, tmp_path: Path, into: Path) -> None:
    members = [(entry("set/a"), b"a"), (entry(name, tarfile.SYMTYPE, target), b"")]
    with pytest.raises(Refused, match="has no name"):
        unpack(tar_of(tmp_path / "a.tar", members), into)
    members = [(entry("set/a"), b"a"), (entry("set/b", tarfile.SYMTYPE, ".."), b"")]
    with pytest.raises(Refused, match="which is not a file in it"):
        unpack(tar_of(tmp_path / "a.tar", members), into)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["n" * 256, "像" * 86, "set/" + "n" * 300 + "/a.png", "a/" * 3000 + "b"])
def test_a_name_that_no_file_system_takes_is_refused_shortly(kind: str, name: str, tmp_path: Path, into: Path) -> None:
    with pytest.raises(
        Refused, match=r"has a name that this file system does not allow \(File name too long\)"
    ) as raised:
        unpack(archive_of(tmp_path / f"a.{kind}", {"set/a": b"a", name: b"n"}), into)
    assert len(str(raised.value)) < 300


def test_the_longest_name_is_taken(tmp_path: Path, into: Path) -> None:
    unpack(archive_of(tmp_path / "a.zip", {"像" * 85: b"a"}), into)
    assert tree(into) == {"像" * 85: b"a"}
