"""Masks of several objects: reported by check, refused by bench, and evaluated as the dataset's options say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from PIL import Image, ImageDraw

Run = Callable[..., "CompletedProcess[str]"]


def test_from_check_to_page(iiszoo: Run, tmp_path: Path) -> None:
    place = tmp_path / "own?"
    for directory in ("images", "masks"):
        (place / directory).mkdir(parents=True)
    Image.new("RGB", (40, 30), "black").save(place / "images/a.png")
    mask = Image.new("L", (40, 30))
    for box, value in (((3, 3, 15, 20), 20), ((20, 5, 35, 25), 149)):
        ImageDraw.Draw(mask).rectangle(box, fill=value)
    mask.save(place / "masks/a.png")
    name = f"folder:{tmp_path}/own%3F"
    told = (
        f"{place}/masks/a.png: contains several object values (20, 149), which may or may not be one object; "
        f"{name}?objects=values makes one target of each, {name}?objects=all one of all"
    )
    bench = ("bench", "--model", "classic/geocut", "--max-clicks", "2", "--out", tmp_path / "out", "--dataset")
    for done in (iiszoo("data", "check", name), iiszoo(*bench, name)):
        assert done.returncode == 2
        assert told in done.stderr
    run = iiszoo(*bench, f"{name}?objects=values", "--json")
    assert run.returncode == 0, run.stderr
    (summary,) = json.loads(run.stdout)
    assert summary["dataset"] == f"{name}?objects=values"
    traces = (Path(summary["directory"]) / "samples.jsonl").read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["sample"] for line in traces) == ["a__149", "a__20"]
    page = tmp_path / "page.html"
    assert iiszoo("report", tmp_path / "out", "--html", page).returncode == 0
    assert page.read_text("utf-8").count('<svg class="picture"') == 4  # of both objects the image and a crop
    start = iiszoo("data", "check", f"{name}?objects=all&initial=perturb:seed=1")
    assert start.returncode == 0, start.stderr
