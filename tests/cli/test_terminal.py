"""What reaches the terminal: no character of a name that steers it, on any encoding, and no traceback where it cannot
be written.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.cli import terminal
from iiszoo.cli.main import cli

STEERING = {
    "colour": "\x1b[31m",
    "title": "\x1b]0;mine\x07",
    "C1": "\x9b31m",
    "return": "ok\rbad",
    "bell": "\x07",
    "backspace": "a\bb",
    "delete": "\x7f",
    "null-like": "\x01\x02",
    "override": "\u202e",
    "isolate": "\u2066a\u2069",
    "mark": "\u200f",
    "arabic mark": "\u061c",
    "line separator": "\u2028",
    "byte": "\udce9",
}


def is_harmless(text):
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]", text)


@given(st.text(st.characters(), max_size=30))
def test_nothing_that_steers_a_terminal_is_left_and_all_else_is(text):
    shown = terminal.shown(text)
    assert is_harmless(shown)
    kept = "".join(c for c in text if is_harmless(c))
    assert re.sub(r"\\(x..|u....)", "", shown) == kept or "\\" in text
    assert "\n" not in terminal.shown(text, one_line=True)


@pytest.mark.parametrize("text", ["plain", "naïve – é…", "写真", "سلام", "a\nb", "👩‍👩‍👧"])
def test_what_people_write_is_left_as_it_is(text):
    assert terminal.shown(text) == text


# a card of a plugin, a run, a directory with such names

PLUGIN = """
from iiszoo import hookimpl
from iiszoo.cards import ModelCard, RobotCard
BAD = {bad!r}
api_version = 1

@hookimpl
def iiszoo_register_models(register):
    register(ModelCard("evil/net", "evil:load", summary="sum" + BAD, licence="lic" + BAD, notes="a" + BAD))

@hookimpl
def iiszoo_register_robots(register):
    register(RobotCard("evil", "evil:load", summary="sum" + BAD))
