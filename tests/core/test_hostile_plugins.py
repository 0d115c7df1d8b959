"""Whatever a plugin, its files or its commands are like: it is named, and everything else goes on."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from iiszoo import plugins
from iiszoo.cli.main import cli
from iiszoo.registry import registry

Discover = Callable[..., dict[str, plugins.Plugin]]

GOOD = "@hookimpl\ndef iiszoo_register_models(register):\n    register(model('good/base'))"
MODELS = "@hookimpl\ndef iiszoo_register_models(register):\n    "
COMMANDS = "@hookimpl\ndef iiszoo_register_commands(cli):\n    import click\n    "
CARD = "dict(id='bad/base', loader='a:b', summary='', licence='MIT')"
BAD = {
    "sys.exit": "import sys; sys.exit('needs a GPU')",
    "sys.exit(0)": "import sys; sys.exit(0)",
    "exit": "exit()",
    "GeneratorExit": "raise GeneratorExit",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "KeyboardInterrupt in a hook": MODELS + "raise KeyboardInterrupt",
    "BaseException": "raise BaseException('no')",
    "recursion": "def f():\n    f()\nf()",
    "str() raises": "class E(Exception):\n    def __str__(self):\n        raise self\nraise E",
    "str() is no text": "class E(Exception):\n    def __str__(self):\n        return 3\nraise E",
    "a megabyte": "raise ValueError('x' * 1_000_000)",
    "notes that raise": "class E(Exception):\n    __notes__ = property(lambda s: 1 / 0)\nraise E",
    "null byte": "\0",
    "summary None": MODELS + f"register(ModelCard(**{{**{CARD}, 'summary': None}}))",
    "weights not in a tuple": "from iiszoo.cards import Weights\n"
    + MODELS + f"register(ModelCard(**{CARD}, weights=Weights('a')))",
    "size in words": "from iiszoo.cards import Weights\n" + MODELS + "Weights('a', size='1 MB')",
    "got round": MODELS + f"c = ModelCard(**{CARD}); object.__setattr__(c, 'summary', None); register(c)",
    "an id of evil": MODELS + f"c = ModelCard(**{CARD}); object.__setattr__(c, 'id', []); register(c)",
    "not a card": MODELS + "register(3)",
    "nothing": MODELS + "register()",
    "command 3": COMMANDS + "cli.commands['x'] = 3",
    "command None": COMMANDS + "cli.commands['x'] = None",
    "a function": COMMANDS + "cli.commands['x'] = print",
    "a class": COMMANDS + "cli.commands['x'] = click.Command",
    "name 3": COMMANDS + "cli.commands[3] = click.Command('x')",
    "name of blanks": COMMANDS + "cli.commands[' '] = click.Command('x')",
    "name of an option": COMMANDS + "cli.commands['--help'] = click.Command('x')",
    "name with an escape": COMMANDS + "cli.commands['a\\x1b[2J'] = click.Command('x')",
    "help 3": COMMANDS + "cli.commands['x'] = click.Command('x', help=3)",
    "short help 3": COMMANDS + "cli.commands['x'] = click.Command('x', short_help=3)",
    "help raises": COMMANDS + "class C(click.Command):\n        def get_short_help_str(self, limit=45):\n"
    "            raise RuntimeError\n    cli.commands['x'] = C('x')",
    "commands gone": COMMANDS + "cli.commands = 3",
    "add_command": COMMANDS + "cli.add_command(3)",
    "own command": COMMANDS + "cli.commands['list'] = click.Command('list')",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _as_a_user_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IISZOO_STRICT_PLUGINS")


@pytest.mark.parametrize("case", BAD)
def test_a_hostile_plugin_is_broken_and_everything_else_goes_on(case: str, discover: Discover) -> None:
    found = discover(bad=BAD[case], good=GOOD)
    error = found["bad"].error
    assert error is not None
    assert found["good"].error is None
    assert len(found["bad"].failure(error)) < 1000
    assert len(found["bad"].traceback) <= 20_000
    for command in ("--help", "list", "list --json", "plugins", "plugins --json"):
        done = CliRunner().invoke(cli, command.split())
        assert done.exit_code == 0, (command, done.exception)
        if command == "plugins":
            assert "plugin bad (dist-bad 1.0) is broken" in done.output
        if command == "list":
            assert "good/base" in done.output
            assert "bad/base" not in done.output
            assert "1 plugin is broken: bad" in done.output


def damaged(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


POINTS = {
    "latin-1": b"# gr\xf6\xdfer\n[iiszoo]\nbad = plugin_bad\n",
    "random bytes behind": b"[iiszoo]\nbad = plugin_bad\n\xff\xfe\xfd",
    "UTF-16": "[iiszoo]\nbad = plugin_bad\n".encode("utf-16"),
    "no equals sign": "[iiszoo]\nbad\n",
    "another line without": "[iiszoo]\nbad = plugin_bad\nother\n",
    "no value": "[iiszoo]\nbad =\n",
    "value of blanks": "[iiszoo]\nbad = a b c\n",
    "odd value": "[iiszoo]\nbad = :::\n",
    "extras": "[iiszoo]\nbad = plugin_bad:[\n",
    "no module": "[iiszoo]\nbad = no_such_module_anywhere\n",
    "an attribute": "[iiszoo]\nbad = os:path\n",
    "a number": "[iiszoo]\nbad = sys:maxsize\n",
}


@pytest.mark.parametrize("case", POINTS)
def test_entry_points_that_are_damaged(
    case: str, discover: Discover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    discover(bad="", good=GOOD)
    (tmp_path / "site" / "dist_bad-1.0.dist-info" / "entry_points.txt").write_bytes(damaged(POINTS[case]))
    for selected in ("bad,good", None):
        monkeypatch.setenv("IISZOO_PLUGINS", selected) if selected else monkeypatch.delenv("IISZOO_PLUGINS")
        plugins.installed.cache_clear()
        found = {plugin.name: plugin for plugin in plugins.installed()}
        assert found["bad"].error is not None
        assert found["bad"].label == "bad (dist-bad 1.0)"
        assert found["good"].error is None


METADATA = {
    "not UTF-8": b"Metadata-Version: 2.1\nName: gr\xf6\xdfer\n",
    "UTF-16": "Name: x".encode("utf-16"),
    "empty": b"",
    "no headers": b"hello",
    "no name": b"Metadata-Version: 2.1\nVersion: 1.0\n",
    "absent": None,
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_that_are_damaged(case: str, discover: Discover, tmp_path: Path) -> None:
    discover(odd=GOOD.replace("good", "odd"), good=GOOD)
    file = tmp_path / "site" / "dist_odd-1.0.dist-info" / "METADATA"
    text = METADATA[case]
    file.unlink() if text is None else file.write_bytes(text)
    plugins.installed.cache_clear()
    found = {plugin.name: plugin for plugin in plugins.installed()}
    assert found["odd"].error is None
    assert found["odd"].label == "odd (dist_odd 1.0)"
    assert found["good"].label == "good (dist-good 1.0)"


@pytest.mark.parametrize("file", ["entry_points.txt", "METADATA"])
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"nonsense", b"[console_scripts]\nbad\xff = a:b\n", b""])
def test_a_distribution_that_is_none_of_ours_is_nobodys_concern(
    file: str, content: bytes, discover: Discover, tmp_path: Path
) -> None:
    other = tmp_path / "site" / "numbers-3.0.dist-info"
    other.mkdir()
    (other / file).write_bytes(content)
    (tmp_path / "site" / "odd.dist-info").mkdir()
    (tmp_path / "site" / "-.dist-info").mkdir()
    found = discover(good=GOOD)
    assert [plugin.error for plugin in found.values()] == [None, None]


def test_the_first_of_two_copies_counts(discover: Discover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    discover(good=GOOD)
    second = tmp_path / "second" / "Dist.Good-2.0.dist-info"
    second.mkdir(parents=True)
    (second / "entry_points.txt").write_text("[iiszoo]\ngood = plugin_good\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(second.parent)])
    plugins.installed.cache_clear()
    assert [plugin.label for plugin in plugins.installed()[1:]] == ["good (dist-good 1.0)"]


def test_a_card_that_is_changed_later_does_not_break_the_list(discover: Discover) -> None:
    found = discover(good=GOOD)
    (card,) = found["good"].cards
    object.__setattr__(card, "summary", None)
    done = CliRunner().invoke(cli, ["list"])
    assert done.exit_code == 0, done.exception
    assert "good/base cannot be shown: ModelCard good/base: summary must be a string, not None" in done.output
    assert "classic/geocut" in done.output


def test_what_a_plugin_keeps_of_its_card_changes_nothing(discover: Discover) -> None:
    found = discover(
        good=MODELS + "register(model('good/base')); register(model('good/other')); register(kept)\n"
        "kept = model('good/kept')\n"
        "@hookimpl\ndef iiszoo_register_commands(cli):\n    object.__setattr__(kept, 'id', 'Bad Id')"
    )
    assert found["good"].error is None
    assert "good/kept" in [card.id for card in registry().models.cards()]


@pytest.mark.parametrize("families", [1, 2000])
def test_many_cards_are_found_in_linear_time(families: int, discover: Discover) -> None:
    source = MODELS + f"[register(model(f'many{{i % {families}}}/v{{i}}'), i < {families}) for i in range(NUMBER)]"
    seconds = []
    for n in (2000, 8000):
        found = discover(**{f"many{n}": source.replace("NUMBER", str(n))})
        assert found[f"many{n}"].error is None
        assert len(found[f"many{n}"].cards) == n
        began = time.process_time()
        plugins._refuse_double_claims(list(plugins.installed()))
        assert len(registry().models.cards()) > n
        seconds.append(found[f"many{n}"].import_seconds + time.process_time() - began)
    assert seconds[1] < 12 * seconds[0] + 0.5  # four times the cards; quadratic would be sixteen times


def test_many_rivals_are_found_in_linear_time() -> None:
    from iiszoo.cards import RobotCard

    def plugin(n: int) -> plugins.Plugin:
        cards = [RobotCard(f"r{n}-{k}", "a:b", "") for k in range(10)]
        return plugins.Plugin(f"p{n}", "m", "d", "1", list(cards))

    many = [plugin(n) for n in range(1000)]
    began = time.process_time()
    plugins._refuse_double_claims(many)
    assert time.process_time() - began < 2
    assert not any(one.error for one in many)


def test_a_slow_import_is_named_while_it_lasts(
    discover: Discover, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plugins, "SLOW_SECONDS", 0.2)
    discover(slow="import sys, time\ntime.sleep(0.6)\nprint('imported', file=sys.stderr)", quick=GOOD)
    words = capfd.readouterr().err.splitlines()
    assert words == ["plugin slow (dist-slow 1.0) takes more than 0.2 s to import ...", "imported"]
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_plugins_are_found_in_a_thread_too(discover: Discover) -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(discover(bad="raise KeyboardInterrupt", good=GOOD)))
    thread.start()
    thread.join()
    assert found[0]["bad"].error is not None
    assert found[0]["good"].error is None


def test_prints_of_a_plugin_do_not_reach_stdout(discover: Discover, capfd: pytest.CaptureFixture[str]) -> None:
    discover(chatty=GOOD.replace("good", "chatty") + "\nimport sys\nprint('one')\nsys.stdout.write('two\\n')")
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "one\ntwo\n"
    assert os.environ.get("IISZOO_PLUGINS") == "chatty"
