"""`iiszoo data`: where a dataset lies, whether its files are right, and registering a copy of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def berkeley(tmp_path: Path) -> Path:
    """A Berkeley of two samples."""
    place = tmp_path / "bsd"
    for directory in ("images", "masks"):
        (place / directory).mkdir(parents=True)
        for stem in ("1", "2"):
            Image.new("RGB", (8, 6), "white").save(place / directory / f"{stem}.png")
    return place


def refused(done: CompletedProcess[str]) -> str:
    """The message of a run that was refused in so many words."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_path(iiszoo: Run, berkeley: Path) -> None:
    demo = iiszoo("data", "path", "demo")
    assert demo.returncode == 0
    assert (Path(demo.stdout.strip()) / "polygons.json").is_file()
    assert iiszoo("data", "path", "berkeley", "--root", berkeley).stdout == f"{berkeley}\n"
    as_json = iiszoo("data", "path", f"folder:{berkeley}", "--json")
    assert json.loads(as_json.stdout) == {"dataset": f"folder:{berkeley}", "path": str(berkeley)}


def test_path_of_what_is_not_there(iiszoo: Run, berkeley: Path) -> None:
    message = refused(iiszoo("data", "path", "grabcut"))
    assert message.startswith("error: dataset grabcut was not found: looked in ")
    assert "iiszoo data add grabcut DIR" in message
    assert "is laid out otherwise" in refused(iiszoo("data", "path", "grabcut", "--root", berkeley))
    assert "did you mean grabcut" in refused(iiszoo("data", "path", "grabcat"))
    assert "needs an argument: folder:DIR" in refused(iiszoo("data", "path", "folder"))
    assert "there is no directory /" in refused(iiszoo("data", "path", "folder:nowhere"))


def test_check_of_good_files(iiszoo: Run, berkeley: Path) -> None:
    done = iiszoo("data", "check", f"folder:{berkeley}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"folder:{berkeley}: 2 samples in {berkeley}, all files there\n"
    report = json.loads(iiszoo("data", "check", "demo", "--json").stdout)
    assert (report["n_samples"], report["faults"]) == (12, [])


def test_check_names_every_fault(iiszoo: Run, berkeley: Path) -> None:
    Image.new("RGB", (6, 8)).save(berkeley / "masks" / "1.png")
    (berkeley / "images" / "2.png").write_bytes(b"")
    done = iiszoo("data", "check", "berkeley", "--root", berkeley, "--json")
    message = refused(done)
    faults = json.loads(done.stdout)["faults"]
    assert len(faults) == 3
    assert all(fault in message for fault in faults)
    assert f"{berkeley / 'masks' / '1.png'}: image and mask differ in size (rows x columns): 6x8 but 8x6" in faults[0]
    assert faults[1].startswith(f"{berkeley / 'images' / '2.png'}: cannot be read as an image")
    assert faults[2] == "2 samples instead of 100"


def test_check_names_unpaired_files(iiszoo: Run, berkeley: Path) -> None:
    (berkeley / "masks" / "1.png").rename(berkeley / "masks" / "3.png")
    message = refused(iiszoo("data", "check", f"folder:{berkeley}"))
    assert "mask 3.png has no image\n  image 1.png has no mask" in message


def test_add_registers_a_directory_for_all_later_runs(iiszoo: Run, berkeley: Path, tmp_path: Path) -> None:
    added = iiszoo("data", "add", "berkeley", "bsd")  # relative to where it was run
    assert (added.returncode, added.stderr) == (0, "")
    assert "berkeley: 2 samples in " in added.stdout
    assert iiszoo("data", "path", "berkeley").stdout == f"{berkeley}\n"
    berkeley.rename(tmp_path / "berkeley")
    again = iiszoo("data", "add", "berkeley", tmp_path, "--json")
    assert json.loads(again.stdout) == {"dataset": "berkeley", "path": str(tmp_path / "berkeley"), "n_samples": 2}
    assert iiszoo("data", "path", "berkeley").stdout == f"{tmp_path / 'berkeley'}\n"


def test_add_refuses_what_is_no_place_of_the_dataset(iiszoo: Run, berkeley: Path) -> None:
    message = refused(iiszoo("data", "add", "grabcut", berkeley))
    assert "is laid out otherwise" in message
    assert "data_GT/NAME.*" in message
    assert "no-such-dir" in refused(iiszoo("data", "add", "grabcut", "no-such-dir"))
    for dataset in ("demo", "folder"):
        assert f"dataset '{dataset}' has no place of its own" in refused(iiszoo("data", "add", dataset, berkeley))
    assert "was not found" in refused(iiszoo("data", "path", "grabcut")), "nothing was registered"
