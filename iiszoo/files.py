"""The one way to read, replace, hash and lock files in iiszoo. Imports nothing heavy."""

from __future__ import annotations

import codecs
import errno
import hashlib
import io
import os
import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from iiszoo.errors import BadOption

_CHUNK = 1 << 20  # bytes
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_LONGEST_PART_NAME = 100
"""Bytes of a file's name that the name of its unfinished copy begins with, so that it is never too long."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file. Raises `OSError`, also for a pipe or a device, which might never end."""
    _refuse_all_but_files(os.stat(path), path)
    # the file may have been replaced meanwhile: opening a pipe must not wait for a writer
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(opened, "rb") as file:
        _refuse_all_but_files(os.fstat(opened), path)
        return file.read()


def _refuse_all_but_files(found: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file", str(path))


def read_text(path: Path) -> str:
    """The text of a file that a person may have written: UTF-8 with or without a byte order mark, or UTF-16 with one,
    as Windows tools save it. The mark is removed, and every line ends in a line feed. Raises `OSError`, or
    `UnicodeDecodeError` for another encoding.
    """
    content = read_bytes(path)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return io.StringIO(content.decode("utf-16" if wide else "utf-8-sig"), newline=None).read()


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The values of a TOML file that a person has written, read by `read_text`; `what` it is, for messages.

    Raises `BadOption`: it cannot be read, or is invalid TOML, in another encoding, or nested too deeply to read.
    """
    import tomllib

    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise BadOption(f"{what} {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BadOption(f"{what} {path} is not valid TOML: {error}") from error


def replace_text(path: Path, text: str) -> None:
    """`replace_bytes` with the text in UTF-8."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it, even on a full disk.

    The content is written to a temporary file beside `path`, which is then renamed. Raises `OSError`; the old file
    stays, and no temporary file is left.
    """
    with _part_of(path) as fresh:
        fresh.write_bytes(content)


def replace_durably(path: Path, content: bytes) -> None:
    """Write a file as `replace_bytes` does; when this returns, it survives a loss of power too. Raises `OSError`."""
    with _part_of(path) as fresh, fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the disk has the names of a directory's files; Windows has no such call. Raises `OSError`."""
    if sys.platform == "win32":
        return
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces it at the end, or is deleted if anything is raised."""
    begin = path.name.encode("utf-8", "surrogateescape")[:_LONGEST_PART_NAME].decode("utf-8", "ignore")
    fresh = path.with_name(f".{begin}.{uuid.uuid4().hex}.part")
    try:
        yield fresh
        fresh.replace(path)
    finally:
        with suppress(OSError):  # then it could not be created either, and the caller needs that error
            fresh.unlink(missing_ok=True)


def sha256(path: Path) -> tuple[str, int]:
    """A file's SHA-256 (hex) and its size in bytes. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def lock(path: Path, timeout: float = -1) -> filelock.BaseFileLock:
    """Acquire the lock of the file `path` and return it; it ends with `release()` or with the process.

    Waits `timeout` seconds (-1: forever). Raises `TimeoutError` if another process holds it, and `OSError` if the file
    cannot be created or its file system has no locks: going on without one would risk what the lock protects.
    """
    _refuse_without_locks(path)
    taken = filelock.FileLock(path, timeout)
    taken.acquire()
    return taken


def _refuse_without_locks(path: Path) -> None:
    """Without locks, filelock waits forever, or creates a file that outlives a killed process."""
    if sys.platform == "win32":
        return
    import fcntl

    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise OSError(error.errno, f"its file system has no locks ({error.strerror})", str(path)) from error
    finally:
        os.close(opened)


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of `path`, whose directory is created. `waiting` is called if another process holds it.

    Raises `OSError` as `lock` does, before the body is entered.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        taken = lock(path, 0.5)
    except TimeoutError:
        waiting()
        taken = lock(path)
    try:
        yield
    finally:
        taken.release()
