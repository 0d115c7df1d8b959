"""`iiszoo upstream show` and `verify`: our implementation beside the clone's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import small_fork
import torch

from iiszoo import plugins, registry
from iiszoo.cli.main import main
from iiszoo.upstream import load

PLUGIN = """
import iiszoo
from iiszoo.cards import ModelCard, Source

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register):
    source = Source({repo!r}, {commit!r}, "MIT")
    for name in ("same", "shifted", "moved", "broken", "plain"):
        register(
            ModelCard(
                id=f"toyfork/{{name}}", loader="toyfork_models:load", summary="", licence="MIT", upstream=source,
                upstream_loader="" if name == "plain" else "toyfork_models:load_upstream", threshold=0.49,
            )
        )
    register(ModelCard(id="toyfork/homeless", loader="toyfork_models:load", summary="", licence="MIT"))
"""

MODELS = """
import torch

from iiszoo.upstream import isegm_model

OPTIONS = dict(zoom_in={"target_size": 400})


def build(clone):
    return clone.import_module("isegm.model.is_disc_model").DiscModel(radius=9)


def load_upstream(card, *, device, checkpoint=None, gain=1.0):
    return isegm_model(card.upstream, checkpoint, build=build, device=device, gain=gain)


def load(card, *, device, checkpoint, gain=1.0):
    model = load_upstream(card, device=device, checkpoint=checkpoint, gain=gain)

    def ours(x, z, pcs, ncs):
        y, z = model(x, z, pcs, ncs)
        if card.id.endswith("shifted"):
            y = (y + 0.25).clamp(max=1)
        if card.id.endswith("moved"):
            z = {**z, "roi": z["roi"] + 1}
        if card.id.endswith("broken"):
            raise RuntimeError("no such luck")
        return y, z

    ours.init_z = model.init_z
    return ours