"""


@pytest.fixture
def evil(tmp_path):
    """Where a plugin is installed whose names steer the terminal in every way, and a broken one."""
    bad = "".join(STEERING.values())
    for name, source in (
        ("evil", PLUGIN.format(bad=bad)),
        ("worse", f"raise RuntimeError({bad!r})"),
    ):
        (tmp_path / "site" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "site" / f"{name}.py").write_text(source)
        info = tmp_path / "site" / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[iiszoo]\n{name} = {name}\n")
    return tmp_path / "site"


ENCODINGS = ("utf-8", "ascii", "latin-1", "cp1252", "cp437")


@pytest.mark.parametrize("encoding", ENCODINGS[:2])
@pytest.mark.parametrize("arguments", ["list", "list models", "show evil/net", "plugins", "show evil"])
def test_names_of_plugins_do_not_steer_the_terminal(iiszoo, evil, arguments, encoding):
    done = iiszoo(*arguments.split(), path=[evil], env={"PYTHONIOENCODING": encoding, "IISZOO_STRICT_PLUGINS": "0"})
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert is_harmless(text)
        assert encoding == "utf-8" or text.isascii()
        assert "Traceback" not in done.stderr
    assert "\\x1b[31m" in done.stdout


@pytest.mark.parametrize("how", STEERING)
def test_what_a_person_typed_does_not_steer_the_terminal(how, capsys, monkeypatch, tmp_path):
    from iiszoo.cli.main import main

    monkeypatch.chdir(tmp_path)
    bad = STEERING[how]
    for arguments in (
        ["show", f"x/{bad}"],
        [f"verb{bad}"],
        ["list", f"kind{bad}"],
        ["list", f"--option{bad}"],
        ["bench", "--model", f"no{bad}:model"],
        ["bench", "--dataset", f"folder:{bad}"],
        ["bench", "--protocol", f"{bad}"],
        ["bench", "--protocol", f"{bad}.toml"],
        ["bench", "--robot", f"{bad}"],
        ["bench", "--shard", f"{bad}"],
        ["report", f"{bad}"],
        ["data", "path", f"x{bad}"],
        ["data", "add", "berkeley", f"x{bad}"],
        ["weights", "get", f"x/{bad}"],
        ["new", f"x{bad}"],
    ):
        monkeypatch.setattr(sys, "argv", ["iiszoo", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code == 2, (arguments, out, err)
        assert is_harmless(out + err), arguments
        assert "Traceback" not in err


def test_names_of_a_run_do_not_steer_the_terminal(bench_command, painted_photos, tmp_path, capsys, monkeypatch):
    from iiszoo.cli.main import main

    bad = "".join(STEERING[how] for how in STEERING if how != "byte")
    place = painted_photos.write(tmp_path / f"photos{bad}", 1)
    (tmp_path / "evil.toml").write_text(
        f"name = {json.dumps('rules' + bad)}\nmax_clicks = 1\n".replace("\x7f", "\\u007f")
    )
    code, out, err = bench_command(
        "-m", "painting_models:discs", "-d", f"folder:{place}", "--protocol", "evil.toml", "--out", f"out{bad}"
    )
    assert code == 0, err
    assert is_harmless(out + err)
    assert "rules\\x1b[31m" in out
    for arguments in (
        ["report", f"out{bad}"],
        ["report", f"out{bad}", "--html", f"{bad}.html"],
        ["report", f"out{bad}", "--json"],
    ):
        monkeypatch.setattr(sys, "argv", ["iiszoo", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        assert is_harmless(out + err)


def test_nothing_prints_but_the_one_place():
    for path in Path(terminal.__file__).parent.glob("*.py"):
        if path.name != "output.py":
            assert not re.search(r"click\.s?echo\(|\bprint\(", path.read_text("utf-8")), path


# encodings


def test_every_page_of_help_is_ascii():
    import click

    def pages(command, context):
        yield command.get_help(context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                yield from pages(inner, click.Context(inner, info_name=name, parent=context))

    assert all(page.isascii() for page in pages(cli, click.Context(cli, info_name="iiszoo")))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A directory of one incomplete run, whose table shows dashes."""
    from iiszoo.engine.evaluation_protocol import EvaluationProtocol
    from iiszoo.engine.runs import store
    from iiszoo.engine.runs.trace import Trace

    place = tmp_path_factory.mktemp("runs")
    identity = {
        "format": store.FORMAT,
        "model": {"id": "toy/né写", "code": "toy 1", "weights": []},
        "protocol": EvaluationProtocol(max_clicks=3, threshold=0.5).as_json(),
        "dataset": {"id": "folder:/nowhere", "n_samples": 2, "fingerprint": "f1"},
    }
    with store.begin(place / "run", identity) as writer:
        writer.append(Trace("s0", 0, [2, 2], iou=[0.5]))
    return place


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_dash_is_one_on_every_terminal(iiszoo, runs, encoding):
    env = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "iiszoo", "report", runs], env={**os.environ, **env}, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    row, *_ = [line for line in done.stdout.decode(encoding).splitlines() if "toy/n" in line]
    assert ("–" if encoding in ("utf-8", "cp1252") else "-") in row.split("1/2")[1].replace(" -", "-")
    assert "toy/né写" in row if encoding == "utf-8" else "\\u5199" in row


# a terminal that takes nothing

COMMANDS = ["list", "list --json", "plugins", "show classic/geocut", "weights list", "data path demo", "--help",
    "bench --help", "--version"]  # fmt: skip


def program(arguments, stdout):
    command = [sys.executable, "-m", "iiszoo", *arguments.split()]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_under_the_output_is_one_sentence(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "iiszoo", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: the output cannot be written: No space left on device; make room"]


@pytest.mark.parametrize("arguments", COMMANDS[:3])
def test_a_reader_that_goes_away_is_no_fault_to_tell_of(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "iiszoo", *arguments.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full", "</dev/null >/dev/null"])
def test_closed_streams_are_survived(redirection):
    command = f"{sys.executable} -m iiszoo show classic/geocut {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("code", ["EACCES", "EROFS", "ENAMETOOLONG", "EMFILE", "EIO", "ESTALE", "ENOSPC"])
def test_what_is_wrong_with_the_machine_is_one_sentence_wherever_it_is_met(code, monkeypatch, capsys):
    import errno

    from iiszoo.cli import main as program

    def fail(*_, **__):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)), "/data/x")

    monkeypatch.setattr(program.cli, "main", fail)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: /data/x: {os.strerror(getattr(errno, code))}; ")
    assert len(err.splitlines()) == 1


def test_a_fault_of_our_own_is_not_hidden(monkeypatch):
    from iiszoo.cli import main as program

    def fail(*_, **__):
        raise FileNotFoundError(2, "No such file or directory", "x")

    monkeypatch.setattr(program.cli, "main", fail)
    with pytest.raises(FileNotFoundError):
        program.main()
