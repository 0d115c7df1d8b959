"""What the page writes can be benched, read by pycocotools, and is repaired after a kill at any moment."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext

import cv2
import numpy as np
import pytest
from deeds import WORK, can, event_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from iiszoo import files
from iiszoo.annotate import masks
from iiszoo.clicking.recorded_files import read_recordings
from iiszoo.clicking.recordings import RecordedClick, Recording
from iiszoo.loading import load_dataset

CLICK = {"row": 3, "col": 4, "positive": True, "label": "cat", "model": "m"}


def blob(seed, size=(40, 56)):
    mask = np.zeros(size, bool)
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, size[0] // 2), rng.integers(0, size[1] // 2)
    mask[top : top + 11, left : left + 17] = True
    mask[top + 3, left + 4] = False
    return mask


def accept(work, number, mask, label="cat"):
    work.do(number, "click", **{**CLICK, "label": label})
    work.do(number, "accept", mask=work.saved.save(masks.packed(mask)))
    work.publish(number, {})


def contents(out):
    """Every file of the output that others read, and where links lead."""
    found = {}
    for path in sorted(out.rglob("*")):
        if "journal" not in path.parts and (path.is_file() or path.is_symlink()):
            found[str(path.relative_to(out))] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


@pytest.fixture
def annotated(workplace):
    """Two objects in the first image, one in the third, none in the second."""
    work = workplace(labels=["cat", "dog"])
    expected = {"a__1": blob(1), "a__2": blob(2), "c__1": blob(3)}
    accept(work, 0, expected["a__1"])
    accept(work, 0, expected["a__2"], "dog")
    accept(work, 2, expected["c__1"], "dog")
    return work, expected


def test_a_folder_dataset_has_exactly_the_accepted_masks(annotated):
    work, expected = annotated
    dataset = load_dataset(f"folder:{work.out}")
    assert not list(dataset.check_files())
    found = {sample.id: sample.read_target().object for sample in dataset}
    assert found.keys() == expected.keys()
    for id, mask in expected.items():
        np.testing.assert_array_equal(found[id], mask)


def test_a_coco_dataset_has_them_too(annotated):
    work, expected = annotated
    dataset = load_dataset(f"coco:{work.out / 'annotations.json'}")
    assert not list(dataset.check_files())
    found = {sample.id: sample.read_target().object for sample in dataset}
    assert found.keys() == expected.keys()
    for id, mask in expected.items():
        np.testing.assert_array_equal(found[id], mask)


def test_pycocotools_reads_masks_boxes_areas_and_labels(annotated, capsys):
    work, expected = annotated
    coco = COCO(str(work.out / "annotations.json"))
    found = {}
    for entry in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(entry["image_id"])[0]
        mask = coco.annToMask(entry).astype(bool)
        rows, cols = np.nonzero(mask)
        assert entry["area"] == mask.sum()
        assert entry["bbox"] == [cols.min(), rows.min(), np.ptp(cols) + 1, np.ptp(rows) + 1]
        assert entry["iscrowd"] == 0
        label = coco.loadCats(entry["category_id"])[0]["name"]
        found[image["file_name"], label] = mask
    wanted = {("a.png", "cat"): "a__1", ("a.png", "dog"): "a__2", ("c.png", "dog"): "c__1"}
    assert found.keys() == wanted.keys()
    for key, id in wanted.items():
        np.testing.assert_array_equal(found[key], expected[id])


def test_masks_are_8_bit_pngs_of_black_and_white(annotated):
    work, _ = annotated
    pixels = cv2.imread(str(work.out / "masks" / "a__1.png"), cv2.IMREAD_UNCHANGED)
    assert (pixels.dtype, pixels.ndim, set(np.unique(pixels))) == (np.uint8, 2, {0, 255})


def test_what_is_undone_leaves_the_output_and_comes_back_the_same(annotated):
    work, _ = annotated
    before = contents(work.out)
    work.do(2, "undo")
    work.publish(2, {})
    assert "masks/c__1.png" not in contents(work.out)
    assert "images/c.png" not in contents(work.out)
    work.do(2, "redo")
    work.publish(2, {})
    after = contents(work.out)
    assert {k: v for k, v in after.items() if k != "sessions.jsonl"} == {
        k: v for k, v in before.items() if k != "sessions.jsonl"
    }


def test_images_are_links_and_copies_where_links_do_not_work(workplace, monkeypatch):
    work = workplace(2, labels=["cat"])
    accept(work, 0, blob(1))
    link = work.out / "images" / "a.png"
    assert link.is_symlink()
    assert link.resolve() == (work.directory / "a.png").resolve()
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    accept(work, 1, blob(2))
    copy = work.out / "images" / "b.png"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (work.directory / "b.png").read_bytes()


def test_the_hash_of_a_mask_is_that_of_its_size_and_bits():
    import hashlib

    mask = blob(5, (7, 9))
    rows = b"7 9\n" + np.packbits(mask.ravel()).tobytes()
    assert masks.digest(masks.packed(mask)) == hashlib.sha256(rows).hexdigest()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1))
def test_run_lengths_begin_with_background_and_cover_everything(seed, rows, cols, share):
    mask = np.random.default_rng(seed).random((rows, cols)) < share
    counts = masks.run_lengths(mask)
    assert sum(counts) == rows * cols
    values = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
    np.testing.assert_array_equal(values.reshape(cols, rows).T, mask)
    assert all(counts[1:]), "no run but the first is empty"


@pytest.mark.parametrize("calls", range(12))
def test_killed_at_any_file_the_next_start_repairs_the_output(workplace, monkeypatch, calls):
    """An accepted object, an object that is deleted, and one that is accepted again, killed at the n-th file."""

    class Killed(BaseException):
        pass

    left = [calls]
    write = files.replace_durably

    def dying(path, content):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        write(path, content)

    work = workplace(1, labels=["cat"])
    accept(work, 0, blob(1))
    monkeypatch.setattr(files, "replace_durably", dying)
    with pytest.raises(Killed) if calls < 10 else nullcontext():
        accept(work, 0, blob(2))
        work.do(0, "delete", object=1)
        work.publish(0, {})
        accept(work, 0, blob(3))
    monkeypatch.setattr(files, "replace_durably", write)
    again = workplace(1)
    again.repair({})
    wanted = {f"a__{found.id}": again.saved.read(found.mask).mask() for found in again.histories[0].document.accepted}
    dataset = load_dataset(f"folder:{again.out}")
    assert {sample.id for sample in dataset} == wanted.keys()
    for sample in dataset:
        np.testing.assert_array_equal(sample.read_target().object, wanted[sample.id])
    lines = (again.out / "sessions.jsonl").read_text().splitlines()
    assert [json.loads(line)["mask"] for line in lines] == [f.mask for f in again.histories[0].document.accepted]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORK)
def test_after_any_work_the_next_start_has_the_same_output(workplace, work):
    place = workplace(1, (24, 32), labels=["cat", "dog"])
    rng = np.random.default_rng(len(work))
    for deed in work:
        mask = place.saved.save(masks.packed(rng.random((24, 32)) < 0.3))
        asked = event_of(deed, place.histories[0], mask)
        if asked is not None and can(place.histories[0], *asked):
            place.do(0, asked[0], **asked[1])
            place.publish(0, {})
    before, document = contents(place.out), place.histories[0].document
    for path in place.out.rglob("*"):
        if path.is_file() and "journal" not in path.parts:
            path.unlink()
    again = workplace(1, (24, 32))
    again.repair({})
    assert again.histories[0].document == document
    if place.logs[0].events:
        assert contents(again.out) == before


def test_a_session_line_tells_how_a_mask_was_made(workplace):
    work = workplace(1, labels=["cat"])
    identities = {"k": {"id": "m", "weights": ["w sha256 1"]}}
    work.do(0, "open")
    first = work.do(0, "click", **CLICK)
    work.do(0, "answered", click=first["n"], seconds=0.1, mask="h1", identity="k")
    wrong = work.do(0, "click", **{**CLICK, "row": 9, "positive": False})
    work.do(0, "answered", click=wrong["n"], seconds=0.2, mask="h2", identity="k")
    work.do(0, "undo")
    stroke = work.do(0, "stroke", points=[[1, 2], [3, 4]], size=5, erase=False, label="cat")
    mask = work.saved.save(masks.packed(blob(1)))
    done = work.do(0, "accept", mask=mask)
    work.publish(0, identities)
    (line,) = map(json.loads, (work.out / "sessions.jsonl").read_text().splitlines())
    opened = work.logs[0].events[0]["at"]
    assert line == {
        "image": "a.png",
        "stem": "a",
        "size": [40, 56],
        "image_sha256": files.sha256(work.directory / "a.png")[0],
        "object": 1,
        "label": "cat",
        "mask": mask,
        "seconds": pytest.approx(done["at"] - opened, abs=0.002),
        "opened": opened,
        "models": [identities["k"]],
        "steps": [
            {"do": "click", "at": first["at"], "row": 3, "col": 4, "positive": True, "model": "m", "model_seconds": 0.1,
             "mask": "h1"},
            {"do": "stroke", "at": stroke["at"], "size": 5, "erase": False, "points": [[1, 2], [3, 4]]},
        ],
        "actions": [
            {"do": "click", "at": first["at"], "row": 3, "col": 4, "positive": True},
            {"do": "click", "at": wrong["at"], "row": 9, "col": 4, "positive": False},
            {"do": "undo", "at": work.logs[0].events[5]["at"]},
            {"do": "stroke", "at": stroke["at"]},
            {"do": "accept", "at": done["at"]},
        ],
    }  # fmt: skip
    made = Recording(RecordedClick(3, 4, True), (), (40, 56))
    assert read_recordings(work.out / "sessions.jsonl") == {"a__1": [made], "a": [made]}


def test_the_time_of_an_object_is_that_since_the_one_before(workplace):
    from iiszoo.annotate import sessions

    def event(n, at, do, **what):
        return {"n": n, "at": at, "do": do, **what}

    events = [
        event(1, 100.0, "open"),
        event(2, 103.0, "click", **CLICK),
        event(3, 104.0, "accept", mask="x"),
        event(4, 106.5, "click", **CLICK),
        event(5, 107.0, "close"),
        event(6, 900.0, "open"),
        event(7, 902.0, "accept", mask="y"),
        event(8, 903.0, "select", object=1),
        event(9, 905.0, "accept", mask="z"),
    ]
    first, second = sessions.lines({}, events, {})
    assert (first["seconds"], first["opened"]) == (4.0 + 3.0, 100.0)
    assert (second["seconds"], second["opened"]) == (2.5 + 2.0, 100.0)
