"""`recorded`: which click is played when, and which files are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.clicking.loading import load_robot, robot_version
from iiszoo.clicking.recorded import Recorded
from iiszoo.clicking.recorded_files import read_recordings
from iiszoo.clicking.recordings import RecordedClick, Recording
from iiszoo.clicking.robots import ritm
from iiszoo.errors import BadOption

SIZE = (6, 8)


def click(row: int, col: int, positive: bool = True) -> RecordedClick:
    return RecordedClick(row, col, positive)


def turn(
    robot: Recorded, target: Any, prediction: Any, clicks: Any = (), seed: int = 0, n_points: int = 1, **more: Any
) -> list[RecordedClick]:
    """The robot's new clicks after `clicks`, one an interaction."""
    pcs = [[[at[:2]] if at[2] else []] for at in clicks]
    ncs = [[[] if at[2] else [at[:2]]] for at in clicks]
    outputs = torch.from_numpy(np.asarray(prediction, np.float32))[None, None]
    targets = torch.from_numpy(np.asarray(target, bool))[None, None]
    after = robot(outputs, targets, pcs, ncs, n_points, generators=[np.random.default_rng(seed)], samples=["s"], **more)
    assert [after[0][:-1], after[1][:-1]] == [pcs, ncs]
    return [click(*at) for at in after[0][-1][0]] + [click(*at, False) for at in after[1][-1][0]]


def ritm_after(prediction: Any, target: Any, clicks: Any) -> list[tuple[int, int]]:
    tensors = torch.from_numpy(np.asarray(prediction, np.float32))[None, None], torch.from_numpy(target)[None, None]
    pcs, ncs = ritm(*tensors, [[[at[:2] for at in clicks]]], [[[]]])
    return [(int(row), int(col)) for row, col in (*pcs[-1][0], *ncs[-1][0])]


@pytest.fixture
def target() -> Any:
    mask = np.zeros(SIZE, bool)
    mask[1:5, 1:5] = True
    return mask


def test_the_first_click_is_the_recorded_one_even_beside_the_target(target: Any) -> None:
    nothing = np.zeros(SIZE)
    for first in (click(1, 4), click(0, 7), click(5, 0, False)):
        robot = Recorded({"s": [Recording(first, (), SIZE)]})
        assert turn(robot, target, nothing) == [first]
        assert robot.unrecorded("s", SIZE, [[[*first[:2], int(first.positive)]]]) == 0


def test_later_ones_are_the_nearest_in_the_error_of_their_kind_and_none_is_made_twice(target: Any) -> None:
    first = click(1, 1)
    later = (click(4, 4), click(2, 2), click(3, 3, False), click(0, 7), click(0, 6, False))
    robot = Recorded({"s": [Recording(first, later, SIZE)]})
    prediction = np.zeros(SIZE)
    prediction[1, 1] = prediction[0, 6] = 1
    left = [click(4, 4), click(2, 2), click(0, 6, False)]  # of the others, one lies on the target, one outside it
    made = [first]
    for _ in range(3):
        (point,) = [*ritm_after(prediction, target, made)]
        nearest = min(left, key=lambda at: (at[0] - point[0]) ** 2 + (at[1] - point[1]) ** 2)
        assert turn(robot, target, prediction, made) == [nearest]
        left.remove(nearest)
        made.append(nearest)
    while found := turn(robot, target, prediction, made):
        assert [at[:2] for at in found] == ritm_after(prediction, target, made)
        made += found
    assert len(made) == len(set(made)) == 16 + 1
    assert robot.unrecorded("s", SIZE, [[[row, col, int(positive)]] for row, col, positive in made]) == 13


