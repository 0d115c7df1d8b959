"""Workers and the main program: a model that they cannot find, and a script that they would run again, are reported."""

from __future__ import annotations

import functools
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.executors import Job
from iiszoo.engine.executors.main_program import check_portable
from iiszoo.engine.robots import RobotReference
from iiszoo.errors import BadOption
from iiszoo.model_reference import FunctionReference

MODEL = """
import torch
def model(x, z, pcs, ncs):
    return torch.zeros(len(x), 1, *x.shape[-2:])
class Model:
    __call__ = staticmethod(model)
"""
BENCH = 'iiszoo.bench({model}, "demo", limit=2, max_clicks=1, n_workers={workers}, out="runs")[0]["n_done"]'
CASES = {
    "stdin": ["'ours:model'"],
    "-c": ["functools.partial(model)"],
    "a script without a guard": ["model"],
    "a script that leaves": ["'ours:model'"],
}
SAID = {
    "stdin": ["no file <stdin>", "save it in a file", "one worker"],
    "-c": ["interactive session or by python -c", "'slow:", "one worker"],
    "a script without a guard": [
        "script.py, which calls iiszoo.bench again",
        'if __name__ == "__main__":',
        "one worker",
    ],
    "a script that leaves": [
        "imports the script",
        "script.py; put what that runs on import under",
        'if __name__ == "__main__":',
        "exit code 5",
    ],
}


def run(tmp_path: Path, source: str, how: str = "a script") -> subprocess.CompletedProcess[str]:
    (tmp_path / "ours.py").write_text(MODEL)
    (tmp_path / "script.py").write_text(source)
    arguments = {"stdin": [], "-c": ["-c", source]}.get(how, ["script.py"])
    return subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120, input=source
    )


def program(model: str, workers: int, before: str = "", *, guard: bool = False) -> str:
    call = f"print({BENCH.format(model=model, workers=workers)})"
    head = "if __name__ == '__main__':\n    " if guard else ""
    return f"import functools, iiszoo, multiprocessing\n{MODEL}\n{before}\n{head}{call}\n"


@pytest.mark.parametrize(("case", "model"), [(case, model) for case, models in CASES.items() for model in models])
def test_what_workers_cannot_do_is_said(tmp_path: Path, case: str, model: str) -> None:
    leaves = (
        'if multiprocessing.current_process().name != "MainProcess": raise SystemExit(5)'
        if case == "a script that leaves"
        else ""
    )
    done = run(tmp_path, program(model, 2, leaves), case)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    for words in SAID[case]:
        assert words in last
    assert "memory" not in done.stderr
    assert done.stderr.count("Traceback") == 1, "the workers say nothing of their own"


@pytest.mark.parametrize("how", ["-c", "a script"])
def test_what_they_can_do_is_done(tmp_path: Path, how: str) -> None:
    done = run(tmp_path, program("'ours:model'" if how == "-c" else "model", 2, guard=how != "-c"), how)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


class Held:
    """A class of a main program, as pickle sees it."""

    def __call__(self) -> None: ...


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: c(), lambda c: functools.partial(c()), lambda c: [{"a": c}]])
def test_whatever_needs_the_main_program_is_found(monkeypatch: pytest.MonkeyPatch, wrap: Any) -> None:
    main = types.ModuleType("__main__")
    main.Held = Held  # type: ignore[attr-defined]
    monkeypatch.setattr(Held, "__module__", "__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    job = Job(FunctionReference(wrap(Held)), "cpu", "demo", None, ResolvedProtocol(), 1, False, RobotReference("ritm"))
    with pytest.raises(BadOption, match="Held is defined in an interactive session"):
        check_portable(job)
    main.__file__ = __file__
    assert check_portable(job)


class Unsendable:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [SystemExit("no"), TypeError("x" * 100_000), GeneratorExit(), RecursionError()])
def test_an_object_that_cannot_be_pickled(error: BaseException) -> None:
    unsendable = FunctionReference(Unsendable(error))  # type: ignore[arg-type]
    job = Job(unsendable, "cpu", "demo", None, ResolvedProtocol(), 1, False, RobotReference("ritm"))
    with pytest.raises(BadOption, match=f"cannot be sent to workers .{type(error).__name__}") as raised:
        check_portable(job)
    assert len(str(raised.value)) < 1000
