"""The plugin of docs/upstream.md, as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import small_fork
import torch

import iiszoo
from iiszoo import plugins, registry
from iiszoo.upstream import load

DOCS = Path(__file__).parents[2] / "docs" / "upstream.md"


def test_a_card_and_five_lines_are_a_model(repository, git_settings, tmp_path, monkeypatch):
    fork = repository(small_fork.FILES)
    git_settings.write_text(
        git_settings.read_text() + f'[url "{fork.repo}"]\ninsteadOf = https://github.com/somebody/sharp\n'
    )
    text = DOCS.read_text()
    package = tmp_path / "site" / "iiszoo_sharp"
    package.mkdir(parents=True)
    for name, code in re.findall(r"```python\n# iiszoo_sharp/(\w+\.py)(.*?)```", text, re.DOTALL):
        (package / name).write_text("#" + code.replace("0123456789abcdef0123456789abcdef01234567", fork.commit))
    (entry_point,) = re.findall(r"sharp = .*", text)
    info = tmp_path / "site" / "iiszoo_sharp-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iiszoo-sharp\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[iiszoo]\n{entry_point.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("IISZOO_PLUGINS", "sharp")
    plugins.installed.cache_clear()
    registry.registry.cache_clear()

    network = load(fork).import_module("isegm.model.is_disc_model").DiscModel()
    config = {"class": small_fork.CLASS, "params": {"radius": small_fork.parameter(9)}}
    torch.save({"state_dict": network.state_dict(), "config": config}, tmp_path / "c.pth")
    try:
        model = iiszoo.load_model("sharp", checkpoint=tmp_path / "c.pth")
        x = torch.zeros(1, 3, 20, 20)
        y, _ = model(x, model.init_z(x), [[[(5, 5)]]], [[[]]])
        assert y.shape == (1, 1, 20, 20)
        assert float(y[0, 0, 5, 5]) != float(y[0, 0, 19, 19])
        assert (model.card.id, model.threshold, model.ragged) == ("sharp/h18", 0.49, True)
        with pytest.raises(iiszoo.IISZooError, match="brs_mode 'loud'"):
            iiszoo.load_model("sharp?brs_mode=loud", checkpoint=tmp_path / "c.pth")
    finally:
        for module in ("iiszoo_sharp", "iiszoo_sharp.model"):
            sys.modules.pop(module, None)
        plugins.installed.cache_clear()
        registry.registry.cache_clear()
