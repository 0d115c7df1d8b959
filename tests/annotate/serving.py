"""`iiszoo annotate` in a process of its own, for tests that talk to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).parents[2]


class Served:
    """A running server: its `process`, the printed `address`, and what it has printed."""

    def __init__(self, process, lines):
        self.process, self.lines = process, lines
        self.address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))

    @property
    def host(self):
        return urlsplit(self.address).netloc

    @property
    def token(self):
        return self.address.rpartition("token=")[2]

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(30)

    def interrupt(self):
        """Ctrl-C; returns the exit code and what it says at the end."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def command(*arguments):
    return [sys.executable, "-m", "iiszoo", "annotate", *map(str, arguments), "--no-browser"]


def environment():
    path = [str(REPOSITORY), str(REPOSITORY / "tests" / "engine"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}


@contextmanager
def served(*arguments, cwd=None):
    """`iiszoo annotate ARGUMENTS --no-browser`, from when it has printed its address until the end of the block."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command(*arguments), env=environment(), cwd=cwd, stdout=pipe, stderr=pipe, text=True)
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError(f"it did not start: {''.join(lines)}{process.stderr.read()}")
        yield Served(process, lines)
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()
