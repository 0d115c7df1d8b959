"""A dataset, images and masks whose names are bytes that are not UTF-8, from check to page."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image, ImageDraw

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of two samples, one of an ordinary name."""
    place = tmp_path / os.fsdecode(b"d\xefr")
    for directory in ("images", "masks"):
        (place / directory).mkdir(parents=True)
    for stem in (os.fsdecode(b"caf\xe9"), "plain"):
        Image.new("RGB", (32, 24), "black").save(place / "images" / f"{stem}.png")
        mask = Image.new("L", (32, 24))
        ImageDraw.Draw(mask).rectangle((5, 5, 20, 15), fill=255)
        mask.save(place / "masks" / f"{stem}.png")
    return place


def test_from_check_to_page(iiszoo: Run, odd: Path, tmp_path: Path) -> None:
    name = f"folder:{tmp_path}/d%EFr"
    done = iiszoo("data", "check", f"folder:{odd}", "--full")
    assert (done.returncode, done.stdout) == (0, f"{name}: 2 samples in {tmp_path}/d%EFr, all sound\n")
    assert json.loads(iiszoo("data", "check", name, "--json").stdout)["path"] == f"{tmp_path}/d%EFr"
    assert iiszoo("data", "path", f"folder:{odd}").stdout == f"{tmp_path}/d%EFr\n"
    out = tmp_path / "out"
    done = iiszoo("bench", "--model", "classic/geocut", "--dataset", f"folder:{odd}", "--max-clicks", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert name in done.stdout or "d%EFr" in done.stdout
    (run,) = [path.parent for path in out.rglob("run.json")]
    lines = (run / "samples.jsonl").read_bytes().decode("utf-8").splitlines()
    assert [json.loads(line)["sample"] for line in lines] == ["caf%E9", "plain"]
    for path in run.glob("*.json*"):
        assert "\\ud" not in path.read_text("utf-8"), path
    page = tmp_path / "page.html"
    done = iiszoo("report", out, "--html", page)
    assert done.returncode == 0, done.stderr
    html = page.read_text("utf-8")
    assert "caf%E9" in html
    assert html.count('<svg class="picture"') == 2


def test_a_fault_names_the_file(iiszoo: Run, odd: Path) -> None:
    (odd / "masks" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"torn")
    for command in (("data", "check"), ("bench", "--model", "classic/geocut", "--dataset")):
        done = iiszoo(*command, f"folder:{odd}")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "d%EFr/masks/caf%E9.png: cannot be decoded as an image" in done.stderr
