"""`--python` may name any program: what does not speak the protocol is named so, in time and within bounds."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.errors import BadOption, ModelError, WorkerDied, WorkerLost
from iiszoo.model_reference import resolve
from iiszoo.remote import Interpreter, RemoteFunction, messages, process
from iiszoo.remote.messages import Garbled

FAKE = f"""#!{sys.executable}
import json, os, struct, subprocess, sys, time
fd, inbox, outbox = map(int, sys.argv[2:5])
def raw(data):
    while data:
        data = data[os.write(fd, data):]
def say(message):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    raw(struct.pack("!i", len(data)) + data)
def asked():
    data = b""
    while len(data) < 4:
        data += os.read(fd, 4 - len(data))
    left = struct.unpack("!i", data)[0]
    data = b""
    while len(data) < left:
        data += os.read(fd, left - len(data))
    return json.loads(data)
hello = {{"protocol": 3}}
loaded = {{"name": "fake", "ragged": False, "report": {{}}}}
def forever():
    time.sleep(60)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`fake(source)`: the path of a program that behaves so in the place of an interpreter. All waits are short."""
    monkeypatch.setattr(process, "_START_SECONDS", 3.0)
    monkeypatch.setattr(messages, "REST_SECONDS", 1.5)
    monkeypatch.setattr(messages, "_GLANCE_SECONDS", 0.2)

    def fake(source: str) -> str:
        program = tmp_path / "python"
        program.write_text(FAKE + source)
        program.chmod(0o755)
        return str(program)

    return fake


NO_PROTOCOL = "answers with something other than iiszoo's protocol"
HELLOS = {
    "abc": ("say(b'abc'); forever()", NO_PROTOCOL),
    "no frame": ("raw(b'abc\\n'); forever()", NO_PROTOCOL),
    "a long text": ("raw(b'Python 3.11 at your service\\n'); forever()", NO_PROTOCOL),
    "{}": ("say({}); forever()", "uses version None"),
    "[]": ("say([]); forever()", NO_PROTOCOL),
    "a number": ("say(3); forever()", NO_PROTOCOL),
    "null": ("say(None); forever()", NO_PROTOCOL),
    "a string": ("say('protocol'); forever()", NO_PROTOCOL),
    "nothing in a frame": ("say(b''); forever()", NO_PROTOCOL),
    "NaN": ("say(b'NaN'); forever()", NO_PROTOCOL),
    "deep": ("say(b'[' * 200000); forever()", NO_PROTOCOL),
    "many digits": ("say(b'9' * 100000); forever()", NO_PROTOCOL),
    "no text": ("say(bytes(range(256))); forever()", NO_PROTOCOL),
    "another version": ("say({'protocol': 1}); forever()", "uses version 1"),
    "a long version": ("say({'protocol': 'x' * 1000000}); forever()", "uses version 'xxx"),
    "a header alone": ("raw(struct.pack('!i', 100)); forever()", "did not start within 3 s"),
    "half a header": ("raw(b'\\0\\0'); forever()", "did not start"),
    "half a body": ("raw(struct.pack('!i', 100) + b'{' * 50); forever()", "did not start"),
    "half a body, then the end": ("raw(struct.pack('!i', 100) + b'{' * 50)", "ended with exit code 0"),
    "a trickle": ("raw(struct.pack('!i', 1000))\nwhile True: raw(b' '); time.sleep(0.1)", "did not start"),
    "a huge frame": ("raw(struct.pack('!i', 2**31 - 1)); forever()", NO_PROTOCOL),
    "a huge long frame": ("raw(struct.pack('!iQ', -1, 2**63)); forever()", NO_PROTOCOL),
    "a negative frame": ("raw(struct.pack('!i', -7)); forever()", NO_PROTOCOL),
    "a flood": ("while True: raw(b' ' * 1000000)", NO_PROTOCOL),
    "silence": ("forever()", "did not start within 3 s"),
    "the end": ("sys.exit(3)", "ended with exit code 3"),
    "a crash": ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
    "words": ("print('I am not Python'); sys.exit(1)", "its last output: I am not Python"),
    "escapes": ("print('\\x1b[2Jgone'); sys.exit(1)", "its last output:  [2Jgone"),
    "hung up, with a child": (
        "subprocess.Popen(['sleep', '60'], pass_fds=[fd]); sys.exit(4)", "ended with exit code 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HELLOS)
def test_what_says_no_proper_hello(case: str, fake) -> None:
    source, said = HELLOS[case]
    began = time.monotonic()
    with pytest.raises(BadOption, match=r"cannot be used; it needs Python >= 3.7 and numpy, but it ") as error:
        RemoteFunction("m:f", Interpreter(fake(source), 2.0), None, "cpu", {})
    assert said in str(error.value)
    assert len(str(error.value)) < 2500
    assert str(error.value).isprintable()
    assert time.monotonic() - began < 20


def test_hanging_up_without_ending(fake, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadOption, match="closed the connection, and goes on without answering"):
        RemoteFunction("m:f", Interpreter(fake("os.close(fd); forever()")), None, "cpu", {})


@pytest.mark.parametrize("program", ["true", "false", "cat", "echo"])
def test_programs_that_are_no_interpreter(program: str) -> None:
    with pytest.raises(
        BadOption, match=r"cannot be used; it needs Python >= 3.7 and numpy, but it ended with exit code"
    ):
        RemoteFunction("m:f", Interpreter(program), None, "cpu", {})


def test_endless_output_without_a_newline_takes_no_memory(fake) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = "for _ in range(300): os.write(1, b'x' * 1000000)\nos.write(1, b' the end'); sys.exit(1)"
    with pytest.raises(BadOption, match=r"its last output: x+ the end") as error:
        RemoteFunction("m:f", Interpreter(fake(source)), None, "cpu", {})
    assert len(str(error.value)) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


LOADS = {
    "{}": "say({})",
    "[]": "say([])",
    "abc": "say(b'abc')",
    "no name": "say({**loaded, 'name': None})",
    "ragged in words": "say({**loaded, 'ragged': 'no'})",
    "a report in a list": "say({**loaded, 'report': []})",
    "an error of null": "say({'error': None})",
    "an error in words": "say({'error': 'no'})",
    "an error without a text": "say({'error': {'type': 'E'}})",
    "a header alone": "raw(struct.pack('!i', 100))",
    "a trickle": "raw(struct.pack('!i', 1000))\nwhile True: raw(b' '); time.sleep(0.1)",
    "the end": "sys.exit(2)",
}


@pytest.mark.parametrize("case", LOADS)
def test_what_does_not_load_properly(case: str, fake) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"model m:f cannot be loaded in .*: its worker ") as error:
        RemoteFunction("m:f", Interpreter(fake(f"say(hello); asked()\n{LOADS[case]}\nforever()")), None, "cpu", {})
    assert str(error.value).isprintable()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "reply",
    ["{}", "{'identity': {}, 'threshold': 0.5}", "{'identity': {'id': 'a'}}",
     "{'identity': {'id': 3}, 'threshold': 0.5}",
     "{'identity': {'id': 'a'}, 'threshold': '1'}"],
)  # fmt: skip
def test_what_does_not_identify_properly(reply: str, fake) -> None:
    with pytest.raises(ModelError, match="answers with something other than iiszoo's protocol"):
        resolve("m:f", interpreter=Interpreter(fake(f"say(hello); asked(); say({reply}); forever()")))


def test_errors_of_the_other_side_are_bounded(fake) -> None:
    frame = "['/f' * 1000000, 1, 'g' * 1000000, 'm']"
    error = f"{{'type': 'E' * 1000000, 'text': 'x' * 1000000, 'traceback': 'y' * 1000000, 'frames': [{frame}]}}"
    error = f"{{'error': {error}}}"
    with pytest.raises(BadOption) as raised:
        RemoteFunction("m:f", Interpreter(fake(f"say(hello); asked(); say({error}); forever()")), None, "cpu", {})
    assert len(str(raised.value)) < 3000


PLACE = "{'at': 0, 'shape': [1, 1, 4, 5], 'dtype': '<f4'}"
EMPTY = PLACE.replace("[1, 1, 4, 5]", "[0]")
ANSWERS = {
    "{}": "{}",
    "no y": "{'z': {}, 'prev_output': None}",
    "y null": "{'y': None, 'z': {}, 'prev_output': None}",
    "y in words": "{'y': 'mask', 'z': {}, 'prev_output': None}",
    "no shape": "{'y': {'at': 0, 'dtype': '<f4'}, 'z': {}, 'prev_output': None}",
    "no room": f"{{'y': {PLACE}, 'z': {{}}, 'prev_output': None}}",
    "a huge shape": "{'y': {'at': 0, 'shape': [1 << 40, 1 << 40], 'dtype': '<f4'}, 'z': {}, 'prev_output': None}",
    "a negative shape": "{'y': {'at': 0, 'shape': [-1, -4], 'dtype': '<f4'}, 'z': {}, 'prev_output': None}",
    "a shape in words": "{'y': {'at': 0, 'shape': 'ab', 'dtype': '<f4'}, 'z': {}, 'prev_output': None}",
    "before the start": "{'y': {'at': -8, 'shape': [1], 'dtype': '<f4'}, 'z': {}, 'prev_output': None}",
    "objects": "{'y': {'at': 0, 'shape': [0], 'dtype': '|O'}, 'z': {}, 'prev_output': None}",
    "no type": "{'y': {'at': 0, 'shape': [0], 'dtype': 'nothing'}, 'z': {}, 'prev_output': None}",
    "z a list": f"{{'y': {EMPTY}, 'z': [], 'prev_output': None}}",
    "z unknown": f"{{'y': {EMPTY}, 'z': {{'a': [{{'id': 'x'}}]}}, 'prev_output': None}}",
    "z of numbers": f"{{'y': {EMPTY}, 'z': {{'a': 3}}, 'prev_output': None}}",
    "z with no id": f"{{'y': {EMPTY}, 'z': {{'a': [{{'new': None}}]}}, 'prev_output': None}}",
    "no frame": None,
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_makes_no_sense_is_a_death(case: str, fake) -> None:
    reply = "raw(b'abc')" if ANSWERS[case] is None else f"say({ANSWERS[case]})"
    source = f"say(hello); asked(); say(loaded); asked()\n{reply}\nforever()"
    model = RemoteFunction("m:f", Interpreter(fake(source), 1.0), None, "cpu", {})
    x = torch.zeros(1, 3, 4, 5)
    for _ in range(4):  # each time another worker, until another would not help
        with pytest.raises(WorkerDied, match="the worker of model fake"):
            model(x, {"prev_output": torch.zeros(1, 1, 4, 5)}, [[[(0, 0)]]], [[[]]])
    with pytest.raises(WorkerLost, match="the run ends: what was done is kept"):
        model(x, {"prev_output": torch.zeros(1, 1, 4, 5)}, [[[(0, 0)]]], [[[]]])


def test_a_request_that_is_not_taken(fake) -> None:
    model = RemoteFunction(
        "m:f", Interpreter(fake("say(hello); asked(); say(loaded); forever()"), 1.0), None, "cpu", {}
    )
    clicks = [[[(0, 0)]]] * 60_000  # more than the pipe holds
    with pytest.raises(WorkerDied, match="did not take a request within 1 s"):
        model(torch.zeros(1, 3, 4, 5), {"prev_output": torch.zeros(1, 1, 4, 5)}, clicks, clicks)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_message_or_are_named(data: bytes, framed: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall((struct.pack("!i", len(data)) if framed else b"") + data)
        theirs.close()
        with contextlib.suppress(Garbled, EOFError):
            assert isinstance(messages.receive(ours, 5, lambda: True), dict)


@given(st.dictionaries(st.text(), st.recursive(st.integers() | st.text() | st.none(), st.lists, max_leaves=20)))
@settings(max_examples=50, deadline=None)
def test_what_is_sent_is_received(message: dict) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=messages.send, args=(theirs, message, 5))
        sender.start()
        assert messages.receive(ours, 5, lambda: True) == json.loads(json.dumps(message))
        sender.join()
