"""A path in place of a dataset's name is answered with the name that reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from iiszoo.errors import DatasetError, UnknownId
from iiszoo.loading import load_dataset
from iiszoo.own_files import json_format
from iiszoo.registry import resolve_dataset

LABELME = json.dumps({"version": "5.0.1", "flags": {}, "shapes": [], "imagePath": "a.jpg"})
COCO = json.dumps({"info": {"year": 2020}, "images": [], "annotations": [], "categories": []})
TREES = {
    "images and masks": ({"images/a.jpg": "", "masks/a.png": ""}, "folder:./my"),
    "labels of pictures": ({"images/a.jpg": "", "labels/a.png": ""}, "folder:./my"),
    "only images": ({"a.jpg": "", "b.jpg": ""}, "folder:./my"),
    "empty": ({}, "folder:./my"),
    "label maps": ({"a.webp": "", "a_0.png": "", "a_1.png": ""}, "labels:./my"),
    "labelme": ({"a.jpg": "", "a.json": LABELME}, "labelme:./my"),
    "labelme apart": ({"images/a.jpg": "", "annotations/a.json": LABELME}, "labelme:./my"),
    "labelme and masks": ({"images/a.jpg": "", "masks/a.png": "", "annotations/a.json": LABELME}, "folder:./my"),
    "COCO": ({"images/a.jpg": "", "annotations/all.json": COCO}, "coco:my/annotations/all.json"),
    "another JSON": ({"a.jpg": "", "setup.json": '{"name": "x"}'}, "folder:./my"),
}


@pytest.mark.parametrize("kind", TREES)
def test_a_directory_is_answered_with_the_dataset_that_it_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, expected = TREES[kind]
    (tmp_path / "my").mkdir()
    for name, content in files.items():
        (tmp_path / "my" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "my" / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownId) as error:
        resolve_dataset("./my?objects=values")
    options = "?objects=values" if expected.startswith("folder:") else ""  # the others have no such option
    assert str(error.value) == f"no dataset is called './my?objects=values'; did you mean {expected}{options}?"
    resolve_dataset(expected)


def test_a_file_is_answered_with_its_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in {"coco.json": COCO, "shapes.JSON": LABELME, "list.json": "[]", "a.jpg": ""}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    for path, expected in {
        "coco.json": "did you mean coco:coco.json?",
        "./shapes.JSON": "did you mean labelme:.?",
        f"{tmp_path}/shapes.JSON": f"did you mean labelme:{tmp_path}?",
        "list.json": "did you mean coco:list.json?",
        "a.jpg": "it is a file; datasets of your own files are folder:DIR",
    }.items():
        with pytest.raises(UnknownId, match="no dataset is called") as error:
            resolve_dataset(path)
        assert expected in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "./nope",
        "../nope",
        "~/nope",
        "/nope",
        "a/b",
        r"C:\photos",
        r"a\b",
        "nope.json",
        "~nobody-here/x",
        "/" + "x" * 300,
    ],
)
def test_what_looks_like_a_path_but_is_none_says_so(path: str) -> None:
    with pytest.raises(
        UnknownId, match=r"there is no such file or directory; datasets of your own files are folder:DIR"
    ):
        resolve_dataset(path)


def test_a_home_and_a_name_with_a_question_mark_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "who?").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UnknownId, match=r"did you mean folder:~/who%3F\?$"):
        resolve_dataset("~/who%3F")


@pytest.mark.parametrize("name", ["grabcat", "foldr", "x", "foldr:./x", "coca:all.json"])
def test_what_is_no_path_is_answered_as_before(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownId) as error:
        resolve_dataset(name)
    assert "no such file" not in str(error.value)


def test_an_id_wins_over_a_directory_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve_dataset("demo")[0].id == "demo"


def test_a_directory_in_place_of_a_coco_file_is_answered_too(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(COCO)
    with pytest.raises(DatasetError, match=f"it is a directory; did you mean coco:{tmp_path}/all.json"):
        load_dataset(f"coco:{tmp_path}")
    with pytest.raises(DatasetError, match=f"there is no file {tmp_path}/none.json$"):
        load_dataset(f"coco:{tmp_path}/none.json")


def test_a_glance_at_a_json_file_hangs_on_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert json_format(tmp_path / "pipe.json") == ""
    assert json_format(tmp_path / "none.json") == ""
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\x00")
    assert json_format(tmp_path / "odd.json") == ""
    (tmp_path / "sorted.json").write_text('{"flags": {}, "imageData": "' + "A" * 10**6)
    assert json_format(tmp_path / "sorted.json") == "labelme"


def test_a_folder_that_cannot_be_listed_is_still_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UnknownId, match=f"did you mean folder:{tmp_path}"):
        resolve_dataset(str(tmp_path))
