"""Plugins are found through their entry points, each by itself: a broken one is named and breaks nothing else."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from iiszoo import builtin, hookspecs, plugins
from iiszoo.cli.main import cli
from iiszoo.clicking.loading import load_robot
from iiszoo.errors import BadOption, PluginError, UnknownId
from iiszoo.registry import registry

Run = Callable[..., "CompletedProcess[str]"]
Discover = Callable[..., dict[str, plugins.Plugin]]

OWN_ERRORS = {
    "halfway": "RuntimeError: the second card could not be made",
    "needy": "ModuleNotFoundError: No module named 'a_package_that_nobody_has'",
    "oldapi": "PluginError: module iiszoo_oldapi is written for api_version 0, but this iiszoo has 1",
    "quitter": "SystemExit: quitter leaves",
}
"""The broken plugins of tests/fixtures and what each one raises; `twin` breaks beside `toy` only."""


@pytest.fixture(autouse=True)
def _as_a_user_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IISZOO_STRICT_PLUGINS")


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_an_installed_plugin_is_found(iiszoo: Run, toy_plugin: Path) -> None:
    found = iiszoo("plugins", "--json", path=[toy_plugin])
    (toy,) = (plugin for plugin in json.loads(found.stdout) if plugin["name"] == "toy")
    assert toy.pop("import_seconds") > 0
    assert toy == {
        "name": "toy",
        "module": "iiszoo_toy",
        "distribution": "iiszoo-toy",
        "version": "1.2.3",
        "status": "ok",
        "cards": ["toy/small", "toy/large", "toy-squares", "toy-random"],
        "commands": ["toy-hello"],
        "error": None,
        "traceback": None,
    }
    listed = iiszoo("list", path=[toy_plugin], env={"IISZOO_PLUGINS": "toy"})
    assert (listed.returncode, listed.stderr) == (0, "")
    for there in ("toy/large*", "toy/small", "toy-squares", "toy-random", "classic/geocut*", "grabcut", "ritm"):
        assert there in listed.stdout
    assert json.loads(iiszoo("show", "toy", "--json", path=[toy_plugin]).stdout)["model"]["id"] == "toy/large"


def test_a_plugins_command_is_a_verb_of_the_program(iiszoo: Run, toy_plugin: Path) -> None:
    greeted = iiszoo("toy-hello", path=[toy_plugin])
    assert (greeted.returncode, greeted.stdout) == (0, "hello from iiszoo-toy\n")
    assert "Greet from a plugin." in iiszoo("--help", path=[toy_plugin]).stdout
    assert iiszoo("toy-hello", path=[]).returncode == 2


def test_a_plugins_command_sets_the_exit_code(iiszoo: Run, toy_plugin: Path) -> None:
    assert iiszoo("toy-hello", "--exit-code", 3, path=[toy_plugin]).returncode == 3


BENCH_TWICE = """
import sys
from iiszoo.cli.main import cli
plain = ["bench", "--model", "toy", "--dataset", "demo", "--limit", "1", "--max-clicks", "2", "--json"]
cli.main([*plain, "--out", "plain"], standalone_mode=False)
print("---")
own = ["bench", "--model", "toy/small", "--dataset", "toy-squares", "--robot", "toy-random", "--max-clicks", "3"]
cli.main([*own, "--json", "--out", "own"], standalone_mode=False)
"""


def test_a_plugins_model_dataset_and_robot_run_in_the_bench(iiszoo: Run, toy_plugin: Path) -> None:
    done = iiszoo(program=BENCH_TWICE, path=[toy_plugin])
    assert done.returncode == 0, done.stderr
    (plain,), (own,) = (json.loads(part) for part in done.stdout.split("---\n"))
    assert plain["model"] == "toy/large", "the family's name is resolved, and the resolved id goes into the results"
    assert (plain["dataset"], plain["n_done"], plain["n_failed"]) == ("demo", 1, 0)
    assert plain["metrics"]["iou"][2] > 0, "discs on an object overlap it"
    assert (own["model"], own["dataset"], own["n_done"], own["n_failed"]) == ("toy/small", "toy-squares", 2, 0)
    assert (own["protocol"]["robot"], own["protocol"]["robot_version"]) == ("toy-random", 3)
    assert own["metrics"]["iou"][0] == 0 < own["metrics"]["iou"][1]


@pytest.mark.parametrize("name", OWN_ERRORS)
def test_a_broken_plugin_is_named_and_breaks_nothing(
    name: str, iiszoo: Run, toy_plugin: Path, broken_plugins: Path
) -> None:
    site: dict[str, Any] = {"path": [toy_plugin, broken_plugins]}
    listed = iiszoo("list", env={"IISZOO_PLUGINS": f"toy,{name}"}, **site)
    assert listed.returncode == 0
    assert lines(listed.stderr) == [f"1 plugin is broken: {name}; `iiszoo plugins` says why"]
    for there in ("classic/geocut", "grabcut", "ritm", "toy/large"):
        assert there in listed.stdout
    assert "never listed" not in listed.stdout

    asked = iiszoo("show", f"{name}/base", env={"IISZOO_PLUGINS": f"toy,{name}"}, **site)
    assert (asked.returncode, len(lines(asked.stderr))) == (2, 1)
    assert f"plugin {name} (iiszoo-{name} " in asked.stderr
    assert OWN_ERRORS[name] in asked.stderr

    strict = iiszoo("list", env={"IISZOO_PLUGINS": f"toy,{name}", "IISZOO_STRICT_PLUGINS": "1"}, **site)
    assert (strict.returncode, strict.stdout, len(lines(strict.stderr))) == (2, "", 1)
    assert OWN_ERRORS[name] in strict.stderr


def test_all_broken_plugins_at_once(iiszoo: Run, toy_plugin: Path, broken_plugins: Path) -> None:
    site: dict[str, Any] = {"path": [broken_plugins, toy_plugin]}
    listed = iiszoo("list", **site)
    assert listed.returncode == 0
    assert "classic/geocut" in listed.stdout
    assert "toy/" not in listed.stdout
    assert len(lines(listed.stderr)) == 1
    reported = iiszoo("plugins", "--json", **site)
    assert reported.returncode == 0
    by_name = {plugin["name"]: plugin for plugin in json.loads(reported.stdout)}
    for name, error in OWN_ERRORS.items():
        assert name in listed.stderr
        assert by_name[name]["status"] == "broken"
        assert by_name[name]["distribution"] == f"iiszoo-{name}"
        assert by_name[name]["cards"] == by_name[name]["commands"] == []
        assert error in by_name[name]["error"]
        assert error in by_name[name]["traceback"]
    for name in ("toy", "twin"):
        assert name in listed.stderr
        assert by_name[name]["status"] == "broken"
        assert "model family 'toy' is claimed by" in by_name[name]["error"]
        assert {"iiszoo-toy 1.2.3", "iiszoo-twin 0.4"} <= set(by_name[name]["error"].replace("(", ")").split(")"))
    table = iiszoo("plugins", **site)
    assert table.returncode == 0
    for name, error in OWN_ERRORS.items():
        assert f"plugin {name} (iiszoo-{name} " in table.stdout
        assert error in table.stdout
    benched = iiszoo("bench", "--model", "toy/small", "--max-clicks", 1, **site)
    assert (benched.returncode, len(lines(benched.stderr.strip()))) == (2, 1)
    assert benched.stderr.strip().startswith("error: model 'toy/small' cannot be used")
    assert "is claimed by" in benched.stderr


def test_selecting_one_of_two_rivals_mends_both(iiszoo: Run, toy_plugin: Path, broken_plugins: Path) -> None:
    for name, model in (("toy", "toy/large"), ("twin", "toy/twin")):
        shown = iiszoo("show", "toy", "--json", path=[toy_plugin, broken_plugins], env={"IISZOO_PLUGINS": f" {name} ,"})
        assert json.loads(shown.stdout)["model"]["id"] == model


ONE_MODEL = """
@hookimpl
def iiszoo_register_models(register):
    register(model("{0}/base"))
