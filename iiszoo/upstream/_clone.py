"""Cloning the files of one commit of a repository into the cache."""

from __future__ import annotations

import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import url2pathname

from iiszoo import files
from iiszoo.assets import cache_root, is_offline
from iiszoo.cards import ModelCard, Source
from iiszoo.errors import UpstreamError
from iiszoo.upstream._git import PROTOCOLS, GitFailed, Repository
from iiszoo.upstream._manifest import Manifest

_log = logging.getLogger("iiszoo.upstream")

PICTURES = ("*.gif", "*.png", "*.jpg", "*.jpeg", "*.svg", "*.pdf", "*.mp4", "*.avi", "*.mov", "*.webm", "*.ipynb")
"""Files that a repository's code does not need: left out if a server does not provide all files."""


def clone(source: Source) -> Path:
    """The directory of the files of `source.commit`, fetched with git first if the cache lacks them.

    Only that commit is requested, without its history, submodules and LFS files. A mirror that git's
    `url.<base>.insteadOf` names is used, even if it lacks pictures or other commits. A repository on this machine is
    read even with `IISZOO_OFFLINE=1`. The files are compared with git's hashes at each call.

    Raises `UpstreamError` if `source.repo` is not the address of a repository or `source.commit` not a full commit
    hash, if the repository cannot be fetched or does not have the commit, and if the files in the cache are not those
    of the commit.
    """
    there = place(source)
    if not there.is_dir():
        with _locked(there, source):
            if not there.is_dir():  # another process may have been faster
                _fetch(source, there)
    _check(source, there)
    return there / "files"


def place(source: Source) -> Path:
    """The path of a clone, present or not: `<cache>/upstream/<repository>/<commit>`, its files in `files`.

    Raises `UpstreamError` if `source.repo` is not the address of a repository, or `source.commit` not a full commit
    hash.
    """
    _check_address(source.repo)
    if not isinstance(source.commit, str) or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", source.commit):
        raise UpstreamError(
            f"repository {source.repo} cannot be cloned at {source.commit!r}: a Source names its commit by the full "
            "hash, 40 lower-case hex digits (`git rev-parse COMMIT` prints it); a shorter one may become ambiguous"
        )
    return cache_root() / "upstream" / repository_name(source) / source.commit


def source_of(card: ModelCard) -> Source:
    """The card's upstream. Raises `UpstreamError` if it names none."""
    if card.upstream is None:
        raise UpstreamError(f"the card of model {card.id} names no upstream repository, so there is nothing to clone")
    return card.upstream


def repository_name(source: Source) -> str:
    """The last part of the repository's address, in letters, digits and `_`."""
    last = re.split(r"[/:\\]", source.repo.rstrip("/\\"))[-1].removesuffix(".git")
    return re.sub(r"\W", "_", last, flags=re.ASCII)[:100] or "repository"  # file systems allow 255, suffix included


def _check_address(repo: object) -> None:
    """Raise `UpstreamError` unless it is an address that git fetches from by itself, or an absolute path.

    A relative path is not one, nor is anything that git would take for an option, or pass to a program: `ext::COMMAND`,
    `fd::17`.
    """
    problem = _problem(repo)
    if problem:
        shown = repr(repo) if len(repr(repo)) <= 200 else f"{repr(repo)[:197]}..."
        raise UpstreamError(
            f"repository {shown} cannot be cloned: {problem}; a Source names a repository by an address of "
            f"{', '.join(PROTOCOLS)} (https://HOST/PATH), by user@HOST:PATH, or by an absolute path"
        )


def _problem(repo: object) -> str:
    """Why it is not the address of a repository; "" if it is one."""
    if not isinstance(repo, str):
        return f"it is of type {type(repo).__name__}, not a string"
    if not repo.strip():
        return "it is empty"
    if re.search(r"[\x00-\x1f\x7f]", repo):
        return "it contains a control character"
    try:
        os.fsencode(repo)
    except UnicodeEncodeError:
        return "it contains a character that cannot be encoded"
    if repo.startswith("-"):
        return "git would take it for an option"
    if re.match(r"[\w+.-]*::", repo):
        return f"the transport {repo.partition('::')[0]}:: is not supported"
    if Path(repo).is_absolute():
        return "it is the root of the file system" if Path(repo) == Path(Path(repo).anchor) else ""
    scheme, colon, rest = repo.partition(":")
    if colon and (scheme == "file" or rest.startswith("//")):
        if scheme not in PROTOCOLS:
            return f"the transport {scheme} is not supported"
        host, _, path = rest.removeprefix("//").partition("/")
        if scheme == "file" and not re.match(r"(//(localhost)?)?/", rest):
            return "a file: address needs an absolute path"
        if scheme != "file" and (not host or host.rpartition("@")[2].startswith("-")):
            return "it names no host"
        return "" if path.strip("/ ") else "it names no path"
    if re.fullmatch(r"(?:[^@/\\:\s]+@)?(?![-.])[^@/\\:\s]+:[^:\s-].*", repo):
        return ""
    return "it is neither an address nor an absolute path"