def test_only_the_person_who_made_the_first_click_goes_on(target: Any) -> None:
    one, other = Recording(click(1, 1), (click(2, 2),), SIZE), Recording(click(4, 4), (click(3, 1),), SIZE)
    robot = Recorded({"s": [one, other]})
    nothing = np.zeros(SIZE)
    assert turn(robot, target, nothing, [click(1, 1)]) == [click(2, 2)]
    assert turn(robot, target, nothing, [click(4, 4)]) == [click(3, 1)]
    assert {turn(robot, target, nothing, seed=seed)[0] for seed in range(20)} == {click(1, 1), click(4, 4)}
    assert turn(robot, target, nothing, seed=3) == turn(robot, target, nothing, seed=3)


def test_a_session_from_a_mask_begins_with_a_later_click(target: Any) -> None:
    robot = Recorded({"s": [Recording(click(1, 1), (click(4, 2),), SIZE)]})
    half = target & (np.arange(SIZE[0])[:, None] < 3)
    assert turn(robot, target, half) == [click(4, 2)]
    from_a_mask = Recorded({"s": [Recording(None, (click(1, 1), click(4, 2)), SIZE)]})
    assert turn(from_a_mask, target, half) == [click(4, 2)]


def test_a_sample_without_a_record_gets_the_clicks_of_ritm(target: Any) -> None:
    robot = Recorded({"another": [Recording(click(1, 1), (), SIZE)]})
    (made,) = turn(robot, target, np.zeros(SIZE))
    wanted = ritm(torch.zeros(1, 1, *SIZE), torch.from_numpy(target)[None, None], [], [])
    assert [made[:2]] == wanted[0][-1][0]
    assert robot.unrecorded("s", SIZE, [[[*made[:2], 1]]]) == 1
    assert robot.unrecorded("s", SIZE, []) == 0


def test_nothing_is_clicked_where_nothing_is_wrong_and_ids_are_needed(target: Any) -> None:
    robot = Recorded({"s": [Recording(click(1, 1), (), SIZE)]})
    assert turn(robot, target, target) == []
    assert turn(robot, np.zeros(SIZE), np.zeros(SIZE)) == []
    assert turn(robot, target, np.zeros(SIZE), ignore=torch.from_numpy(target)[None, None]) == []
    with pytest.raises(ValueError, match="needs the sample ids"):
        robot(torch.zeros(1, 1, *SIZE), torch.ones(1, 1, *SIZE), [], [])


