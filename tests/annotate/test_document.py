"""Undo and redo give exactly what was there; the same log always gives the same objects; a log survives any cut."""

from __future__ import annotations

import json

import pytest
from deeds import WORK, can, event_of
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.annotate.document import Click, Document, History, Object, Start
from iiszoo.annotate.events import EventLog
from iiszoo.errors import BadOption, RunError


def history_of(*deeds):
    return History({"n": n, "at": float(n), **deed} for n, deed in enumerate(deeds, 1))


def click(row=1, col=2, positive=True, label="cat", model="m"):
    return {"do": "click", "row": row, "col": col, "positive": positive, "label": label, "model": model}


def worked(work):
    """The events and documents of random work, one document before the first and one after each event."""
    history, events, documents = History(), [], [Document()]
    for deed in work:
        asked = event_of(deed, history, mask=f"mask {len(events)}")
        if asked is None or not can(history, *asked):
            continue
        events.append({"n": len(events) + 1, "at": float(len(events)), "do": asked[0], **asked[1]})
        history.add(events[-1])
        documents.append(history.document)
    return history, events, documents


@given(WORK)
def test_the_same_log_gives_the_same_objects(work):
    history, events, documents = worked(work)
    for length, document in enumerate(documents):
        assert History(events[:length]).document == document
    assert History(json.loads(json.dumps(events))).document == history.document


@given(WORK)
def test_undo_takes_everything_back_one_by_one_and_redo_brings_it_again(work):
    history, events, _ = worked(work)
    last, seen = history.document, [history.document]
    n = len(events)
    while history.can_undo:
        n += 1
        history.add({"n": n, "at": 0.0, "do": "undo"})
        seen.append(history.document)
    assert history.document == Document()
    for document in seen[-2::-1]:
        n += 1
        history.add({"n": n, "at": 0.0, "do": "redo"})
        assert history.document == document
    assert history.document == last


@given(WORK)
def test_ids_are_never_used_twice(work):
    _, _, documents = worked(work)
    assert all(document.next_id > max((found.id for found in document.objects), default=0) for document in documents)
    assert all([found.id for found in d.objects] == sorted({found.id for found in d.objects}) for d in documents)


def test_the_next_object_begins_after_one_is_accepted():
    history = history_of(click(), {"do": "accept", "mask": "x"}, click(5, 6, label="dog"))
    first, second = history.document.objects
    assert (first.label, first.mask, first.changed) == ("cat", "x", False)
    assert (second.label, second.mask, second.id) == ("dog", None, history.document.current)


def test_a_click_in_the_middle_is_removed_and_the_rest_stays():
    history = history_of(click(1, 1), click(2, 2), click(3, 3), {"do": "unclick", "click": 2})
    assert [(c.row, c.col) for c in history.document.worked_on.clicks] == [(1, 1), (3, 3)]


def test_of_two_clicks_on_one_pixel_the_one_meant_is_removed():
    history = history_of(click(1, 1), click(2, 2), click(1, 1), {"do": "unclick", "click": 3})
    assert [c.n for c in history.document.worked_on.clicks] == [1, 2]


def test_removing_the_only_click_removes_the_object():
    assert history_of(click(), {"do": "unclick", "click": 1}).document.objects == ()


def test_a_reopened_object_keeps_its_accepted_mask_until_another_is_accepted():
    history = history_of(click(), {"do": "accept", "mask": "x"}, {"do": "select", "object": 1}, click(3, 3))
    (found,) = history.document.accepted
    assert (found.mask, found.changed, len(found.steps), len(found.accepted)) == ("x", True, 2, 1)
    history.add({"n": 5, "at": 0.0, "do": "discard"})
    assert history.document == Document((Object(1, "cat", found.accepted, "x", found.accepted),), 0, 2)


def test_undo_does_not_go_behind_the_masks_that_the_image_came_with():
    history = history_of({"do": "initial", "objects": [{"label": "cat", "mask": "x"}]}, click())
    assert history.document.objects[0] == Object(1, "cat", (Start("x"),), "x", (Start("x"),))
    history.add({"n": 3, "at": 0.0, "do": "undo"})
    assert len(history.document.objects) == 1
    assert not history.can_undo


def test_masks_and_answers_are_remembered_for_the_steps_that_they_belong_to():
    history = history_of(
        click(1, 1),
        {"do": "answered", "click": 1, "mask": "one"},
        click(2, 2),
        {"do": "draft", "mask": "two"},
        {"do": "answered", "click": 3, "mask": "two"},
        {"do": "undo"},
    )
    first, second = Click(1, 1, True, "m"), Click(2, 2, True, "m")
    assert history.saved == {(first, second): "two"}
    assert {steps: note["mask"] for steps, note in history.answers.items()} == {(first,): "one", (first, second): "two"}


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        ({"do": "accept", "mask": "x"}, "no object in work"),
        ({"do": "undo"}, "nothing to undo"),
        ({"do": "redo"}, "nothing to redo"),
        ({"do": "select", "object": 7}, "has been deleted"),
        ({"do": "unclick", "click": 7}, "no object in work"),
    ],
)
def test_what_cannot_be_done_is_refused(deed, sentence):
    with pytest.raises(BadOption, match=sentence):
        history_of(deed)


@settings(max_examples=30, deadline=None)
@given(WORK, st.data())
def test_a_log_cut_anywhere_loses_at_most_its_last_line(tmp_path_factory, work, data):
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    log = EventLog(path)
    log.append("open", at=0.0)
    for event in worked(work)[1]:
        log.append(**{key: value for key, value in event.items() if key != "n"})
    log.close()
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    again = EventLog(path)
    whole = content[:cut].count(b"\n")
    assert again.events == log.events[:whole]
    again.append("open")
    again.close()
    assert len(EventLog(path).events) == whole + 1


def test_a_damaged_log_is_refused_by_name_and_line(tmp_path):
    log = EventLog(tmp_path / "a.jsonl")
    log.append("open", at=0.0)
    log.append("close")
    log.close()
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"rubbish\n" + lines[1])
    with pytest.raises(RunError, match=r"a\.jsonl: line 1 is damaged"):
        EventLog(log.path)
    assert log.path.read_bytes() == b"rubbish\n" + lines[1]