def manifest(source: Source) -> Manifest | None:
    """The contents of the cached clone, unchecked; None if there is no clone. Raises `UpstreamError`."""
    there = place(source)
    return _manifest(source, there) if there.is_dir() else None


def _check(source: Source, there: Path) -> None:
    """Raise `UpstreamError` unless the files are what was committed."""
    try:
        wrong = _manifest(source, there).differences(there / "files")
    except OSError as error:
        raise UpstreamError(f"the clone of {source.repo} in {there} cannot be read: {error.strerror}") from error
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UpstreamError(
            f"the clone of {source.repo} is no longer commit {source.commit[:8]}: {wrong[0]}{more}; "
            f"remove {there} to have it cloned again"
        )


def _manifest(source: Source, there: Path) -> Manifest:
    try:
        found = Manifest.read(there / "manifest.json")
    except (OSError, ValueError, TypeError) as error:
        raise UpstreamError(
            f"the clone of {source.repo} in {there} is damaged: its manifest.json cannot be read; remove {there} to "
            "have it cloned again"
        ) from error
    if found.commit != source.commit:
        raise UpstreamError(f"{there} contains commit {found.commit}; remove it to have {source.repo} cloned again")
    return found


def _fetch(source: Source, there: Path) -> None:
    """Clone into a directory beside `there` and rename it: an interruption leaves nothing that looks like a clone.

    Each attempt has its own directory: if the process is killed, its git may go on writing to the old one for a moment.
    """
    part = there.with_name(f"{there.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    for stale in there.parent.glob(f"{there.name}.*part"):  # abandoned: the caller holds the lock
        shutil.rmtree(stale, ignore_errors=True)
    try:
        checked_out = _checked_out(source, part, there)
        checked_out.write(part / "manifest.json")
        shutil.rmtree(part / "git")
        try:
            part.rename(there)
        except OSError:
            if not there.is_dir():  # else another process was faster, whatever its lock
                raise
    except GitFailed as error:
        raise UpstreamError(
            f"repository {source.repo} cannot be cloned at {source.commit[:8]}: {error}; if you have a copy, run "
            f"`git config --global url.DIRECTORY.insteadOf {source.repo}`"
        ) from error
    except OSError as error:
        raise UpstreamError(
            f"repository {source.repo} cannot be cloned to {there}: {error.strerror or error}; free some space or get "
            "write permission there, or set IISZOO_CACHE to another directory"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _checked_out(source: Source, part: Path, there: Path) -> Manifest:
    """Write the commit's files to `part / "files"`; returns which they are. Raises `GitFailed`, `UpstreamError`."""
    git = _empty(part)
    address = git("ls-remote", "--get-url", "--", source.repo).strip()  # after url.<base>.insteadOf; no connection
    objects = _objects_here(address)
    if objects is not None:
        return _from_objects(source, part, objects)
    if is_offline() and not address.startswith("file:") and not Path(address).exists():
        raise UpstreamError(
            f"repository {source.repo} at {source.commit[:8]} is not in the cache ({there}), and IISZOO_OFFLINE is "
            "set, so no connection is made; unset it, or, if you have a copy of the repository, run "
            f"`git config --global url.DIRECTORY.insteadOf {source.repo}`"
        )
    _log.warning("cloning %s at %s", source.repo, source.commit[:8])
    refusals = []
    for what in _requests(source.commit):
        try:
            return _fetched(source, part, what)
        except GitFailed as refused:
            refusals.append(refused)
    raise refusals[-1]


def _empty(part: Path) -> Repository:
    """An empty repository, in place of what a failed attempt left."""
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    return Repository(part / "git", part / "files")


def _from_objects(source: Source, part: Path, objects: Path) -> Manifest:
    """From a repository on this machine: its objects are read in place, and nothing is requested."""
    git = _empty(part)
    (git.git_dir / "objects" / "info" / "alternates").write_text(f"{objects}\n", "utf-8")
    _require_commit(git, source)
    absent = _absent(git, source.commit)
    _check_out(git, source.commit, ["/" + re.sub(r"([\\*?\[!# ])", r"\\\1", name) for name in absent])
    return _written(git, source)


def _requests(commit: str) -> list[tuple[str, ...]]:
    """What to request from a server, the least first: the commit, with its files at checkout; with its files at once,
    if single files are refused; all branches and tags, if single commits are refused.
    """
    branches = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    return [
        ("--depth=1", "--filter=blob:none", "origin", commit),
        ("--depth=1", "origin", commit),
        ("origin", *branches),
    ]


def _fetched(source: Source, part: Path, what: tuple[str, ...]) -> Manifest:
    git = _empty(part)
    git("remote", "add", "--", "origin", source.repo)
    git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *what)
    _require_commit(git, source)
    try:
        _check_out(git, source.commit, [])
    except GitFailed:
        _check_out(git, source.commit, list(PICTURES))
    return _written(git, source)


def _objects_here(address: str) -> Path | None:
    """The objects directory of a repository on this machine, which needs no transport; None for any other."""
    path = re.sub(r"^file:(//[^/]*)?", "", address)
    local = Path(url2pathname(path) if path != address else address).absolute()
    for git_dir in (local, local / ".git", local.parent / f"{local.name}.git"):
        if (git_dir / "objects").is_dir() and (git_dir / "HEAD").is_file():
            return git_dir / "objects"
    return None


def _require_commit(git: Repository, source: Source) -> None:
    try:
        kind = git("cat-file", "-t", source.commit).strip()
    except GitFailed:
        kind = ""
    if kind != "commit":
        raise GitFailed("it does not have this commit")


def _absent(git: Repository, commit: str) -> list[str]:
    """The files that a partial mirror on this machine lacks. Raises `GitFailed` if one of them is code."""
    files = _listed(git, commit)
    report = git("cat-file", "--batch-check", stdin="".join(f"{hash}\n" for hash in files.values()))
    missing = {line.split()[0] for line in report.splitlines() if line.endswith(" missing")}
    absent = [name for name, hash in files.items() if hash in missing]
    code = [name for name in absent if name.endswith(".py")]
    if code:
        raise GitFailed(f"the mirror on this machine lacks {code[0]}")
    return absent


def _check_out(git: Repository, commit: str, left_out: list[str]) -> None:
    """`left_out`: patterns, as in a .gitignore, of files that are not needed."""
    git("config", "core.sparseCheckout", "true" if left_out else "false")
    patterns = "".join(f"{pattern}\n" for pattern in ("/*", *(f"!{each}" for each in left_out)))
    (git.git_dir / "info" / "sparse-checkout").write_text(patterns, "utf-8", "surrogateescape")
    git("checkout", "--quiet", "--force", "--detach", commit)


def _written(git: Repository, source: Source) -> Manifest:
    """What was checked out, each file compared with its hash in the commit. Raises `GitFailed` if one differs."""
    head = git("rev-parse", "HEAD").strip()
    if head != source.commit:
        raise GitFailed(f"the checkout is of commit {head}")
    listed = _listed(git, source.commit)
    there = {
        name: hash for name, hash in listed.items() if (git.files / name).is_symlink() or (git.files / name).exists()
    }
    absent = [name for name in listed if name not in there]
    if absent:
        _log.warning("%s was cloned without %d files that its mirror lacks: %s", source.repo, len(absent), absent[0])
    found = Manifest(source.repo, source.commit, there, absent)
    wrong = found.differences(git.files)
    if wrong:
        raise GitFailed(f"after the checkout {wrong[0]}")
    return found


def _listed(git: Repository, commit: str) -> dict[str, str]:
    """Path -> hash of each file of a commit, without submodules."""
    entries = [entry.partition("\t") for entry in git("ls-tree", "-r", "-z", commit).split("\0") if entry]
    return {name: head.split()[2] for head, _, name in entries if head.split()[1] == "blob"}


@contextmanager
def _locked(there: Path, source: Source) -> Iterator[None]:
    """Hold the lock of one clone, so that it is made once however many processes need it."""
    with ExitStack() as held:
        try:
            held.enter_context(
                files.locked(
                    there.with_name(there.name + ".lock"),
                    lambda: _log.warning("waiting for another process that is cloning %s", source.repo),
                )
            )
        except OSError as error:
            raise UpstreamError(
                f"repository {source.repo} cannot be cloned to {there}: {error.strerror or error}; get write "
                "permission there, or set IISZOO_CACHE to another directory"
            ) from error
        yield