def test_clicks_follow_the_image_to_another_size(target: Any) -> None:
    robot = Recorded({"s": [Recording(click(11, 15), (), (12, 16))]})
    assert turn(robot, target, np.zeros(SIZE)) == [click(5, 7)]
    unmeasured = Recorded({"s": [Recording(click(5, 7), (click(2, 8),), None)]})
    with pytest.raises(ValueError, match="sample 's' do not fit it: one is in row 2, column 8, but the image has 6 x"):
        turn(unmeasured, target, np.zeros(SIZE))
    askew = Recorded({"s": [Recording(click(1, 1), (), (16, 12))]})
    with pytest.raises(ValueError, match="sample 's' do not fit it: they were made on an image of 16 x 12"):
        turn(askew, target, np.zeros(SIZE))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_a_batch_is_its_elements_and_every_click_is_recorded_or_that_of_ritm(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def random_click() -> RecordedClick:
        return click(int(rng.integers(SIZE[0])), int(rng.integers(SIZE[1])), bool(rng.random() < 0.7))

    records = {
        id: [
            Recording(random_click(), tuple(random_click() for _ in range(rng.integers(6))), SIZE)
            for _ in range(rng.integers(3))
        ]
        for id in ("a", "b", "c")
    }
    robot = Recorded(records)
    targets = torch.from_numpy(rng.random((3, 1, *SIZE)) < 0.5)
    outputs = torch.from_numpy((rng.random((3, 1, *SIZE)) < rng.choice([0, 0.3])).astype(np.float32))
    pcs: Any = []
    ncs: Any = []
    for _ in range(3):
        rngs = [np.random.default_rng(b) for b in range(3)]
        alone = [
            robot(
                outputs[b : b + 1],
                targets[b : b + 1],
                [[one[b]] for one in pcs],
                [[one[b]] for one in ncs],
                generators=[np.random.default_rng(b)],
                samples=["abc"[b]],
            )
            for b in range(3)
        ]
        by_rule = ritm(outputs, targets, pcs, ncs)
        pcs, ncs = robot(outputs, targets, pcs, ncs, generators=rngs, samples=list("abc"))
        for b in range(3):
            assert (pcs[-1][b], ncs[-1][b]) == (alone[b][0][-1][0], alone[b][1][-1][0])
            made = [click(*at) for at in pcs[-1][b]] + [click(*at, False) for at in ncs[-1][b]]
            recorded = {at for each in records["abc"[b]] for at in (each.first, *each.later)}
            ritms = [click(*at) for at in by_rule[0][-1][b]] + [click(*at, False) for at in by_rule[1][-1][b]]
            assert all(at in recorded for at in made) or made == ritms


# Files.


def session(stem: str = "a", object: int = 1, steps: Any = ((2, 3, True), (0, 0, False)), **more: Any) -> str:
    made = [{"do": "click", "at": 1.0, "row": row, "col": col, "positive": positive} for row, col, positive in steps]
    line = {"image": f"{stem}.jpg", "stem": stem, "size": list(SIZE), "object": object, "steps": made, **more}
    return json.dumps(line) + "\n"


TABLE = """dataset,image_stem,full_stem,object_stem,click_type,model_type,device,w,h,x,y
GrabCut,21077,21077,,first,,pc,8,6,3,2
GrabCut,21077,21077,,first,,mobile,8,6,9,-1
GrabCut,21077,21077_ritm_fn_pc_24,,fn,ritm,pc,8,6,4,5
GrabCut,21077,21077_mivos_fp,,fp,mivos,pc,16,12,2,2
TETRIS,photo,photo_______65792,65792,first,,pc,8,6,1,0
"""


def test_sessions_of_the_annotation_page(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    start = [{"do": "start", "mask": "0"}, {"do": "click", "row": 1, "col": 2, "positive": True}]
    stroke = [{"do": "stroke", "points": [[0, 0]], "size": 3, "erase": False, "at": 1.0}]
    corrected = session("c", 7, steps=()).replace("[]", json.dumps([*start, *stroke]))
    path.write_text(session() + session("b") + session("b", 2, steps=()) + corrected)
    found = read_recordings(path)
    one = [Recording(click(2, 3), (click(0, 0, False),), SIZE)]
    assert found == {
        "a__1": one,
        "a": one,
        "b__1": one,
        "b__2": [Recording(None, (), SIZE)],
        "c__7": [Recording(None, (click(1, 2),), SIZE)],
        "c": [Recording(None, (click(1, 2),), SIZE)],
    }
    path.write_text(session() + session(steps=[(1, 1, True)]))  # two people
    assert [each.first for each in read_recordings(path)["a"]] == [click(2, 3), click(1, 1)]


def test_a_table_in_the_layout_of_rclicks(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(TABLE)
    later = (click(5, 4), click(1, 1, False))  # the second was made on twice the size
    assert read_recordings(path, "GrabCut") == {
        "21077": [Recording(click(2, 3), later, SIZE), Recording(click(0, 7), later, SIZE)]
    }
    assert read_recordings(path, "TETRIS") == {"photo__65792": [Recording(click(0, 1), (), SIZE)]}
    path.write_text("y, x, click_type, full_stem, image_stem, dataset\n2,3,fn,a,a,D\n", encoding="utf-8-sig")
    assert read_recordings(path) == {"a": [Recording(None, (click(2, 3),), None)]}


def of_clicks(*places: tuple[object, object], size: str = "8,6") -> str:
    """A table of first clicks at (x, y)."""
    lines = [f"D,a{k},a{k},first,{size},{x},{y}" for k, (x, y) in enumerate(places)]
    return "\n".join(["dataset,image_stem,full_stem,click_type,w,h,x,y", *lines])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", TABLE, "it has clicks of several datasets; choose one, as in .*a.csv,dataset=GrabCut .*TETRIS"),
        ("a.csv", "x,y\n1,2\n", "there is no column 'dataset'; a CSV file of clicks has dataset,image_stem"),
        ("a.csv", TABLE.splitlines()[0], "there is no click in it"),
        ("a.csv", " \n", "it is empty; a CSV file of clicks has dataset,image_stem"),
        ("a.csv", TABLE.replace(",", ";"), "its columns are separated by semicolons, not by commas"),
        ("a.csv", TABLE.replace(",", "\t"), "its columns are separated by tabs, not by commas"),
        ("a.csv", TABLE.replace("device", "x"), "there are 2 columns 'x'; keep one"),
        ("a.csv", of_clicks((5, 7), (3, 6), (2, 2)), "2 of 3 clicks lie .*, and inside if x and y are exchanged"),
        ("a.csv", of_clicks((50, 70), (60, 1), (5, 5)), "2 of 3 clicks lie outside .* of w x h; x must be the column"),
        ("a.csv", of_clicks((0.5, 0.25), (0, 0.1)), "x and y are fractions of the image; give pixels"),
        ("a.csv", TABLE.splitlines()[0] + "\nGrabCut,a\n", "line 2 has not as many values as columns"),
        ("a.csv", TABLE.replace("first,,pc,8,6,3,2", "second,,pc,8,6,3,2"), "line 2 .*click_type is 'second', not"),
        ("a.csv", TABLE.replace("8,6,3,2", "8,6,here,2"), "line 2 .*x is 'here', not a number"),
        ("a.csv", TABLE.replace("21077,21077,", "21077,9,"), "line 2 .*full_stem '9' does not begin with"),
        ("sessions.jsonl", "", "there is no click in it"),
        ("sessions.jsonl", "{}", r"line 1 is not a line of sessions.jsonl \('size' is missing\)"),
        ("sessions.jsonl", "[1]\n", "line 1 is not a line of sessions.jsonl"),
        ("sessions.jsonl", session() + session(steps=[(6, 0, True)]), r"line 2 .*\(6, 0\) is outside the image"),
        ("sessions.jsonl", session(object=True), "line 1 .*object is True, not a whole number"),
        ("sessions.jsonl", session(steps=[(0, 0, 1)]), "line 1 .*positive is not true or false"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadOption, match=f"recorded clicks .*{name}: {sentence}"):
        load_robot(f"recorded:{tmp_path / name}")


def test_the_name_of_the_robot(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(TABLE)
    grabcut = load_robot(f"recorded:{path},dataset=GrabCut")
    assert isinstance(grabcut, Recorded)
    assert list(grabcut.recordings) == ["21077"]
    before = robot_version(f"recorded:{path},dataset=GrabCut")
    assert before == robot_version(f"recorded:{path},dataset=TETRIS")
    path.write_text(TABLE.replace("8,6,3,2", "8,6,3,3"))
    assert robot_version(f"recorded:{path},dataset=GrabCut") != before
    assert 0 <= before < 2**63
    for name, sentence in {
        "recorded": "needs the file of the clicks: recorded:FILE",
        f"recorded:{path},dataset=": "needs the file of the clicks",
        f"recorded:{path},dataset=DAVIS": "no dataset is called 'DAVIS' there; it has GrabCut, TETRIS",
        f"recorded:{tmp_path / 'none.csv'}": "cannot be read: No such file",
        f"recorded:{tmp_path}": "cannot be read",
    }.items():
        with pytest.raises(BadOption, match=sentence):
            load_robot(name)
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text(session())
    with pytest.raises(BadOption, match="only a CSV file has datasets; leave out dataset=DAVIS"):
        load_robot(f"recorded:{sessions},dataset=DAVIS")
