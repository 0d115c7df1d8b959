"""`drive:FILE_ID` urls: a file on Google Drive, fetched with the Python package gdown if it is installed."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from iiszoo.assets import _http, _part
from iiszoo.assets._ledger import Expected
from iiszoo.assets._part import Origin, SourceFailed, WriteFailed
from iiszoo.progress import Progress

RETRIES = 3


def download(url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool:
    """Download the file to `part`; True: requests knows where it ends. Raises `SourceFailed` or `WriteFailed`."""
    file_id = url.partition(":")[2]
    if not re.fullmatch(r"[\w-]+", file_id, re.ASCII):
        raise SourceFailed("it is not of the form drive:FILE_ID")
    gdown = _gdown()
    resume = wanted.sha256 is not None  # gdown cannot ask whether the file is still the same
    source = Origin(url)
    if not resume or _part.origin(part) != source:
        _part.discard(part)
    # gdown writes beside `part` (see `_part.discard`) and renames to it at the end; the note records whose leftovers
    # those are, and gdown would take an empty part for a finished one.
    _part.begin(part, source)
    part.unlink()
    try:
        gdown.download(
            id=file_id,
            output=str(part),
            quiet=True,
            resume=resume,
            progress=progress,
            timeout=_http.STALL_SECONDS,
            retries=RETRIES,
        )
    except Exception as error:  # gdown's own, requests', and any that an unexpected page causes
        if _part.is_disk_trouble(error):
            raise WriteFailed from error
        raise SourceFailed(" ".join(str(error).split()) or type(error).__name__) from error
    if not part.is_file():
        raise SourceFailed("gdown downloaded nothing")
    return True


def _gdown() -> Any:
    try:
        gdown = import_module("gdown")
    except ImportError as error:
        raise SourceFailed(
            "it is fetched with the Python package gdown, which is not installed; run `pip install gdown`, "
            "or download the file with that id from Google Drive in a browser"
        ) from error
    if "retries" not in inspect.signature(gdown.download).parameters:
        raise SourceFailed("the installed gdown is too old; run `pip install -U gdown`")
    return gdown
