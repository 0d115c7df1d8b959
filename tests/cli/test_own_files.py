"""Users' own files as they are typed: `data check` and `bench` say the same of labelme's, and of folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iiszoo.cli.report import command as report_command

DISCS = "painting_models:discs"
SQUARE = [[10, 8], [30, 8], [30, 28], [10, 28]]


@pytest.fixture
def photos(tmp_path):
    """`photos(first, second)`: two photographs with a labelme file each, of one shape."""

    def write(*outlines):
        place = tmp_path / "photos"
        place.mkdir()
        for stem, points in zip("ab", outlines, strict=True):
            Image.fromarray(np.full((40, 56, 3), 90, np.uint8)).save(place / f"{stem}.png")
            shapes = [{"label": "cat", "points": points, "group_id": None, "shape_type": "polygon"}]
            content = {"shapes": shapes, "imagePath": f"{stem}.png", "imageHeight": 40, "imageWidth": 56}
            (place / f"{stem}.json").write_text(json.dumps(content))
        return place

    return write


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        ([[1, 1], [9, 9, 9], [3, 4]], "cannot be drawn: its points are not all pairs of x and y"),
        ([[1, 1], [9, 9], [None, 4]], "cannot be drawn: a polygon has None instead of a number"),
    ],
)
def test_check_and_bench_say_the_same_of_a_labelme_file(points, fault, photos, told_alike):
    place = photos(points, SQUARE)
    told_alike(f"labelme:{place}", f"{place}/a.json: shape 1 (cat) {fault}")


def test_a_page_shows_the_pictures_of_labelme_files(photos, bench_command, tmp_path):
    place = photos(SQUARE, SQUARE)
    code, _, err = bench_command("-m", DISCS, "-d", f"labelme:{place}", "--max-clicks", 1, "--out", tmp_path / "runs")
    assert code == 0, err
    done = CliRunner().invoke(report_command, [str(tmp_path / "runs"), "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "No pictures" not in (tmp_path / "page.html").read_text()


def test_a_path_leads_from_name_to_name_to_a_result(photos, bench_command):
    photos(SQUARE, SQUARE)
    for name, way in (
        ("photos", "labelme:photos"),
        ("folder:photos", "labelme:photos"),
        ("photos/a.json", "labelme:photos"),
    ):
        code, _, err = bench_command("-m", DISCS, "-d", name, "--max-clicks", 1)
        assert code == 2
        assert f"did you mean {way}?" in err
    code, out, err = bench_command("-m", DISCS, "-d", "labelme:photos", "--max-clicks", 1, "--json")
    assert (code, json.loads(out)[0]["n_done"]) == (0, 2), err