"""


def test_the_built_ins_come_first_and_need_no_selection(discover: Discover) -> None:
    assert [*discover()] == ["iiszoo"]
    assert [*discover(zebra=ONE_MODEL.format("zebra"), ant=ONE_MODEL.format("ant"))] == ["iiszoo", "ant", "zebra"]
    assert {"classic/geocut", "ant/base", "zebra/base"} <= {card.id for card in registry().models.cards()}


def test_selecting_a_plugin_that_is_not_there_is_an_error(
    discover: Discover, monkeypatch: pytest.MonkeyPatch, iiszoo: Run
) -> None:
    discover(ant=ONE_MODEL.format("ant"))
    monkeypatch.setenv("IISZOO_PLUGINS", "ant,bee")
    plugins.installed.cache_clear()
    with pytest.raises(BadOption, match=r"IISZOO_PLUGINS names bee, which is not installed \(installed: .*ant"):
        plugins.installed()
    told = iiszoo("list", env={"IISZOO_PLUGINS": "bee"})
    assert (told.returncode, len(lines(told.stderr))) == (2, 1)
    assert told.stderr.startswith("error: IISZOO_PLUGINS names bee")


BROKEN = {
    "a misspelt hook": (
        "@hookimpl\ndef iiszoo_register_model(register):\n    register(model('bad/base'))",
        "iiszoo_register_model'",
    ),
    "a hook with a misspelt argument": (
        "@hookimpl\ndef iiszoo_register_models(registry):\n    pass",
        "registry",
    ),
    "no api_version": ("del api_version", "states no api_version; add `api_version = 1`"),
    "api_version of tomorrow": ("api_version = 2", "written for api_version 2, but this iiszoo has 1"),
    "one of iiszoo's own commands": (
        "@hookimpl\ndef iiszoo_register_commands(cli):\n    cli.command('bench')(lambda: None)",
        "command 'bench' is iiszoo's own",
    ),
    "a model id twice": (
        "@hookimpl\ndef iiszoo_register_models(register):\n    register(model('a/b'))\n    register(model('a/b'))",
        "model 'a/b' is registered twice",
    ),
    "two defaults": (
        "@hookimpl\ndef iiszoo_register_models(register):\n"
        "    register(model('a/b'), default=True)\n    register(model('a/c'), default=True)",
        "family 'a' names two defaults: a/b and a/c",
    ),
    "a card of another kind": (
        "@hookimpl\ndef iiszoo_register_models(register):\n    register(robot('r'))",
        "iiszoo_register_models takes ModelCards, not RobotCard",
    ),
    "no card": (
        "@hookimpl\ndef iiszoo_register_datasets(register):\n    register('davis')",
        "iiszoo_register_datasets takes DatasetCards, not str",
    ),
    "a wrong card": (
        "@hookimpl\ndef iiszoo_register_models(register):\n    register(model('No Id'))",
        "card id 'No Id' is not of the form family/variant",
    ),
    "a family of iiszoo's own": (ONE_MODEL.format("classic"), "model family 'classic' is claimed by bad"),
    "a dataset of iiszoo's own": (
        "@hookimpl\ndef iiszoo_register_datasets(register):\n    register(dataset('grabcut'))",
        "dataset family 'grabcut' is claimed by bad",
    ),
    "a syntax error": ("def (", "SyntaxError"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_plugin_that_breaks_the_contract_is_refused(case: str, discover: Discover) -> None:
    source, message = BROKEN[case]
    found = discover(bad=source, good=ONE_MODEL.format("good"))
    assert found["bad"].error is not None
    assert message in found["bad"].failure(found["bad"].error)
    assert "plugin bad (dist-bad 1.0) is broken" in found["bad"].failure(found["bad"].error)
    assert type(found["bad"].error).__name__ in found["bad"].traceback
    assert found["good"].error is None
    assert found["iiszoo"].error is None
    assert {card.id for card in registry().models.cards()} == {
        "classic/geocut", "classic/grabcut", "classic/random-walker", "smp/unet-lite0", "good/base"
    }  # fmt: skip


def test_a_plugin_of_the_previous_api_version_loads_with_one_warning(
    discover: Discover, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hookspecs, "API_VERSION", 3)
    monkeypatch.setattr(builtin, "api_version", 3)
    sources = {f"v{version}": f"api_version = {version}\n{ONE_MODEL.format(f'v{version}')}" for version in (1, 2, 3, 4)}
    found = discover(**sources)
    assert [name for name, plugin in found.items() if plugin.error is not None] == ["v1", "v4"]
    assert "written for api_version 1, but this iiszoo has 3" in str(found["v1"].error)
    plugins.installed()
    (warning,) = lines(capsys.readouterr().err)
    assert warning.startswith(
        "plugin v2 (dist-v2 1.0) is written for api_version 2; this iiszoo has 3 and still loads it"
    )
    assert registry().models.resolve("v2/base").id == "v2/base"


def test_ctrl_c_while_plugins_load_stops_the_program(discover: Discover) -> None:
    swallow = "try:\n    signal.raise_signal(signal.SIGINT)\nexcept BaseException as error:\n    {}"
    for number, then in enumerate(("raise", "pass", "raise ImportError from error", "raise SystemExit")):
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            discover(**{f"slow{number}": f"import signal\n{swallow.format(then)}"})
        assert signal.getsignal(signal.SIGINT) is before


def test_a_keyboard_interrupt_of_the_plugins_own_breaks_the_plugin_alone(discover: Discover) -> None:
    found = discover(bad="raise KeyboardInterrupt", good=ONE_MODEL.format("good"))
    assert isinstance(found["bad"].error, KeyboardInterrupt)
    assert found["good"].error is None


def test_rivals_for_a_command_are_both_refused(discover: Discover) -> None:
    source = "@hookimpl\ndef iiszoo_register_commands(cli):\n    cli.command('greet')(lambda: None)"
    found = discover(ant=source, bee=source, cat=source.replace("greet", "purr"))
    for one, other in (("ant", "bee"), ("bee", "ant")):
        message = str(found[one].error)
        assert message.startswith("command 'greet' is claimed by")
        assert found[one].label in message
        assert found[other].label in message
    assert found["cat"].error is None
    assert cli.get_command(None, "purr") is not None  # type: ignore[arg-type]
    assert cli.get_command(None, "greet") is None  # type: ignore[arg-type]


def test_three_rivals_for_a_family_are_all_refused(discover: Discover) -> None:
    rivals = ("ant", "bee", "cat")
    found = discover(**{name: ONE_MODEL.format("insect") for name in rivals})
    for name in rivals:
        assert all(f"dist-{rival} 1.0" in str(found[name].error) for rival in rivals)
    with pytest.raises(PluginError, match="is claimed by"):
        registry().models.resolve("insect/base")


BOUNDARY_MODEL = ONE_MODEL.format("boundary")


def test_a_model_family_may_be_called_like_a_robot(discover: Discover) -> None:
    assert discover(boundary=BOUNDARY_MODEL)["boundary"].error is None
    assert registry().models.resolve("boundary").id == "boundary/base"
    assert callable(load_robot("boundary"))


def test_a_broken_plugin_does_not_take_away_what_others_registered(discover: Discover) -> None:
    discover(boundary=BOUNDARY_MODEL + "    raise RuntimeError('no second card')")
    assert callable(load_robot("boundary"))
    with pytest.raises(PluginError, match="no second card") as error:
        registry().models.resolve("boundary/base")
    assert isinstance(error.value.__cause__, RuntimeError)


def test_show_finds_a_robot_called_like_a_broken_plugin(discover: Discover, iiszoo: Run, tmp_path: Path) -> None:
    discover(boundary=BOUNDARY_MODEL + "    raise RuntimeError('no second card')")
    shown = iiszoo("show", "boundary", "--json", path=[tmp_path / "site"])
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["robot"]["id"] == "boundary"


def test_what_a_broken_plugin_had_staged_leads_to_it(discover: Discover) -> None:
    discover(
        bad="""
        @hookimpl
        def iiszoo_register_models(register):
            register(model("staged/base"))

        @hookimpl
        def iiszoo_register_robots(register):
            register(robot("staged-robot"))
            raise OSError("the disk is gone")
        """
    )
    for resolve, name in (
        (registry().models.resolve, "staged/base"),
        (registry().models.resolve, "staged"),
        (registry().models.resolve, "bad/other"),
        (registry().robots.resolve, "staged-robot"),
    ):
        with pytest.raises(PluginError, match=r"plugin bad \(dist-bad 1\.0\) is broken: OSError: the disk is gone"):
            resolve(name)
    with pytest.raises(UnknownId):
        registry().datasets.resolve("staged-robot")


def test_strict_raises_the_plugins_own_error_at_once(discover: Discover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="ZeroDivisionError") as error:
        discover(bad="1 / 0")
    assert isinstance(error.value.__cause__, ZeroDivisionError)
