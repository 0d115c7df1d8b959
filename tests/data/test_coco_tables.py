"""COCO files as tools write them, and as an enemy would: what is read, and in which words the rest is refused."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from iiszoo.data import coco_tables, outlined_images
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.datasets.coco_file import CocoFile
from iiszoo.data.inspection import UNSEEN, inspect
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.dataset_check import survey, survey_for_run
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Content = dict[str, Any]
SQUARE = [4, 3, 20, 3, 20, 15, 4, 15]
AS_WRITTEN = Path(__file__).parent / "coco_as_written"


def content(**changes: Any) -> Content:
    """Two images with one object each; `image_...` changes the first image, `annotation_...` its annotation."""
    images: list[Any] = [{"id": k, "file_name": f"{'ab'[k - 1]}.jpg", "height": 24, "width": 32} for k in (1, 2)]
    annotations: list[Any] = [
        {"id": 30 + k, "image_id": k, "category_id": 5, "iscrowd": 0, "segmentation": [SQUARE]} for k in (1, 2)
    ]
    table: Content = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "dog"}]}
    for key, value in changes.items():
        kind, _, name = key.partition("_")
        if kind in ("image", "annotation") and name:
            table[f"{kind}s"][0][name] = value
        else:
            table[key] = value
    return table


@pytest.fixture
def write(save: Save, tmp_path: Path) -> Callable[..., EvaluationDataset]:
    """`write(content)`: the data set of a file with this content, beside `images/a.jpg` and `images/b.jpg`."""
    save("set/images/a.jpg")
    save("set/images/b.jpg")

    def write_(table: Any) -> EvaluationDataset:
        file = tmp_path / "set" / "mine.json"
        file.write_text(json.dumps(table))
        return load_dataset(f"coco:{file}")

    return write_


Write = Callable[..., EvaluationDataset]


def faults(dataset: EvaluationDataset) -> list[str]:
    """What `data check` and a run say, which must be the same."""
    checked = list(dataset.check_files())
    found = survey(dataset, None, lambda done, total: None)
    assert list(dict.fromkeys(found.broken.values())) == checked
    return checked


READ: dict[str, Content] = {
    "as it should be": content(),
    "image_id as text": content(annotation_image_id="1"),
    "image id as text": content(image_id="1"),
    "image id as a whole float": content(image_id=1.0),
    "image_id as a float in text": content(annotation_image_id="1.0"),
    "ids that are words": content(image_id="frame-a", annotation_image_id="frame-a"),
    "ids that are words, with spaces round them": content(image_id="frame-a", annotation_image_id=" frame-a "),
    "annotation id as text": content(annotation_id="31"),
    "no annotation id": content(annotation_id=None),
    "one annotation id twice": content(annotation_id=32),
    "size as text": content(image_height="24", image_width="32"),
    "size as whole floats": content(image_height=24.0, image_width=32.0),
    "size null": content(image_height=None, image_width=None),
    "height alone null": content(image_height=None),
    "backslash": content(image_file_name="images\\a.jpg"),
    "slash": content(image_file_name="images/a.jpg"),
    "dot": content(image_file_name="./a.jpg"),
    "there and back": content(image_file_name="x/../images/a.jpg"),
    "url alone": content(image_file_name=None, image_coco_url="http://images.cocodataset.org/images/a.jpg"),
    "url beside an empty name": content(
        image_file_name="", image_coco_url="http://images.cocodataset.org/images/a.jpg"
    ),
    "iscrowd false": content(annotation_iscrowd=False),
    "iscrowd as text": content(annotation_iscrowd="0"),
    "iscrowd as a float": content(annotation_iscrowd=0.0),
    "iscrowd null": content(annotation_iscrowd=None),
    "category_id as text": content(annotation_category_id="5"),
    "category_id null": content(annotation_category_id=None),
    "category_id of no category": content(annotation_category_id=99),
    "no categories": content(categories=None),
    "no category": content(categories=[]),
    "more keys": content(info={}, licenses=[], annotation_attributes={"occluded": False}, image_flickr_url=""),
}


@pytest.mark.parametrize("variant", READ)
def test_what_is_unambiguous_is_read(variant: str, write: Write) -> None:
    dataset = write(READ[variant])
    assert len(dataset) == 2
    assert faults(dataset) == []
    expected = np.zeros((24, 32), bool)
    expected[3:15, 4:20] = True
    for i in range(2):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, expected)
        assert target.object.flags.c_contiguous
        assert target.ignore is None


def test_classes_are_found_whichever_way_ids_are_written(write: Write) -> None:
    for table in (content(annotation_category_id="5"), content(categories=[{"id": "5", "name": "dog"}])):
        dataset = write(table)
        assert CocoFile(dataset.place)[0].info["classes"] == {(0, 1): "dog"}


@pytest.mark.parametrize(
    "case", ["backslash", "bom", "flat_polygon", "pair_polygon", "rle_list_dict", "string_image_id"]
)
def test_files_from_the_field(case: str, save: Save, tmp_path: Path) -> None:
    for name in "ab":
        save(f"images/{name}.jpg", np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "ann.json").write_bytes((AS_WRITTEN / f"{case}.json").read_bytes())
    dataset = load_dataset(f"coco:{tmp_path / 'ann.json'}")
    assert faults(dataset) == []
    areas = [int(dataset[i].read_target().object.sum()) for i in range(len(dataset))]
    assert areas == [30 if case == "rle_list_dict" else 600, 600]


def test_an_odd_polygon_from_the_field_is_named(save: Save, tmp_path: Path) -> None:
    for name in "ab":
        save(f"images/{name}.jpg", np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "ann.json").write_bytes((AS_WRITTEN / "odd_polygon.json").read_bytes())
    [fault] = faults(load_dataset(f"coco:{tmp_path / 'ann.json'}"))
    assert "annotation 1 of image 1 has a segmentation that cannot be drawn" in fault
    assert "9 numbers, an odd number, but each point has x and y; expected a list of polygons" in fault


def test_left_over_annotations_are_left_out_and_counted(
    save: Save, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save("images/a.jpg", np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "ann.json").write_bytes((AS_WRITTEN / "orphan_ann.json").read_bytes())
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            dataset = load_dataset(f"coco:{tmp_path / 'ann.json'}")
            assert [sample.id for sample in dataset] == ["a__1"]
    assert faults(dataset) == []
    [record] = caplog.records
    assert "1 of 2 annotations are of images that it does not list: annotation 2; they are left out" in record.message


BROKEN: dict[str, tuple[Content, str]] = {
    "no segmentation": (content(annotation_segmentation=None), "annotation 31 of image 1 has no outline"),
    "a box alone": (
        content(annotation_segmentation=[], annotation_bbox=[1, 2, 3, 4]),
        "annotation 31 of image 1 has no outline",
    ),
    "outside": (
        content(annotation_segmentation=[[90, 90, 99, 90, 99, 99]]),
        "annotation 31 of image 1 covers no pixel of the image",
    ),
    "a line": (
        content(annotation_segmentation=[[1, 1, 9, 9]]),
        "annotation 31 of image 1 covers no pixel of the image",
    ),
    "an odd polygon": (content(annotation_segmentation=[[*SQUARE, 1]]), "annotation 31 of image 1 has a segmentation"),
    "text": (content(annotation_segmentation="[[1,2,3,4,5,6]]"), "annotation 31 of image 1 has a segmentation"),
    "NaN": (content(annotation_segmentation=[[math.nan] * 6]), "that are not finite numbers; expected"),
    "no id, and text": (content(annotation_id=None, annotation_segmentation="x"), "annotation number 1 of image 1 has"),
    "iscrowd 2": (content(annotation_iscrowd=2), "annotation 31 of image 1 has iscrowd 2; expected 0 or 1"),
    "iscrowd a word": (content(annotation_iscrowd="no"), "has iscrowd 'no'; expected 0 or 1"),
    "iscrowd a list": (content(annotation_iscrowd=[0]), "has iscrowd [0]; expected 0 or 1"),
    "category_id a list": (
        content(annotation_category_id=[5]),
        "has category_id [5]; expected the id of one category",
    ),
    "category_id an object": (content(annotation_category_id={"id": 5}), "has category_id {'id': 5}; expected"),
    "category_id true": (content(annotation_category_id=True), "has category_id True; expected"),
    "category_id half": (content(annotation_category_id=1.5), "has category_id 1.5; expected"),
    "height true": (content(image_height=True), "image 1 has height True and width 32"),
    "height a list": (content(image_height=[24]), "image 1 has height [24] and width 32"),
    "height 0": (content(image_height=0), "image 1 has height 0 and width 32"),
    "height below 0": (content(image_height=-24), "image 1 has height -24 and width 32"),
    "height NaN": (content(image_height=math.nan), "image 1 has height nan and width 32"),
    "height infinite": (content(image_height=math.inf), "image 1 has height inf and width 32"),
    "height half": (content(image_height=24.5), "image 1 has height 24.5 and width 32"),
    "height a word": (content(image_height="tall"), "image 1 has height 'tall' and width 32"),
    "huge": (content(image_height=10**9, image_width=10**9), "is too large to be drawn on"),
    "long": (content(image_height=2**21, image_width=1), "is too large to be drawn on"),
    "endless": (content(image_height=10**400), "is too large to be drawn on"),
    "endless, as text": (content(image_height="1" + "0" * 4000), "is too large to be drawn on"),
    "endless, as a float in text": (content(image_height="1e999"), "image 1 has height '1e999' and width 32"),
}


@pytest.mark.parametrize("variant", BROKEN)
def test_what_is_wrong_with_one_object_is_named_and_the_others_are_read(variant: str, write: Write) -> None:
    table, reason = BROKEN[variant]
    dataset = write(table)
    [fault] = faults(dataset)
    assert reason in fault
    assert str(dataset.place) in fault
    assert "\n" not in fault
    assert len(fault) < 700
    with pytest.raises(DatasetError, match="1 of 2 samples cannot be used"):
        survey_for_run(dataset, None, False, lambda done, total: None)
    assert list(survey_for_run(dataset, None, True, lambda done, total: None).broken) == ["a__1"]
    assert dataset[1].read_target().object.sum() == 192


def test_a_declared_size_that_is_not_the_images(write: Write) -> None:
    [fault] = faults(write(content(image_height=20_000, image_width=20_000)))
    assert "differ in size (rows x columns): 24x32 but 20000x20000" in fault


WHOLE: dict[str, tuple[Any, str]] = {
    "a list": ([], "is not an instances file in COCO's format"),
    "null": (None, "is not an instances file in COCO's format"),
    "no images": ({"annotations": []}, "is not an instances file"),
    "no annotations": ({"images": []}, "is not an instances file"),
    "images an object": (content(images={}), "is not an instances file"),
    "annotations null": (content(annotations=None), "is not an instances file"),
    "an image is text": (content(images=["a.jpg"]), "image number 1 of the list is not an object"),
    "an annotation is a list": (content(annotations=[[1]]), "annotation number 1 is not an object"),
    "an image without id": (content(image_id=None), "image number 1 of the list has the id None; expected"),
    "image id true": (content(image_id=True), "has the id True"),
    "image id a list": (content(image_id=[1]), "has the id [1]"),
    "image id NaN": (content(image_id=math.nan), "has the id nan"),
    "image id half": (content(image_id=1.5), "has the id 1.5"),
    "image id empty": (content(image_id=""), "has the id ''"),
    "one id twice": (content(image_id=2), "two images have the id 2"),
    "one id twice, as text": (content(image_id="2"), "two images have the id 2"),
    "one file twice": (content(image_file_name="b.jpg"), "images 1 and 2 have one file_name, 'b.jpg'; join them"),
    "one file twice, in other words": (content(image_file_name=".\\b.jpg"), "have one file_name"),
    "image_id missing": (
        content(annotation_image_id=None),
        "annotation 31 has image_id None, which is not an image's id",
    ),
    "image_id a list": (content(annotation_image_id=[1]), "annotation 31 has image_id [1]"),
    "image_id an object": (content(annotation_image_id={"id": 1}), "annotation 31 has image_id {'id': 1}"),
    "image_id true": (content(annotation_image_id=True), "annotation 31 has image_id True"),
    "no image is the right one": (
        {**content(), "annotations": [{"id": 1, "image_id": 77, "segmentation": [SQUARE]}]},
        "none of its 1 annotations is of an image that it lists",
    ),
    "categories text": (content(categories="dog"), "categories must be a list"),
    "a category is text": (content(categories=["dog"]), "a category is not an object with id and name: 'dog'"),
    "a category without name": (content(categories=[{"id": 1}]), "a category is not an object with id and name"),
    "a category's id a list": (content(categories=[{"id": [1], "name": "x"}]), "a category is not an object with id"),
    "crowds alone": (
        content(annotation_iscrowd=1, annotations=[{"id": 1, "image_id": 1, "iscrowd": 1, "segmentation": [SQUARE]}]),
        "its 1 annotations are all crowds (iscrowd 1), which are ignored",
    ),
    "file_name missing": (content(image_file_name=None), "image 1 has no file_name"),
    "file_name a number": (content(image_file_name=7), "7 is not text"),
    "file_name a list": (content(image_file_name=["a.jpg"]), "['a.jpg'] is not text"),
    "file_name empty": (content(image_file_name=""), "'' names no file"),
    "file_name .": (content(image_file_name="."), "'.' names no file"),
    "file_name up": (content(image_file_name="../x.jpg"), "leads out of the folder"),
    "file_name up, of Windows": (content(image_file_name="..\\x.jpg"), "leads out of the folder"),
    "file_name up, hidden": (content(image_file_name="images/../../x.jpg"), "leads out of the folder"),
    "file_name absolute": (content(image_file_name="/etc/passwd"), "leads out of the folder"),
    "file_name absolute, of Windows": (content(image_file_name="C:\\a.jpg"), "leads out of the folder"),
    "file_name NUL": (content(image_file_name="a\0.jpg"), "NUL"),
    "file_name long": (content(image_file_name="x" * 5000), "too long for a file name"),
    "file_name surrogate": (content(image_file_name="\ud800.jpg"), "lone surrogate"),
    "coco_url up": (content(image_file_name=None, image_coco_url="http://x/../x.jpg"), "leads out of the folder"),
}


@pytest.mark.parametrize("variant", WHOLE)
def test_a_file_that_cannot_be_used_is_refused_by_name(variant: str, write: Write, tmp_path: Path) -> None:
    table, reason = WHOLE[variant]
    dataset = write(table)
    for use in (len, lambda dataset: list(dataset.check_files())):
        with pytest.raises(DatasetError) as error:
            use(dataset)
        assert str(error.value).startswith(f"{tmp_path / 'set' / 'mine.json'}: ")
        assert reason in str(error.value)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b'{"images": [' + b"[" * 200_000, "cannot be read as JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "cannot be read as JSON"),
        (b"[" + b"9" * 5000 + b"]", "cannot be read as JSON"),
        (b"\xff\xff", "cannot be read as JSON"),
        (b"\xff\xfe{", "cannot be read as JSON"),
        (b"\x00\x00\x00", "cannot be read as JSON"),
    ],
    ids=["empty", "cut off", "deep lists", "deep objects", "long number", "bytes", "half of UTF-16", "NUL"],
)
def test_what_is_no_json_is_refused_by_name(text: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(text)
    with pytest.raises(DatasetError, match=reason) as error:
        len(load_dataset(f"coco:{file}"))
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "size"]), inner, max_size=2)
    ),
    max_leaves=4,
)
FIELDS = ["image_id", "image_file_name", "image_height", "image_width", "annotation_id", "annotation_image_id"]
FIELDS += ["annotation_iscrowd", "annotation_category_id", "annotation_segmentation", "categories", "images"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3))
def test_nothing_but_a_dataset_error_comes_of_any_field(changes: dict[str, Any], write: Write) -> None:
    if "images" in changes:
        changes = {"images": changes["images"]}
    dataset = write(content(**changes))
    try:
        n = len(dataset)
    except DatasetError:
        return
    for i in range(n):
        if inspect(dataset[i]).fault is None:
            assert dataset[i].read_target().object.any()
    list(dataset.check_files())


@pytest.mark.parametrize(
    ("file", "image", "file_name"),
    [
        ("result.json", "images/a.jpg", "images\\a.jpg"),  # Label Studio on Windows
        ("annotations/instances_default.json", "images/a.jpg", "a.jpg"),  # CVAT 1.0
        ("annotations/instances_default.json", "images/default/a.jpg", "a.jpg"),  # CVAT
        ("annotations/instances_Train.json", "images/Train/a.jpg", "a.jpg"),
        ("annotations/instances_my_split.json", "images/my_split/a.jpg", "a.jpg"),
        ("annotations/instances_train.json", "images/train/sub/a.jpg", "sub/a.jpg"),  # Datumaro
        ("annotations/instances_val2017.json", "val2017/a.jpg", "a.jpg"),
        ("train/_annotations.coco.json", "train/a.jpg", "a.jpg"),  # Roboflow
        ("labels.json", "data/a.jpg", "a.jpg"),  # FiftyOne
        ("annotations.json", "JPEGImages/a.jpg", "JPEGImages/a.jpg"),  # labelme
        ("annotations.json", "JPEGImages/a.jpg", "a.jpg"),
        ("annotations/instances.json", "img/a.jpg", "a.jpg"),
        ("ds/annotations/instances.json", "ds/images/a.jpg", "a.jpg"),  # Supervisely
        ("via_export_coco.json", "a.jpg", "a.jpg"),  # VIA
        ("ann.json", "images\\a.jpg", "images\\a.jpg"),  # an archive of Windows, unpacked elsewhere
    ],
)
def test_the_folders_that_tools_export(file: str, image: str, file_name: str, save: Save, tmp_path: Path) -> None:
    save(image)
    place = tmp_path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    table = content(image_file_name=file_name)
    table["images"], table["annotations"] = table["images"][:1], table["annotations"][:1]
    place.write_text(json.dumps(table))
    dataset = load_dataset(f"coco:{place}")
    assert faults(dataset) == []
    assert Path(dataset[0].files[0]).resolve() == tmp_path / image
    assert "\\" not in dataset[0].id


def test_an_absolute_name_inside_and_a_link_that_the_user_made(save: Save, tmp_path: Path) -> None:
    save("set/images/a.jpg")
    save("elsewhere/b.jpg")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    table = content(image_file_name=str(tmp_path / "set" / "images" / "a.jpg"))
    table["images"][1]["file_name"] = "linked/b.jpg"
    file = tmp_path / "set" / "mine.json"
    file.write_text(json.dumps(table))
    dataset = load_dataset(f"coco:{file}")
    assert faults(dataset) == []
    assert [sample.id for sample in dataset] == ["images/a__1", "linked/b__1"]
    outside = tmp_path / "other"
    outside.mkdir()
    with pytest.raises(DatasetError, match="leads out of the folder"):
        len(load_dataset(f"coco:{file}", root=outside))


def test_a_broken_crowd_is_named_for_each_object_that_it_may_cover(write: Write) -> None:
    table = content()
    table["annotations"].append({"id": 40, "image_id": 1, "iscrowd": 1, "segmentation": "x"})
    [fault] = faults(write(table))
    assert "annotation 40 of image 1 has a segmentation" in fault


@pytest.mark.parametrize("one", [1, True, "1", 1.0])
def test_crowds_in_each_spelling(one: Any, write: Write) -> None:
    table = content()
    table["annotations"].append(
        {"id": 40, "image_id": 1, "iscrowd": one, "segmentation": [[0, 0, 10, 0, 10, 24, 0, 24]]}
    )
    dataset = write(table)
    ignore = dataset[0].read_target().ignore
    assert ignore is not None
    expected = np.zeros((24, 32), bool)
    expected[:, :10] = True
    assert np.array_equal(ignore, expected & ~dataset[0].read_target().object)
    assert len(dataset) == 2


def test_the_fingerprint_goes_with_the_pixels_not_with_their_spelling(write: Write) -> None:
    def fingerprint(table: Content) -> str:
        return survey(write(table), None, lambda done, total: None).fingerprint

    plain = fingerprint(content())
    inside = write(content())[0].read_target().object
    counts = np.diff(np.flatnonzero(np.diff(inside.ravel(order="F"), prepend=False, append=True)), prepend=0).tolist()
    assert plain == fingerprint(content(annotation_segmentation={"size": [24, 32], "counts": counts}))
    assert plain == fingerprint(content(annotation_segmentation=[SQUARE, SQUARE]))
    assert plain != fingerprint(content(annotation_segmentation=[[5, *SQUARE[1:]]]))
    crowd = {"id": 9, "image_id": 1, "iscrowd": 1, "segmentation": [[25, 0, 30, 0, 30, 9]]}
    assert plain != fingerprint({**content(), "annotations": [*content()["annotations"], crowd]})


def test_sixty_objects_of_a_large_image_are_drawn_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 x 20,000 pixels: a stack of full masks would need 89 GiB."""
    began = time.process_time()
    annotations = [
        {"id": k, "image_id": 1, "segmentation": [[100 + k, 100, 19_000, 100, 19_000, 19_000, 100, 19_000]]}
        for k in range(60)
    ]
    table = {"images": [{"id": 1, "file_name": "a.png", "height": 20_000, "width": 20_000}], "annotations": annotations}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(table))
    dataset = load_dataset(f"coco:{file}")
    assert all(inspect(dataset[i], UNSEEN).fault is None for i in range(60))
    assert time.process_time() - began < 10
    with pytest.raises(DatasetError, match="need more than 2 layers of 20000x20000 pixels"):
        CocoFile(file).read_masks(0)