"""


@pytest.fixture
def source(repository, tmp_path, monkeypatch):
    """A plugin whose models are of this repository, found through its entry point in this process."""
    source = repository(small_fork.FILES)
    site = tmp_path / "site"
    (site / "toyfork-1.0.dist-info").mkdir(parents=True)
    (site / "toyfork-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toyfork\nVersion: 1.0\n")
    (site / "toyfork-1.0.dist-info" / "entry_points.txt").write_text("[iiszoo]\ntoyfork = toyfork\n")
    (site / "toyfork.py").write_text(PLUGIN.format(repo=source.repo, commit=source.commit))
    (site / "toyfork_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("IISZOO_PLUGINS", "toyfork")
    plugins.installed.cache_clear()
    registry.registry.cache_clear()
    yield source
    for module in ("toyfork", "toyfork_models"):
        sys.modules.pop(module, None)
    plugins.installed.cache_clear()
    registry.registry.cache_clear()


@pytest.fixture
def command(source, monkeypatch, capsys):
    """`command(...)`: run `iiszoo upstream ...`; its exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["iiszoo", "upstream", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_equal_models_are_said_to_be_equal_and_synthetic_weights_to_be_synthetic(command):
    code, out, _ = command("verify", "toyfork/same", "--synthetic", "--samples", 2, "--clicks", 3)
    assert code == 0
    assert "SYNTHETIC weights, not trained ones" in out
    assert "probabilities are equal" in out
    assert re.search(r"2 samples of demo, \d clicks of robot ritm", out)
    clicks = re.search(r"(\d) clicks", out)[1]
    assert f"masks equal: {clicks} of {clicks}, above 0.49" in out
    assert f"ROIs equal: {clicks} of {clicks}" in out
    assert "shims used: numpy.int" in out


def test_json_for_machines(command, source):
    code, out, err = command("verify", "toyfork/same", "--synthetic", "--samples", 1, "--clicks", 2, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["agree"] is True
    assert (told["model"], told["repo"], told["commit"]) == ("toyfork/same", source.repo, source.commit)
    assert (told["weights"], told["samples"], told["largest_difference"]) == ("synthetic", 1, 0.0)
    assert told["lowest"] < 0.3
    assert told["highest"] > 0.7  # there is something to compare
    assert told["compared_rois"] == told["interactions"] >= 1
    assert "astronaut" in err


def test_other_probabilities_are_an_error(command):
    code, out, err = command("verify", "toyfork/shifted", "--synthetic", "--samples", 1, "--clicks", 1)
    assert code == 2
    assert "largest difference of probabilities: 0.25" in out
    assert "toyfork/shifted does not match" in err
    assert "differ by 0.25" in err
    arguments = ("--synthetic", "--samples", 1, "--clicks", 1, "--tolerance", 0.3)
    assert command("verify", "toyfork/shifted", *arguments)[0] == 0


def test_other_rois_are_an_error(command):
    code, out, err = command("verify", "toyfork/moved", "--synthetic", "--samples", 1, "--clicks", 2)
    assert code == 2
    assert "ROIs equal: 0 of" in out
    assert "probabilities are equal" in out
    assert "ROIs are unequal" in err


def test_with_a_checkpoint(command, source, tmp_path):
    network = load(source).import_module("isegm.model.is_disc_model").DiscModel()
    config = {"class": small_fork.CLASS, "params": {"radius": small_fork.parameter(9)}}
    torch.save({"state_dict": network.state_dict(), "config": config}, tmp_path / "c.pth")
    arguments = ("--checkpoint", tmp_path / "c.pth", "--samples", 1, "--clicks", 2)
    for model in ("same", "plain"):
        code, out, _ = command("verify", f"toyfork/{model}", *arguments)
        assert code == 0
        assert f"weights: {tmp_path / 'c.pth'}" in out
        assert command("verify", f"toyfork/{model}?gain=2", *arguments)[0] == 0
    code, _, err = command("verify", "toyfork/plain?gain=loud", *arguments)
    assert (code, "option 'gain' must be a number, not 'loud'" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("toyfork/homeless", "--synthetic"), "names no upstream repository"),
        (("toyfork/plain", "--synthetic"), "cannot be verified with synthetic weights"),
        (("toyfork/same",), "has no weights"),
        (("toyfork/same", "--checkpoint", "missing.pth"), "missing.pth does not exist"),
        (("toyfork/same", "--synthetic", "--checkpoint", "c.pth"), "not both"),
        (("toyfork/broken", "--synthetic", "--samples", 1), "toyfork/broken raised RuntimeError: no such luck"),
        (("toyfork/none", "--synthetic"), "nearest: "),
    ],
)
def test_what_cannot_be_verified(command, arguments, said):
    code, _, err = command("verify", *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_show_lists_the_shims_and_fetches_nothing(command, source):
    code, out, _ = command("show", "toyfork/same")
    assert code == 0
    assert source.repo in out
    assert source.commit in out
    assert "not cloned yet" in out
    assert "numpy.int = builtins.int" in out
    assert "torch._six.inf = math.inf" in out
    assert "mmcv" in out
    load(source)
    code, out, _ = command("show", "toyfork/same", "--json")
    told = json.loads(out)
    assert told["cloned"] is True
    assert told["files"] == len(small_fork.FILES)
    assert told["module"] == f"_iiszoo_upstream.fork_{source.commit[:8]}"
    assert told["shims"]["names"]["numpy.bool"] == "builtins:bool"
    assert command("show", "toyfork/homeless")[0] == 2


def test_show_imports_nothing_heavy(iiszoo, source, tmp_path):
    program = (
        "import sys\nfrom iiszoo.cli.main import cli\n"
        "cli.main(['upstream', 'show', 'toyfork/same'], standalone_mode=False)\n"
        "assert not {'torch', 'numpy', 'cv2'} & sys.modules.keys()\n"
    )
    done = iiszoo(program=program, path=[tmp_path / "site", Path(__file__).parents[2]])
    assert done.returncode == 0, done.stderr
