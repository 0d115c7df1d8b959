"""What processes that are started anew need of the main program: each of them imports it."""

from __future__ import annotations

import os
import sys
from multiprocessing import current_process
from pathlib import Path

from iiszoo.engine.executors.job import Job, pickled
from iiszoo.errors import BadOption

WORKER = "iiszoo-worker"
"""What the names of workers' processes begin with."""
NO_GUARD = 77
"""Exit code of a worker that reaches the call of `bench` while it imports the user's script."""
GUARD = 'put the call under `if __name__ == "__main__":`, or use one worker'


def refuse_unguarded() -> None:
    """Exit, or raise `BadOption`, if this call runs because a starting process imports the user's script."""
    process = current_process()
    if not getattr(process, "_inheriting", False):
        return
    if process.name.startswith(WORKER):
        os._exit(NO_GUARD)  # the parent reports the fault, once for all workers
    raise BadOption(f"iiszoo.bench is called while a new process imports {script()}; {GUARD}")


def script() -> str:
    """The main program, for a message."""
    return f"the script {_file()}" if _file() else "the main program"


def _file() -> str | None:
    """The main program's file, which each worker imports; None if interactive or `-c`; `<stdin>` for a pipe."""
    file: str | None = getattr(sys.modules.get("__main__"), "__file__", None)
    return file


def check_portable(job: Job) -> bytes:
    """The job as it is sent to other processes. Raises `BadOption` if it cannot be sent, or not be found there."""
    sent, of_main_program = pickled(job)
    file = _file()
    if file is not None and not Path(file).exists():
        raise BadOption(
            f"workers import the main program again, but there is no file {file}: a program on standard input, or one "
            "that was moved, cannot start them; save it in a file and run that, or use one worker"
        )
    if of_main_program is not None and file is None:
        raise BadOption(
            f"{of_main_program} is defined in an interactive session or by python -c, where workers cannot find it; "
            "save it in a file, such as slow.py, and name the model as 'slow:"
            f"{of_main_program.partition('.')[0]}', or use one worker"
        )
    return sent