def test_an_image_is_decoded_once_for_all_its_objects(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    table = content()
    table["annotations"] = [{"id": k, "image_id": 1, "segmentation": [SQUARE]} for k in range(50)]
    dataset = write(table)
    reads = []
    read_image = CocoFile.read_image
    monkeypatch.setattr(CocoFile, "read_image", lambda self, i: reads.append(i) or read_image(self, i))
    assert not survey(dataset, None, lambda done, total: None).broken
    assert reads == [0]


def test_three_thousand_objects_that_overlap(write: Write) -> None:
    table = content()
    table["annotations"] = [
        {"id": k, "image_id": 1, "segmentation": [[4, 3, 20 + k % 7, 3, 20, 15, 4, 15 + k % 5]]} for k in range(3000)
    ]
    began = time.process_time()
    dataset = write(table)
    assert not survey(dataset, None, lambda done, total: None).broken
    assert len(by_image(dataset)[0]) == 3000
    with pytest.raises(DatasetError, match="more than 256 layers"):
        CocoFile(dataset.place).read_masks(0)
    assert time.process_time() - began < 10


def test_full_masks_agree_with_the_objects_one_by_one(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlined_images, "_BLOCK", 3)
    table = content()
    table["annotations"] = [
        {"id": k, "image_id": 1, "segmentation": [[4, 3, 8 + k, 3, 8 + k, 15, 4, 9 + k]]} for k in range(10)
    ]
    dataset = write(table)
    full = AllRegions("full", CocoFile(dataset.place))
    by_value = {int(full[i].id.rpartition("_")[2].rpartition(".")[2]): i for i in range(len(full))}
    for i in range(10):
        assert np.array_equal(full[by_value[i + 1]].read_target().object, dataset[i].read_target().object)


def test_an_image_larger_than_any_that_is_read_is_refused_from_its_header(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("a.png", Image.new("L", (60, 60)))
    table = content(image_file_name="a.png", image_height=None, annotations=content()["annotations"][:1])
    table["images"] = table["images"][:1]
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(table))
    monkeypatch.setattr(coco_tables, "MAX_PIXELS", 3599)
    fault = inspect(load_dataset(f"coco:{file}")[0]).fault
    assert "60x60 pixels (rows x columns) is too large to be drawn on" in (fault or "")
