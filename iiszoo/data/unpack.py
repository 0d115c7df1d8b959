"""Unpacking an untrusted archive: zip or tar, plain or compressed.

Every entry is written as a new file under the given directory: no link, device, owner or mode of the archive reaches
the disk. A link to a file in the same archive becomes a copy of that file.
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

from iiszoo.progress import Progress

CHUNK = 256 * 1024  # bytes


_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_NAME_NOT_TAKEN = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class Refused(Exception):
    """The archive is damaged, or contains what must not be unpacked; the message is the cause, naming the entry."""


@dataclass(frozen=True)
class Entry:
    """One entry: its name in the archive, its kind, a link's target, and how to open a file."""

    name: str
    kind: str  # "file", "directory", "link", or a description of what is refused
    size: int = 0
    target: str = ""
    open: Callable[[], IO[bytes] | None] = lambda: None


def unpack(archive: Path, into: Path, progress: Progress | None = None) -> None:
    """Write the contents of `archive` under the directory `into`, which must be empty.

    What macOS adds (`__MACOSX`) is left out. Raises `Refused`, and `OSError` if the disk fails; the directory is then
    incomplete.
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
                    raise Refused(f"its entry {_short(entry.name)} has no name; it would be the folder itself")
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
    except RuntimeError as error:  # zipfile's, for a password or an unsupported compression
        raise Refused(f"it cannot be read ({error})") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Refused(f"it contains a file and a directory of the same name ({error.filename})") from error
    except OSError as error:
        if error.errno in _NAME_NOT_TAKEN and error.filename is not None:
            raise Refused(
                f"its entry {_short(error.filename)} has a name that this file system does not allow ({error.strerror})"
            ) from error
        if error.errno is not None:
            raise
        raise Refused(f"it is damaged ({error})") from error  # gzip's BadGzipFile is an OSError


def _short(name: object) -> str:
    """A name, shortened for a message."""
    shown = repr(str(name))
    return shown if len(shown) <= 120 else f"{shown[:60]}...{shown[-57:]}"


def inside(name: str, what: str) -> str:
    """`name` as a relative path, with "/" and without "." and "..". Raises `Refused` if it leads out of the folder; the
    message begins with `what`.
    """
    path = name.replace("\\", "/")  # as some Windows programs write it
    if _ABSOLUTE.match(path) or "\0" in path:
        raise Refused(f"{what} is not a relative path; it would leave the folder")
    # No links are made, so the path alone says where it leads.
    path = posixpath.normpath(path)
    if path.split("/")[0] == "..":
        raise Refused(f"{what} leads out of the folder")
    return path


def _write(entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = entry.open()
    if content is None:
        raise Refused(f"its entry {_short(entry.name)} cannot be read")
    got = 0
    with content, path.open("wb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
            got += len(chunk)
    if got != entry.size:
        raise Refused(f"it is damaged ({_short(entry.name)} has {got} bytes instead of {entry.size})")


def _copy_links(into: Path, links: dict[str, str], written: set[str]) -> None:
    """Copy the file that each link leads to, directly or through other links."""
    for link, target in links.items():
        seen = {link}
        while target in links and target not in seen:
            seen.add(target)
            target = links[target]
        if target not in written or target == link:
            raise Refused(f"its link {_short(link)} leads to {_short(target)}, which is not a file in it")
        (into / link).parent.mkdir(parents=True, exist_ok=True)
        copyfile(into / target, into / link)


@contextmanager
def _entries(archive: Path, progress: Progress) -> Iterator[Iterator[Entry]]:
    """The entries, to be read in order. Raises `Refused` if it is not an archive, and the libraries' errors."""
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
    """tarfile ends at any damaged header except the first; here only a block of zeros ends the archive."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(tarfile.BLOCKSIZE):
                raise
            raise tarfile.ReadError(f"it is cut off or has a damaged header: {error}") from error


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=file, tarinfo=_Header)
    except tarfile.ReadError as error:
        raise Refused("it is neither a zip nor a tar archive, or its beginning is damaged") from error


def _of_zip(opened: zipfile.ZipFile, progress: Progress) -> Iterator[Entry]:
    members = opened.infolist()
    done, total = 0, sum(member.file_size for member in members)
    for member in members:
        mode = member.external_attr >> 16  # 0 if it was made on Windows
        # from the name, as in zipfile, whose own check fails for an empty one
        kind = "directory" if member.filename.endswith("/") else _kind(mode)
        target = opened.read(member).decode("utf-8", "replace") if kind == "link" else ""
        target = _beside(member.filename, target) if kind == "link" else ""
        yield Entry(member.filename, kind, member.file_size, target, partial(opened.open, member))
        done += member.file_size
        progress(done, total)


def _beside(link: str, target: str) -> str:
    """A symbolic link's target, which is relative to the link, as a path from the archive's top."""
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
        pass  # to the end, where the compressed data's checksum is
