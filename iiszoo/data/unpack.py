"""Unpacking an archive that nobody vouches for: zip or tar, plain or compressed.

Every entry is written as a new file under the directory given, by us: no link, no device, no owner and no mode of the
archive ever reaches the disk. A link to a file of the same archive becomes a copy of that file.
"""

from __future__ import annotations

import errno
import lzma
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import IO, Any

CHUNK = 256 * 1024  # bytes

Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`, in bytes: of the contents of a zip, of a tar file itself."""

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_NAME_NOT_TAKEN = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class Refused(Exception):
    """The archive is damaged, or holds what must not be unpacked; the message is the cause, naming the entry."""


@dataclass(frozen=True)
class Entry:
    """One entry: its name as the archive has it, what it is, the target of a link, and for a file how to read it."""

    name: str
    kind: str  # "file", "directory", "link", or a word for what is refused
    size: int = 0
    target: str = ""
    open: Callable[[], IO[bytes] | None] = lambda: None


def unpack(archive: Path, into: Path, progress: Progress | None = None) -> None:
    """Write the contents of `archive` under the directory `into`, which must be empty.

    What macOS adds (`__MACOSX`) is left out. Raises `Refused`, and `OSError` where the disk does not take it; the
    directory is then half full.
    """
    links: dict[str, str] = {}
    written: set[str] = set()
    try:
        with _entries(archive, progress or (lambda done, total: None)) as entries:
            for entry in entries:
                path = inside(entry.name, f"its entry {_short(entry.name)}")
                if path.split("/")[0] == "__MACOSX" or (path == "." and entry.kind == "directory"):
                    continue
                if path == ".":
                    raise Refused(f"its entry {_short(entry.name)} has no name: it would be the folder itself")
                if entry.kind == "directory":
                    (into / path).mkdir(parents=True, exist_ok=True)
                elif entry.kind == "link":
                    links[path] = inside(entry.target, f"its link {_short(entry.name)} to {_short(entry.target)}")
                elif entry.kind == "file":
                    _write(entry, into / path)
                    written.add(path)
                else:
                    raise Refused(f"its entry {_short(entry.name)} is {entry.kind}, not a file")
        _copy_links(into, links, written)
    except _DAMAGE as error:
        raise Refused(f"it is damaged ({' '.join(str(error).split()) or type(error).__name__})") from error
    except RuntimeError as error:  # zipfile's, for a password and for a kind of compression that it lacks
        raise Refused(f"it cannot be read ({error})") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Refused(f"it holds a file and a directory of one name ({error.filename})") from error
    except OSError as error:
        if error.errno in _NAME_NOT_TAKEN and error.filename is not None:
            raise Refused(
                f"its entry {_short(error.filename)} has a name that this file system does not take ({error.strerror})"
            ) from error
        if error.errno is not None:
            raise
        raise Refused(f"it is damaged ({error})") from error  # gzip's BadGzipFile is an OSError


def _short(name: object) -> str:
    """A name as it may stand in a sentence, whatever its length."""
    shown = repr(str(name))
    return shown if len(shown) <= 120 else f"{shown[:60]}...{shown[-57:]}"


def inside(name: str, what: str) -> str:
    """The relative path that `name` stands for, with "/" and without "." and "..". Raises `Refused` where it leads out
    of the folder; the message begins with `what`.
    """
    path = name.replace("\\", "/")  # as some programs for Windows write it
    if _ABSOLUTE.match(path) or "\0" in path:
        raise Refused(f"{what} is no relative path: it would leave the folder")
    # No link is ever made, so what a path says is where it leads.
    path = posixpath.normpath(path)
    if path.split("/")[0] == "..":
        raise Refused(f"{what} leads out of the folder")
    return path


def _write(entry: Entry, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = entry.open()
    if content is None:
        raise Refused(f"its entry {_short(entry.name)} cannot be read")
    got = 0
    with content, place.open("wb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
            got += len(chunk)
    if got != entry.size:
        raise Refused(f"it is damaged ({_short(entry.name)} has {got} bytes instead of {entry.size})")


def _copy_links(into: Path, links: dict[str, str], written: set[str]) -> None:
    """Copy the file that each link leads to, through other links where need be."""
    for link, target in links.items():
        seen = {link}
        while target in links and target not in seen:
            seen.add(target)
            target = links[target]
        if target not in written or target == link:
            raise Refused(f"its link {_short(link)} leads to {_short(target)}, which is no file of it")
        (into / link).parent.mkdir(parents=True, exist_ok=True)
        copyfile(into / target, into / link)


@contextmanager
def _entries(archive: Path, progress: Progress) -> Iterator[Iterator[Entry]]:
    """The entries, which must be read in order. Raises `Refused` where it is no archive, and the libraries' errors."""
    with archive.open("rb") as file:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if is_zip:
            with zipfile.ZipFile(file) as opened:
                yield _of_zip(opened, progress)
        else:
            with _open_tar(file) as opened_tar:
                yield _of_tar(opened_tar, file, archive.stat().st_size, progress)


class _Header(tarfile.TarInfo):
    """tarfile takes any damaged header but the first for the end of the archive; here the end is a block of zeros."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(tarfile.BLOCKSIZE):
                raise
            raise tarfile.ReadError(f"it ends too early, or in between: {error}") from error


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=file, tarinfo=_Header)
    except tarfile.ReadError as error:
        raise Refused("it is neither a zip nor a tar archive, or its beginning is damaged") from error


def _of_zip(opened: zipfile.ZipFile, progress: Progress) -> Iterator[Entry]:
    members = opened.infolist()
    done, total = 0, sum(member.file_size for member in members)
    for member in members:
        mode = member.external_attr >> 16  # 0 where it was made on Windows
        # asked of the name, as zipfile does, which fails for one that is empty
        kind = "directory" if member.filename.endswith("/") else _kind(mode)
        target = opened.read(member).decode("utf-8", "replace") if kind == "link" else ""
        target = _beside(member.filename, target) if kind == "link" else ""
        yield Entry(member.filename, kind, member.file_size, target, partial(opened.open, member))
        done += member.file_size
        progress(done, total)


def _beside(link: str, target: str) -> str:
    """A symbolic link's target, which counts from where the link lies, seen from the top."""
    return target if _ABSOLUTE.match(target) else posixpath.join(posixpath.dirname(link), target)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "a device, a pipe or a socket"


def _of_tar(opened: tarfile.TarFile, file: IO[bytes], size: int, progress: Progress) -> Iterator[Entry]:
    for member in opened:
        kind, target = "a device or a pipe", ""
        if member.isreg():
            kind = "file"
        elif member.isdir():
            kind = "directory"
        elif member.islnk():
            kind, target = "link", member.linkname
        elif member.issym():
            kind, target = "link", _beside(member.name, member.linkname)
        yield Entry(member.name, kind, member.size, target, partial(opened.extractfile, member))
        progress(min(file.tell(), size), size)
    while opened.fileobj is not None and opened.fileobj.read(CHUNK):
        pass  # to the end, where the checksum of what was compressed stands
