"""The plugin of docs/upstream.md, as it stands there: it installs, runs, and is verified as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_fork
import torch

import iiszoo
from iiszoo import plugins, registry
from iiszoo.errors import UpstreamError
from iiszoo.upstream import load, verify

PAGE = (Path(__file__).parents[2] / "docs" / "upstream.md").read_text("utf-8")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
UPSTREAM_LOADER = re.findall(r'^upstream_loader = "[\w.:]+"', PAGE, re.MULTILINE)


def write_project(place: Path, commit: str) -> None:
    """Every file of the page whose first line names it, with this commit."""
    for name, code in re.findall(r"```\w+\n# ([\w/.]+\.(?:toml|py))(.*?)```", PAGE, re.DOTALL):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("#" + code.replace(COMMIT, commit), "utf-8")


def install(project: Path, site: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(site), str(project)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def forget() -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "iiszoo_sharp"]:
        del sys.modules[module]
    plugins.installed.cache_clear()
    registry.registry.cache_clear()


@pytest.fixture
def sharp(repository, git_settings, tmp_path, monkeypatch):
    """`sharp(**changes)`: install the page's plugin, with files changed, for a fork on this machine; a checkpoint."""
    fork = repository(small_fork.FILES)
    git_settings.write_text(
        git_settings.read_text() + f'[url "{fork.repo}"]\ninsteadOf = https://github.com/somebody/sharp\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("IISZOO_PLUGINS", "sharp")

    def made(**changes):
        write_project(tmp_path / "project", fork.commit)
        for name, change in changes.items():
            file = tmp_path / "project" / "iiszoo_sharp" / f"{name}.py"
            file.write_text(change(file.read_text()))
        install(tmp_path / "project", tmp_path / "site")
        forget()
        network = load(fork).import_module("isegm.model.is_disc_model").DiscModel(radius=9)
        torch.save({"state_dict": network.state_dict(), "config": network._config}, tmp_path / "c.pth")
        return tmp_path / "c.pth"

    yield made
    forget()


def test_a_card_and_five_lines_are_a_model(sharp):
    checkpoint = sharp()
    model = iiszoo.load_model("sharp", checkpoint=checkpoint)
    x = torch.zeros(1, 3, 20, 20)
    y, _ = model(x, model.init_z(x), [[[(5, 5)]]], [[[]]])
    assert y.shape == (1, 1, 20, 20)
    assert float(y[0, 0, 5, 5]) != float(y[0, 0, 19, 19])
    assert (model.card.id, model.threshold, model.ragged) == ("sharp/h18", 0.49, True)
    with pytest.raises(iiszoo.IISZooError, match="brs_mode 'loud'"):
        iiszoo.load_model("sharp?brs_mode=loud", checkpoint=checkpoint)
    with pytest.raises(iiszoo.IISZooError, match="has no brs_mode '3'"):  # a text, not a number
        iiszoo.load_model("sharp?brs_mode=3", checkpoint=checkpoint)


def test_the_card_alone_is_verified_with_a_checkpoint_and_its_options(sharp):
    checkpoint = sharp()
    for name in ("sharp", "sharp?brs_mode=Masked"):
        assert verify(name, checkpoint=checkpoint, samples=1, clicks=2).largest_difference == 0
    with pytest.raises(UpstreamError, match=r"only its checkpoint says which network it is; .*upstream_loader"):
        verify("sharp", synthetic=True)


def test_with_an_upstream_loader_the_five_lines_are_verified_with_synthetic_weights(sharp):
    (line,) = UPSTREAM_LOADER
    (code,) = re.findall(r"```python\n(def build.*?)```", PAGE, re.DOTALL)
    code = code.replace("isegm.model.is_hrnet_model", "isegm.model.is_disc_model")
    code = code.replace("HRNetModel(width=18, with_prev_mask=True)", "DiscModel(radius=9)")
    name = line.rpartition(":")[2].strip('"')
    sharp(
        __init__=lambda text: text.replace(
            "threshold=0.49,", f'threshold=0.49,\n            upstream_loader="iiszoo_sharp.model:{name}",'
        ),
        model=lambda text: f"{text}\n\n{code}",
    )
    found = verify("sharp", synthetic=True, samples=1, clicks=3)
    assert found.largest_difference == 0
    assert found.lowest < 0.4 < 0.6 < found.highest  # there is something to compare
