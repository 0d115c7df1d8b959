"""The `.part` file: what has been fetched so far, its origin, and writing more of it.

Beside `<filename>.part` is `<filename>.part.json`, a note of its origin. Both stay when a download is interrupted, so
that the next one resumes.
"""

from __future__ import annotations

import errno
import glob
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from iiszoo.progress import Progress

CHUNK = 256 * 1024  # bytes

_DISK_TROUBLE = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "EACCES", "EPERM")
    if hasattr(errno, name)
}


class SourceFailed(Exception):
    """One url failed; the message is the cause. The next url may be tried."""


class WriteFailed(Exception):
    """Writing to disk failed: another url would not help. `__cause__` is the OSError."""


@dataclass(frozen=True)
class Origin:
    """Where a `.part` comes from: the url, what the server reported about the file, its full size in bytes."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None

    @property
    def validator(self) -> str | None:
        """What an `If-Range` header may carry: a strong ETag, else the date of the last change."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified


def part_of(place: Path) -> Path:
    """The `.part` file of the file `place`."""
    return place.with_name(place.name + ".part")


def length(part: Path) -> int:
    """Its size in bytes; 0 if it does not exist."""
    try:
        return part.stat().st_size
    except OSError:
        return 0


def origin(part: Path) -> Origin | None:
    """The note of its origin, or None if there is no readable one."""
    try:
        return Origin(**json.loads(_note(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def begin(part: Path, source: Origin) -> None:
    """Start again from zero bytes, with a note of the origin. Raises `WriteFailed`."""
    try:
        # The bytes go first: a note must never describe the bytes of another origin.
        part.write_bytes(b"")
        _note(part).write_text(json.dumps(asdict(source)))
    except OSError as error:
        raise WriteFailed from error


def append(part: Path, chunks: Iterable[bytes], *, limit: int | None, progress: Progress | None = None) -> None:
    """Write `chunks` at the end of `part`, unbuffered, so that whatever was written can be resumed.

    `limit` is the full size in bytes, if known. Raises `WriteFailed`, or `SourceFailed` if more than `limit` bytes come
    (the part is then discarded); whatever `chunks` raises passes through.
    """
    done = length(part)
    _report(progress, done, limit)
    with _open_end(part) as file:
        for chunk in chunks:
            done += len(chunk)
            if limit is not None and done > limit:
                discard(part)
                raise SourceFailed(f"it sends more than the {limit} bytes that the file should have")
            _write(file, chunk)
            _report(progress, done, limit)


def read(file: Path) -> Iterator[bytes]:
    """The bytes of a file, in chunks. Raises OSError."""
    with open(file, "rb", buffering=0) as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def discard(part: Path) -> None:
    """Remove it, its note, and any leftovers of gdown (`_drive`)."""
    leftovers = [Path(name) for name in glob.glob(glob.escape(str(part)) + "????????.part")]
    for file in (part, _note(part), *leftovers):
        file.unlink(missing_ok=True)


def is_disk_trouble(error: BaseException) -> bool:
    """Whether an exception of another library's downloader concerns the disk rather than the network."""
    return isinstance(error, OSError) and error.errno in _DISK_TROUBLE


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _open_end(part: Path) -> FileIO:
    try:
        return open(part, "ab", buffering=0)
    except OSError as error:
        raise WriteFailed from error


def _write(file: FileIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    try:
        while view:
            view = view[file.write(view) :]  # an unbuffered write may take less than it was given
    except OSError as error:
        raise WriteFailed from error


def _report(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is not None:
        progress(done, total)
