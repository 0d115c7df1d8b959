"""`file:` urls: a file on this machine, copied."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from iiszoo.assets import _part
from iiszoo.assets._ledger import Expected
from iiszoo.assets._part import Origin, SourceFailed
from iiszoo.progress import Progress


def download(url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool:
    """Copy the file to `part`; returns True: its length is known. Raises `SourceFailed` or `WriteFailed`."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise SourceFailed(f"it names the host {parts.netloc!r}; a local file is written file:///PATH")
    copy(Path(url2pathname(parts.path)), part, url=url, size=wanted.size, progress=progress)
    return True


def copy(file: Path, part: Path, *, url: str, size: int | None, progress: Progress | None) -> None:
    """Copy `file` to `part`, from zero. Raises `SourceFailed` (absent, unreadable, not `size` bytes), `WriteFailed`."""
    try:
        if not file.is_file():
            raise SourceFailed(f"there is no file {file}")
        there = file.stat().st_size
        if size is not None and there != size:
            raise SourceFailed(f"the file there has {there} bytes, but {size} are expected")
        _part.begin(part, Origin(url, size=there))
        _part.append(part, _part.read(file), limit=there, progress=progress)
    except OSError as error:
        raise SourceFailed(f"{file} cannot be read: {error.strerror}") from error
