"""`iiszoo segment`: from a shell to a mask on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

import iiszoo as package

Run = Callable[..., "CompletedProcess[str]"]
PHOTO = Path(package.__file__).parent / "data" / "demo" / "images" / "chelsea.jpg"


def test_a_mask_an_overlay_and_a_correction(iiszoo: Run, tmp_path: Path) -> None:
    arguments = ("segment", str(PHOTO), "--at", "150,220", "--model", "classic", "--overlay")
    done = iiszoo(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    mask = np.asarray(Image.open(tmp_path / "chelsea-mask.png"))
    assert set(np.unique(mask)) == {0, 255}
    assert mask[150, 220] == 255
    assert first.startswith(f"chelsea-mask.png: {(mask > 0).sum():,} pixels, ")
    assert second == "chelsea-mask-overlay.png"
    assert third.startswith("classic/geocut loaded in ")
    assert third.endswith((" thread", " threads"))
    drawn = np.asarray(Image.open(tmp_path / second))
    assert drawn.shape == np.asarray(Image.open(PHOTO)).shape
    correct = ("--not", "150,220", "--initial", "chelsea-mask.png", "--out", "new/better.png", "--json")
    done = iiszoo("segment", str(PHOTO), "--model", "classic", *correct)
    found = json.loads(done.stdout)
    better = np.asarray(Image.open(tmp_path / "new" / "better.png"))
    assert (found["mask"], found["object_pixels"]) == ("new/better.png", (better > 0).sum())
    assert better[150, 220] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "error: segment needs a click"),
        (("--at", "5000,3"), "error: positive clicks: click (5000, 3) lies outside the image of 196 rows"),
        (("--at", "12.5,3"), "'12.5,3' is not ROW,COL in whole pixels, such as 120,80"),
        (("--at", "-1,3"), "'-1,3' is not ROW,COL"),
        (("--at", "1,3", "--out", "mask.jpg"), "error: --out mask.jpg must end in .png"),
        (("--at", "1,3", "--initial", "absent.png"), "error: absent.png: cannot be read"),
        (("--at", "1,3", "--model", "clasic"), "error: no model is called 'clasic'"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str, iiszoo: Run, tmp_path: Path) -> None:
    done = iiszoo("segment", str(PHOTO), *("--model", "classic"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.iterdir()]


def test_the_image_is_never_overwritten(iiszoo: Run, tmp_path: Path) -> None:
    Image.open(PHOTO).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    done = iiszoo("segment", "a.png", "--at", "150,220", "--model", "classic", "--out", "a.png")
    assert done.returncode == 2
    assert "--out a.png is the image itself" in done.stderr
    assert (tmp_path / "a.png").read_bytes() == before
