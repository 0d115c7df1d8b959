"""The layouts that people's folders have: found if only one fits, named if several do or none does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.inspection import inspect
from iiszoo.errors import BadOption, DatasetError
from iiszoo.loading import load_dataset
from iiszoo.own_files import IMAGE_FOLDERS, MASK_FOLDERS, folder_word

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.fixture
def tree(save: Save, object_mask: Mask, tmp_path: Path) -> Callable[..., str]:
    """`tree("images/a.jpg", "masks/a.png")` writes these files, masks where the name says so; returns its DIR."""

    def write(*names: str) -> str:
        for name in names:
            mask = any(word in name.casefold() for word in ("mask", "label", "gt", "seg", "annot", "truth"))
            save(name, object_mask if mask else None)
        return str(tmp_path)

    return write


def pairs(dataset: str) -> dict[str, tuple[str, ...]]:
    """Each sample's files, as paths from the dataset's directory."""
    loaded = load_dataset(dataset)
    assert [fault for sample in loaded if (fault := inspect(sample).fault)] == list(loaded.check_files()) == []
    return {
        sample.id: tuple(Path(file).relative_to(loaded.place).as_posix() for file in sample.files) for sample in loaded
    }


def refused(dataset: str) -> str:
    with pytest.raises(DatasetError) as error:
        load_dataset(dataset)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("where", ["", "images/"])
@pytest.mark.parametrize("ending", ["_mask", "-mask", ".mask", "_GT", "_seg", "_label", "_Segmentation"])
def test_masks_beside_images_are_told_by_their_ending(where: str, ending: str, tree: Callable[..., str]) -> None:
    place = tree(f"{where}a.jpg", f"{where}a{ending}.png", f"{where}b_2.jpg", f"{where}b_2{ending}.png")
    assert pairs(f"folder:{place}") == {
        "a": (f"{where}a.jpg", f"{where}a{ending}.png"),
        "b_2": (f"{where}b_2.jpg", f"{where}b_2{ending}.png"),
    }


def test_masks_in_their_folder_may_have_an_ending_too(tree: Callable[..., str]) -> None:
    place = tree("images/car.jpg", "masks/car_mask.gif", "images/ben (1).png", "masks/ben (1)_mask.png")
    tree("masks/ben (1)_mask_1.png", "images/my_mask.png", "masks/my_mask.png")
    assert list(pairs(f"folder:{place}")) == ["ben (1)", "ben (1)__1", "car", "my_mask"]


def test_an_ending_does_not_count_beside_a_mask_without(tree: Callable[..., str]) -> None:
    place = tree("images/a.jpg", "masks/a__dog.png", "masks/a_mask.png", "images/b.jpg", "masks/b.png")
    faults = {sample.id: inspect(sample).fault for sample in load_dataset(f"folder:{place}")}
    assert faults == {"a__dog": None, "a_mask": f"{place}/masks: mask a_mask.png has no image", "b": None}


def test_two_masks_of_one_image_are_reported(tree: Callable[..., str]) -> None:
    place = tree("a.jpg", "a_mask.png", "a-gt.png", "b.jpg", "b_mask.png")
    assert list(load_dataset(f"folder:{place}").check_files()) == [
        f"{place}: a-gt.png and a_mask.png are masks of one image; keep one"
    ]


def test_other_files_beside_images_and_masks_are_ignored(tree: Callable[..., str]) -> None:
    place = tree("a.jpg", "a_mask.png")
    (Path(place) / "a.json").write_text("{}")
    (Path(place) / "readme.txt").write_text("")
    assert list(pairs(f"folder:{place}")) == ["a"]


def test_a_file_pairs_in_its_subfolder(tree: Callable[..., str]) -> None:
    place = tree("images/a/1.jpg", "masks/a/1.png", "images/b/c/1.jpg", "masks/b/c/1__x.png", "images/b/c/2.jpg")
    tree("masks/b/c/2_mask.png")
    assert pairs(f"folder:{place}") == {
        "a/1": ("images/a/1.jpg", "masks/a/1.png"),
        "b/c/1__x": ("images/b/c/1.jpg", "masks/b/c/1__x.png"),
        "b/c/2": ("images/b/c/2.jpg", "masks/b/c/2_mask.png"),
    }


def test_what_lies_in_the_subfolder_of_one_side_only_is_broken(tree: Callable[..., str]) -> None:
    place = tree("images/a/1.jpg", "masks/a/1.png", "images/b/2.jpg", "masks/c/3.png")
    assert list(load_dataset(f"folder:{place}").check_files()) == [
        f"{place}/images/b: image 2.jpg has no mask",
        f"{place}/masks/c: mask 3.png has no image",
    ]


def test_images_and_masks_without_a_common_subfolder_are_named(tree: Callable[..., str]) -> None:
    place = tree("x/images/a/1.jpg", "x/images/b/2.jpg", "x/masks/1.png", "x/masks/2.png") + "/x"
    assert refused(f"folder:{place}").endswith(
        f"the images are in {place}/images/a, {place}/images/b, and the masks are in {place}/masks; "
        "one must have the folders of the other"
    )
    pets = tree("pets/images/a.jpg", "pets/annotations/trimaps/a.png") + "/pets"
    assert refused(f"folder:{pets}?objects=all").endswith(
        f"the images are in {pets}/images, and the masks are in {pets}/annotations/trimaps; did you mean "
        f"folder:{pets}?masks=annotations/trimaps&objects=all?"
    )
    assert pairs(f"folder:{pets}?masks=annotations/trimaps") == {"a": ("images/a.jpg", "annotations/trimaps/a.png")}
    flat = tree("flat/a.jpg", "flat/masks/x/a.png") + "/flat"
    assert refused(f"folder:{flat}").endswith(f"did you mean folder:{flat}?masks=masks/x?")


def test_links_to_folders_are_followed_and_loops_are_not(tree: Callable[..., str], tmp_path: Path) -> None:
    place = tree("store/1.jpg", "own/masks/a/1.png")
    (tmp_path / "own" / "images").mkdir()
    (tmp_path / "own" / "images" / "a").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "again").symlink_to(tmp_path / "store")
    assert list(pairs(f"folder:{place}/own")) == ["a/1"]


def test_subfolders_beside_pictures_are_left_out_and_that_is_said(
    tree: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    place = tree("images/1.jpg", "masks/1.png", "images/old/2.jpg", "masks/old/2.png")
    with caplog.at_level(logging.WARNING):
        assert list(pairs(f"folder:{place}")) == ["1"]
        assert list(pairs(f"folder:{place}")) == ["1"]
    assert [record.message for record in caplog.records] == [
        f"{place}/images and {place}/masks: the pictures in subfolders (old) are left out, as others lie outside"
    ]


def test_the_first_known_pair_of_names_is_taken_and_other_doubts_are_named(tree: Callable[..., str]) -> None:
    place = tree("images/a.jpg", "masks/a.png", "labels/a.png", "img/a.jpg", "gt/a.png")
    assert pairs(f"folder:{place}") == {"a": ("images/a.jpg", "masks/a.png")}
    other = tree("x/images/a.jpg", "x/labels/a.png", "x/gt/a.png") + "/x"
    message = refused(f"folder:{other}?objects=values")
    assert message.endswith(
        f"any of {other}/gt, {other}/labels could be the folder of masks; did you mean "
        f"folder:{other}?masks=gt&objects=values or folder:{other}?masks=labels&objects=values?"
    )
    assert pairs(f"folder:{other}?masks=gt") == {"a": ("images/a.jpg", "gt/a.png")}


def test_objects_are_taken_before_classes_in_vocs_layout(tree: Callable[..., str]) -> None:
    place = tree("JPEGImages/a.jpg", "SegmentationClass/a.png", "SegmentationObject/a.png")
    assert pairs(f"folder:{place}") == {"a": ("JPEGImages/a.jpg", "SegmentationObject/a.png")}
    assert pairs(f"folder:{place}?masks=SegmentationClass")["a"][1] == "SegmentationClass/a.png"


def test_folders_of_any_name_can_be_named(tree: Callable[..., str]) -> None:
    place = tree("Frames/x/a.jpg", "Truth/x/a.png")
    way = f'say which they are, "folder:{place}?images=IMAGES&masks=MASKS"'
    assert f"there are pictures in Frames, Truth: {way}" in refused(f"folder:{place}")
    assert list(pairs(f"folder:{place}?images=Frames/x&masks=Truth/x")) == ["a"]
    assert f"there is no directory {place}/No with masks" in refused(f"folder:{place}?masks=No")
    with pytest.raises(BadOption, match="image"):
        load_dataset(f"folder:{place}?image=Frames")


def test_several_values_name_the_way_out_with_the_other_options(save: Save, tmp_path: Path) -> None:
    save("images/a.jpg")
    save("gt/a.png", np.repeat(np.arange(3, dtype=np.uint8), 8 * 32).reshape(24, 32))
    (fault,) = load_dataset(f"folder:{tmp_path}?masks=gt").check_files()
    assert f"folder:{tmp_path}?masks=gt&objects=values makes one target of each" in fault


LABELME = {"version": "5.0.1", "flags": {}, "shapes": [], "imagePath": "a.jpg", "imageData": None}
COCO: dict[str, Any] = {"info": {}, "images": [], "annotations": []}
OTHER_FILES = {
    "labelme": ("a.json", json.dumps(LABELME), "a.json is a labelme file; did you mean labelme:{}?"),
    "UTF-16": ("a.json", json.dumps(LABELME).encode("utf-16"), "did you mean labelme:{}?"),
    "COCO": (
        "_annotations.coco.json",
        json.dumps(COCO),
        "is a COCO file; did you mean coco:{}/{}/_annotations.coco.json?",
    ),
    "YOLO outlines": ("a.txt", "0 .1 .1 .5 .1 .5 .5\n1 0 0 1 0 1 1 0 1\n", "a.txt has outlines in YOLO's format"),
    "YOLO boxes": ("a.txt", "0 0.5 0.5 0.25 0.25\n", "a.txt has boxes in YOLO's format, which iiszoo does not read"),
    "VOC": ("a.xml", "<?xml version='1.0'?><annotation>", "a.xml has annotations in XML (boxes of PASCAL VOC"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.parametrize("folder", ["annotations", "labels", "masks", "."])
def test_annotations_that_are_no_pictures_are_named(
    kind: str, folder: str, tree: Callable[..., str], tmp_path: Path
) -> None:
    place = tree("images/a.jpg")
    name, content, expected = OTHER_FILES[kind]
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(f"folder:{place}")
    assert f"no masks for the images in {place}/images; " in message
    assert expected.format(place, folder).replace("/./", "/") in message


def test_a_folder_without_masks_says_where_they_are_looked_for(tree: Callable[..., str], tmp_path: Path) -> None:
    assert f"there is no directory {tmp_path}/nowhere" in refused(f"folder:{tmp_path}/nowhere")
    assert "contains no images and masks: expected are folders images and masks" in refused(f"folder:{tmp_path}")
    place = tree("a.jpg")
    assert f"no masks for the images in {place}: they are looked for in a folder masks, labels, " in refused(
        f"folder:{place}"
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    assert f"no masks for the images in {place}: " in refused(f"folder:{place}")
    file = refused(f"folder:{place}/a.jpg")
    assert "there is no directory" in file
    assert "it is a file; datasets of your own files are folder:DIR" in file


def test_splits_and_the_folder_of_images_itself_are_named(
    tree: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tree("train/images/1.jpg", "train/labels/1.png", "valid/images/2.jpg", "valid/labels/2.png")
    expected = f"did you mean folder:{place}/train or folder:{place}/valid?"
    assert refused(f"folder:{place}").endswith(expected)
    assert refused(f"folder:{place}/train/images").endswith(f"did you mean folder:{place}/train?")
    monkeypatch.chdir(tmp_path / "train" / "images")
    assert refused("folder:.").endswith("did you mean folder:..?")
    assert list(pairs("folder:..")) == ["1"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_capitals_and_separators_are_one_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def spelled(words: frozenset[str]) -> str:
        word = data.draw(st.sampled_from(sorted(words)))
        letters = [data.draw(st.sampled_from([letter, letter.upper()])) for letter in word]
        at = data.draw(st.integers(1, len(word)))
        return "".join(letters[:at]) + data.draw(st.sampled_from(["", "_", "-", " "])) + "".join(letters[at:])

    images, masks = spelled(IMAGE_FOLDERS).rstrip(), spelled(MASK_FOLDERS).rstrip()
    assert {folder_word(images)} <= IMAGE_FOLDERS
    assert {folder_word(masks)} <= MASK_FOLDERS
    place = tmp_path_factory.mktemp("own")
    for folder in (images, masks):
        (place / folder).mkdir()
        Image.new("L", (4, 4), 255).save(place / folder / "a.png")
    assert pairs(f"folder:{place}") == {"a": (f"{images}/a.png", f"{masks}/a.png")}


names = st.text("ab_1", min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    paths=st.sets(st.tuples(st.lists(names, min_size=1, max_size=2), names).map(lambda at: "/".join([*at[0], at[1]])))
)
def test_any_tree_of_subfolders_pairs_each_mask_with_its_own_image(
    paths: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("own")
    for path in paths:
        for folder, suffix in (("images", ".png"), ("masks", ".bmp")):
            file = place / folder / f"{path}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2), 255).save(file)
    if paths:
        expected = {path: (f"images/{path}.png", f"masks/{path}.bmp") for path in paths}
        assert pairs(f"folder:{place}") == expected
