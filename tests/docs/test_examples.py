"""The Python examples of README.md and of the pages of docs/ run, and so do the commands of the first pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

import iiszoo

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "iiszoo" / "data" / "demo"
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def short_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = iiszoo.bench
    short = {"limit": 1, "max_clicks": 4}
    monkeypatch.setattr(iiszoo, "bench", lambda *args, **given: bench(*args, **{**given, **short}), raising=False)


def blocks(page: str | Path, language: str) -> list[str]:
    return [text for named, text in FENCE.findall((ROOT / page).read_text("utf-8")) if named == language]


def run(page: str, example: int = 0) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(blocks(page, "python")[example], f"{page}, Python example {example}", "exec"), names)
    return names


@pytest.mark.usefixtures("short_bench")
@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_a_mask_of_ones_own_photograph(page: str) -> None:
    image = Image.open(DEMO / "images" / "astronaut.jpg")
    image.save("photo.jpg")
    names = run(page)
    mask = np.asarray(Image.open("mask.png"))
    assert mask.shape == (image.height, image.width)
    assert mask.any()
    assert not mask[20, 20]
    assert names["better"].probabilities.dtype == np.float32  # type: ignore[attr-defined]


@pytest.mark.usefixtures("short_bench")
def test_the_loop_a_session_and_a_bench(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("docs/python.md")
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(re.fullmatch(r"\[.*\] \[.*\] [01]\.\d+", line) for line in lines)
    mask = names["mask"]
    assert isinstance(mask, np.ndarray)
    assert mask.dtype == bool
    assert mask[200, 220]
    assert not mask[20, 20]
    assert Path("runs/mine").is_dir()


def test_parts_on_their_own() -> None:
    place = Path("SBD/dataset")
    for folder in ("img", "inst"):
        (place / folder).mkdir(parents=True)
    objects = np.zeros((60, 80), np.uint8)
    objects[10:50, 20:60] = 1
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(place / "img" / "a.jpg")
    savemat(place / "inst" / "a.mat", {"GTinst": {"Segmentation": objects, "Categories": np.array([[8]], np.uint8)}})
    (place / "train.txt").write_text("a\n")
    names = run("docs/python.md", 1)
    assert names["pcs"] != [[[]]]
    assert tuple(names["maps"].shape) == (1, 2, 448, 448)  # type: ignore[attr-defined]
    assert names["overlap"] == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_example_can_be_compiled(page: Path) -> None:
    for number, text in enumerate(blocks(page, "python")):
        compile(text, f"{page.name}, Python example {number}", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/quickstart.md", "docs/own_data.md"])
def test_every_command_of_the_first_pages_runs(page: str, tmp_path: Path) -> None:
    shutil.copy(DEMO / "images" / "coffee.jpg", "photo.jpg")
    for folder in ("photos/images", "photos/masks", "drafts"):
        Path(folder).mkdir(parents=True)
    for sample, mask in (("coffee", "coffee__cup"), ("chelsea", "chelsea__cat")):
        shutil.copy(DEMO / "images" / f"{sample}.jpg", "photos/images")
        shutil.copy(DEMO / "masks" / f"{mask}.png", f"photos/masks/{sample}.png")
        shutil.copy(DEMO / "masks" / f"{mask}.png", f"drafts/{sample}.png")
    script = ["set -eu", f'iiszoo() {{ "{sys.executable}" -m iiszoo "$@"; }}']
    for language, text in FENCE.findall((ROOT / page).read_text("utf-8")):
        file = re.match(r"# (\S+\.py)\n", text)
        if file:
            script.append(f"cat > {file[1]} <<'END OF FILE'\n{text}END OF FILE")
        elif language == "sh":
            script.append(text)
    environment = {**os.environ, "IISZOO_CONFIG": str(tmp_path / "config"), "COLUMNS": "200"}
    done = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    if page == "docs/own_data.md":
        assert "folder:photos: 2 samples in" in done.stdout
        assert Path("photos.html").is_file()
        assert re.search(r"mymodel:nearest +folder:photos +2 ", done.stdout)
    else:
        assert np.asarray(Image.open("photo-mask.png")).any()
        assert Path("photo-mask-overlay.png").is_file()
        assert re.search(r"smp/unet-lite0 +demo +12 ", done.stdout)
        assert Path("report.html").is_file()
