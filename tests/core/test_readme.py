"""README.md: its Python examples run, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SEGMENT, FIRST, PARTS, FORMAT = range(4)


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(example: int) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(EXAMPLES[example], f"README.md, Python example {example}", "exec"), names)
    return names


def test_a_mask_of_ones_own_photograph() -> None:
    image = Image.open(ROOT / "iiszoo" / "data" / "demo" / "images" / "astronaut.jpg")
    image.save("photo.jpg")
    names = run(SEGMENT)
    mask = np.asarray(Image.open("mask.png"))
    assert mask.shape == (image.height, image.width)
    assert mask[200, 220]
    assert not mask[20, 20]
    assert names["better"].probabilities.dtype == np.float32  # type: ignore[attr-defined]


def test_the_loop_a_session_and_a_bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import iiszoo

    bench = iiszoo.bench
    monkeypatch.setattr(iiszoo, "bench", lambda *args, **given: bench(*args, **given, limit=1), raising=False)
    names = run(FIRST)
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
    names = run(PARTS)
    assert names["pcs"] != [[[]]]
    assert tuple(names["maps"].shape) == (1, 2, 448, 448)  # type: ignore[attr-defined]
    assert names["overlap"] == 0


def test_all_examples_are_known() -> None:
    assert len(EXAMPLES) == 4
    assert EXAMPLES[FORMAT].startswith("def iismodel(x, z, pcs, ncs):")


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links(link: str) -> None:
    assert (ROOT / link).exists()
