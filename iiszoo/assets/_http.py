"""HTTP downloads that resume.

A part is resumed (`Range`) only if a mixture of two files would be noticed: the server can be asked whether its file is
still the same one (`If-Range`), or the sha256 of the whole is known.
"""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from iiszoo import __version__
from iiszoo.assets import _part
from iiszoo.assets._ledger import Expected
from iiszoo.assets._part import CHUNK, Origin, SourceFailed
from iiszoo.progress import Progress

STALL_SECONDS = 30.0
"""A server that is silent for this long is treated as if it had cut the connection."""

TRIES = 5
"""This many failed tries in a row, and the next url is taken; one that brings `WORTHWHILE` bytes ends the row."""

WORTHWHILE = 1024 * 1024  # bytes
PAUSE_SECONDS = 0.5  # after the second failed try in a row; twice as long after each further one

_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Interrupted(Exception):
    """A try failed in a way that may pass: a cut, a stall, a busy server."""


@dataclass(frozen=True)
class Answer:
    """What the server announces: the first byte that it sends, and the file that this belongs to."""

    start: int
    source: Origin


def download(url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool:
    """Complete `part` from `url`, in as many requests as needed; returns whether the server stated the file's length.

    Raises `SourceFailed`, keeping in `part` what was received, or `WriteFailed`.
    """
    failures = 0
    started = farthest = _part.length(part)
    while True:
        try:
            return _request(url, part, wanted=wanted, progress=progress)
        except Interrupted as interruption:
            cause = str(interruption)
        except urllib.error.HTTPError as error:
            error.close()
            cause = f"HTTP {error.code} {error.reason}"
            if error.code not in _PASSING:
                raise SourceFailed(cause) from error
        except (urllib.error.URLError, TimeoutError) as error:
            cause = _reason(error)
            # The server cannot be reached: another url is better than another try, unless it has just worked.
            if farthest == started and _part.length(part) <= farthest:
                raise SourceFailed(cause) from error
        except (http.client.HTTPException, OSError) as error:
            cause = _reason(error)
        # Counted from the farthest point, so that a server whose file changes at each request cannot go on forever.
        gained = max(0, _part.length(part) - farthest)
        farthest += gained
        failures = 1 if gained >= WORTHWHILE else failures + 1
        if failures >= TRIES:
            raise SourceFailed(f"{cause} ({TRIES} tries)")
        if failures > 1:
            time.sleep(PAUSE_SECONDS * 2 ** (failures - 2))


def _request(url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool:
    """One request, from the end of `part`; returns whether the server stated the end, by a length or by chunks.

    Raises `Interrupted`, `SourceFailed`, `WriteFailed` or urllib's errors.
    """
    have, validator = _resumable(url, part, wanted)
    source = _part.origin(part)
    if have and source is not None and have == source.size:
        return True
    headers = {"User-Agent": f"iiszoo/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=STALL_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        if error.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{have}":
            return True  # already complete
        _part.discard(part)
        raise Interrupted(f"the server cannot resume at byte {have}") from error
    with response:
        answer = _answer(url, response.status, response.headers)
        _check(answer, part, have, source, wanted)
        if answer.start == 0:
            _part.begin(part, answer.source)
        total = answer.source.size if answer.source.size is not None else wanted.size
        bounded = response.length is not None or response.chunked
        _part.append(part, _chunks(response), limit=total, progress=progress)
    got = _part.length(part)
    if total is not None and got < total:
        raise Interrupted(f"the connection was cut after {got} of {total} bytes")
    if response.length:  # a range of a file whose size the server does not know
        raise Interrupted(f"the connection was cut {response.length} bytes before the end")
    return total is not None or bounded


def _resumable(url: str, part: Path, wanted: Expected) -> tuple[int, str | None]:
    """The byte to resume at, and the validator for `If-Range`; (0, None) starts from zero."""
    have = _part.length(part)
    source = _part.origin(part)
    if not have or (source is not None and source.size is not None and have > source.size):
        return 0, None
    if source is not None and source.url == url and source.validator:
        return have, source.validator
    return (have, None) if wanted.sha256 is not None else (0, None)


def _answer(url: str, status: int, headers: Message) -> Answer:
    """Read a response's headers. Raises `SourceFailed` if it is not a part of the file."""
    if headers.get_content_type() == "text/html":
        raise SourceFailed("the server answers with a web page instead of the file")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise SourceFailed(f"the server sends it encoded ({headers['Content-Encoding']})")
    start, size = 0, _integer(headers.get("Content-Length"))
    if status == 206:
        content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if not content_range:
            raise SourceFailed(f"the server resumes with Content-Range {headers.get('Content-Range')!r}")
        start, size = int(content_range[1]), _integer(content_range[2])
    elif status != 200:
        raise SourceFailed(f"HTTP {status}")
    return Answer(start, Origin(url, headers.get("ETag"), headers.get("Last-Modified"), size))


def _check(answer: Answer, part: Path, have: int, source: Origin | None, wanted: Expected) -> None:
    """Refuse an answer that does not continue `part`, which is then discarded, or that has the wrong size."""
    now = answer.source
    if wanted.size is not None and now.size is not None and now.size != wanted.size:
        raise SourceFailed(f"the file there has {now.size} bytes, but {wanted.size} are expected")
    if answer.start == 0 and not have:
        return
    if answer.start not in (0, have):
        _part.discard(part)
        raise Interrupted(f"the server resumes at byte {answer.start} instead of {have}")
    if answer.start and source is not None and _differ(source, now):
        _part.discard(part)
        raise Interrupted("the file on the server has changed")


def _differ(before: Origin, now: Origin) -> bool:
    if None not in (before.size, now.size) and before.size != now.size:
        return True
    if before.url != now.url:  # mirrors have their own tags and dates
        return False
    pairs = ((before.etag, now.etag), (before.last_modified, now.last_modified))
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    # read1 hands out what has arrived: a stall or a cut then loses nothing that came before it.
    while chunk := response.read1(CHUNK):
        yield chunk


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _reason(error: object) -> str:
    if isinstance(error, urllib.error.URLError) and not isinstance(error.reason, str):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"no data for {STALL_SECONDS:g} s"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was cut"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
