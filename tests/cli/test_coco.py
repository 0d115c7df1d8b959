"""`coco:FILE.json` as it is typed: `data check` and `bench` say the same, and a page finds its pictures again."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iiszoo.cli.data import command as data_command
from iiszoo.cli.report import command as report_command

DISCS = "painting_models:discs"
SQUARE = [10, 8, 30, 8, 30, 28, 10, 28]


@pytest.fixture
def write(tmp_path):
    """`write("DIR/FILE.json", images="DIR", segmentation=...)`: a file of two images, the second as it should be."""

    def write(file, images, segmentation=SQUARE, name="{}.png"):
        place = tmp_path / images
        place.mkdir(parents=True, exist_ok=True)
        for stem in "ab":
            Image.fromarray(np.full((40, 56, 3), 90, np.uint8)).save(place / f"{stem}.png")
        table = {
            "images": [{"id": k, "file_name": name.format("ab"[k]), "height": 40, "width": 56} for k in range(2)],
            "annotations": [
                {"id": 5, "image_id": 0, "segmentation": segmentation},
                {"id": 6, "image_id": 1, "segmentation": [SQUARE]},
            ],
        }
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(table))
        return path

    return write


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("initial", [(), ("--initial", "perturb:seed=1")])
def test_a_page_shows_its_pictures_from_anywhere_without_root(
    root, initial, write, bench_command, tmp_path, monkeypatch
):
    write("set/ann.json", "photos" if root else "set/images")
    monkeypatch.chdir(tmp_path / "set")
    out = tmp_path / "runs"
    arguments = ["-m", DISCS, "-d", "coco:ann.json", "--max-clicks", 2, "--out", out, *initial]
    code, _, err = bench_command(*arguments, *(["--root", "../photos"] if root else []))
    assert code == 0, err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = CliRunner().invoke(report_command, [str(out), "--html", "page.html"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "elsewhere" / "page.html").read_text()
    assert "No pictures" not in page
    assert page.count("data:image/jpeg") == 2


def test_runs_of_one_name_from_two_directories_show_their_own_pictures(write, bench_command, tmp_path, monkeypatch):
    for place, stem in (("one", "{}.png"), ("two", "./{}.png")):
        write(f"{place}/ann.json", f"{place}/images", name=stem)
        Image.fromarray(np.full((40, 56, 3), 200 if place == "two" else 20, np.uint8)).save(
            tmp_path / place / "images" / "a.png"
        )
        monkeypatch.chdir(tmp_path / place)
        code, _, err = bench_command("-m", DISCS, "-d", "coco:ann.json", "--max-clicks", 1, "--out", f"../runs-{place}")
        assert code == 0, err
    done = CliRunner().invoke(
        report_command, [str(tmp_path / "runs-one"), str(tmp_path / "runs-two"), "--html", str(tmp_path / "page.html")]
    )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    whole = re.findall(r'href="data:image/jpeg;base64,([^"]+)" x="0" y="0" width="56" height="40"', page)
    assert len(whole) == len(set(whole)) == 3  # two of a.png, and b.png that is the same in both


@pytest.mark.parametrize(
    ("segmentation", "fault"),
    [
        ([[*SQUARE, 9]], "annotation 5 of image 0 has a segmentation that cannot be drawn"),
        (None, "annotation 5 of image 0 has no outline"),
        ({"size": [40, 56], "counts": [1, 2]}, "its run lengths add up to 3 pixels"),
        ([[0, 0, 1e9, 0, 5, 5]], "a polygon has points far outside"),
    ],
)
def test_check_and_bench_say_the_same(segmentation, fault, write, told_alike):
    told_alike(f"coco:{write('set/ann.json', 'set/images', segmentation)}", fault)


def test_a_name_that_leads_out_is_refused_by_check_and_bench(write, bench_command, tmp_path):
    file = write("set/ann.json", ".", name="../{}.png")
    checked = CliRunner().invoke(data_command, ["check", f"coco:{file}"])
    assert "'../a.png' leads out of the folder" in str(checked.exception)
    code, _, err = bench_command("-m", DISCS, "-d", f"coco:{file}", "--max-clicks", 1)
    assert code == 2
    assert "'../a.png' leads out of the folder" in err
