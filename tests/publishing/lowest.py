"""Asks pip's resolver for a set of releases in which every direct dependency has its lower bound: `make lowest`.

Not a test of CI: where a package index offers no metadata of its own, pip downloads every wheel to read it, which is
about 3 GB, mostly torch's CUDA libraries. Nothing is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXTRAS = ("drive", "onnx", "train", "annotate")


def lowest(requirement: str) -> str | None:
    """The constraint that holds a requirement at its lower bound: the newest patch release of it, because a bound
    `>=1.11` means the series 1.11; None if it has no bound.
    """
    found = re.match(r"([\w.-]+)>=(\d+)(?:\.(\d+))?(\.[\d.]+)?", requirement)
    if found is None:
        return None
    name, major, minor, rest = found.groups()
    if rest:
        return f"{name}=={major}.{minor}{rest}"
    return f"{name}=={major}.{minor}.*" if minor else f"{name}=={major}.*"


def main() -> int:
    stated = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*stated["dependencies"], *(name for extra in EXTRAS for name in stated["optional-dependencies"][extra])]
    with tempfile.TemporaryDirectory() as directory:
        constraints = Path(directory, "lowest.txt")
        constraints.write_text("".join(f"{line}\n" for line in map(lowest, needed) if line), "utf-8")
        print(constraints.read_text("utf-8"), end="", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-c", str(constraints)]
        return subprocess.run([*pip, *needed]).returncode


if __name__ == "__main__":
    sys.exit(main())
