"""What the core weighs: the installed bytes of iiszoo's dependencies, and the processor time of its imports.

`python benchmarks/speed/core.py`; docs/size.md has the figures.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
CUDA = ("nvidia-", "triton", "cuda-")
PROGRAMS = {
    "python alone": ["-c", "pass"],
    "import iiszoo": ["-c", "import iiszoo"],
    "iiszoo list, without plugins": ["-m", "iiszoo", "list"],
    "import torch": ["-c", "import torch"],
    "iiszoo.load_model and iiszoo.bench": ["-c", "import iiszoo; iiszoo.load_model, iiszoo.bench"],
}


def installed_bytes() -> dict[str, int]:
    """Bytes of each distribution that the core needs, directly or not, as its own RECORD states them."""
    sizes: dict[str, int] = {}
    left = list(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"])
    while left:
        needed = Requirement(left.pop())
        name = re.sub(r"[-_.]+", "-", needed.name).lower()
        if name in sizes or (needed.marker is not None and not needed.marker.evaluate({"extra": ""})):
            continue
        try:
            found = distribution(needed.name)
        except PackageNotFoundError:
            continue
        sizes[name] = sum(file.size or 0 for file in found.files or [])
        left += found.requires or []
    return sizes


def processor_seconds(arguments: list[str], n: int = 5) -> float:
    """The least of `n` runs, user and system time together: what else the machine does matters little."""
    times = []
    for _ in range(n):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "IISZOO_PLUGINS": ""}
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def main() -> None:
    sizes = installed_bytes()
    cuda = sum(size for name, size in sizes.items() if name.startswith(CUDA))
    print(f"{len(sizes)} distributions, {sum(sizes.values()) / 1e6:.0f} MB, of which CUDA's {cuda / 1e6:.0f} MB")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size > 50e6 and not name.startswith(CUDA):
            print(f"  {name:24}{size / 1e6:7.0f} MB")
    for what, arguments in PROGRAMS.items():
        print(f"{what:36}{processor_seconds(arguments):7.3f} s")


if __name__ == "__main__":
    main()
