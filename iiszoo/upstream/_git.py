"""Running git without prompts, hooks, filters, or settings of a repository that contains the working directory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from iiszoo.errors import UpstreamError

# Variables that point git to another repository, set for example while a git hook runs. Variables that configure git,
# such as url.<base>.insteadOf in GIT_CONFIG_COUNT or GIT_CONFIG_GLOBAL, are kept.
_OF_ANOTHER_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
)
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.autocrlf": "false",
    "core.longPaths": "true",
    "advice.detachedHead": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",  # bytes per second: a stalled connection ends ...
    "http.lowSpeedTime": "60",  # ... after this many seconds
}


PROTOCOLS = ("https", "http", "ssh", "git", "file")
"""The transports that may be used; others, such as `ext::` and `fd::`, would run a program or read a descriptor."""


class GitFailed(Exception):
    """git ended with an error; the text is git's message."""


class Repository:
    """A repository whose files are apart from git's own directory.

    Raises `GitFailed` if git fails, and `UpstreamError` if git is not installed.
    """

    def __init__(self, git_dir: Path, files: Path) -> None:
        self.git_dir, self.files = git_dir, files
        files.mkdir(parents=True)
        self("init", "--quiet")
        # Files are written byte for byte: no line ends, no keywords, no filters, and so no LFS.
        (git_dir / "info").mkdir(exist_ok=True)
        (git_dir / "info" / "attributes").write_text("* -text -eol -ident -filter -working-tree-encoding\n")

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """The output of `git ARGUMENTS`."""
        settings = [item for key, value in _SETTINGS.items() for item in ("-c", f"{key}={value}")]
        environment = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}
        # applies to an address rewritten by url.<base>.insteadOf, too
        environment["GIT_ALLOW_PROTOCOL"] = ":".join(PROTOCOLS)
        environment |= {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.files)}
        try:
            done = subprocess.run(
                ["git", *settings, *arguments],
                cwd=self.files,
                env=environment,
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                check=False,
            )
        except FileNotFoundError as error:
            raise UpstreamError("upstream code is cloned with git, which is not installed here; install git") from error
        if done.returncode:
            raise GitFailed(_complaint(done.stderr) or f"git {arguments[0]} ended with {done.returncode}")
        return done.stdout


def _complaint(stderr: str) -> str:
    """git's complaint on one line: its fatal lines, else its last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "remote: fatal:"))]
    return "; ".join(dict.fromkeys(fatal or lines[-1:]))[:400]
