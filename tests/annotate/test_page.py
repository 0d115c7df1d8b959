"""The page's other half, without a browser: what it answers to requests, in order, with models that cost nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import cv2
import numpy as np
import painting_models
import pytest

from iiszoo import Session
from iiszoo.annotate import page as page_module
from iiszoo.annotate.images import Pictures
from iiszoo.annotate.models import Models
from iiszoo.annotate.page import Page
from iiszoo.data.read import read_image
from iiszoo.model_reference import resolve

SIZE = (40, 56)


class Browser:
    """What a browser has been told, and the masks that it would show."""

    def __init__(self, page):
        self.page, self.told, self.masks, self.n = page, [], {}, 0

    async def send(self, kind, what):
        if kind == "frame":
            length = int.from_bytes(what[:4], "little")
            header = json.loads(what[4 : 4 + length])
            counts = np.frombuffer(what[4 + length :], "<u4")
            mask = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool).reshape(header["rows"], header["cols"])
            self.told.append((header["kind"], header))
            if header["kind"] == "mask":
                self.masks[header["image"], header["object"]] = mask
            self.last = mask
        else:
            self.told.append((kind, what))

    async def ask(self, do, **what):
        self.n += 1
        await self.page.handle({"n": self.n, "do": do, **what})

    async def click(self, row, col, positive=True, label="object"):
        await self.ask("click", row=row, col=col, positive=positive, label=label)

    def all(self, kind):
        return [what for told, what in self.told if told == kind]

    @property
    def document(self):
        return self.all("document")[-1]

    @property
    def current_mask(self):
        return self.masks[self.document["image"], self.document["current"]]

    async def wait(self, condition, seconds=20):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.told[-6:]
            await asyncio.sleep(0.005)

    async def idle(self):
        """Until the model has answered everything."""
        await self.wait(lambda: self.page.answers.known(self.page.image, self.page._steps) or not self.page._steps)
        await asyncio.sleep(0.02)


@pytest.fixture
def visit(workplace):
    """`visit(story, model=..., **workplace)`: run the coroutine `story(browser, page)` on a page of its own."""

    def visit(story, model="painting_models:Remembering", **how):
        async def whole():
            work = workplace(**{"size": SIZE, **how})
            models = Models(resolve(model), "cpu", work.journal / "models.json")
            models.load(models.first)
            work.take_back_unanswered()
            work.repair(models.identities)
            page = Page(work, Pictures(work.images), models, [])
            browser = Browser(page)
            await page.connect(browser.send)
            try:
                await story(browser, page)
            finally:
                await page.disconnect()
                await page.close()

        asyncio.run(whole())

    return visit


def test_a_click_gives_the_mask_of_a_session(visit):
    async def story(browser, page):
        for row, col, positive in ((10, 10, True), (20, 30, True), (12, 12, False)):
            await browser.click(row, col, positive)
        await browser.idle()
        session = Session(painting_models.Remembering(), read_image(page.work.images[0].path))
        session.click(10, 10)
        session.click(20, 30)
        np.testing.assert_array_equal(browser.current_mask, session.click(12, 12, positive=False))
        assert [(p["row"], p["positive"]) for p in browser.document["points"]] == [(10, True), (20, True), (12, False)]

    visit(story)


def test_accepting_writes_at_once_and_the_next_object_begins(visit):
    async def story(browser, page):
        await browser.click(10, 10, label="dog")
        await browser.ask("accept")  # waits for the model by itself
        out = page.work.out
        assert (out / "masks" / "a__1.png").exists()
        assert json.loads((out / "annotations.json").read_text())["categories"][1] == {"id": 2, "name": "dog"}
        assert browser.document["current"] == 0
        await browser.click(30, 40, label="cat")
        await browser.ask("accept")
        assert sorted(path.name for path in (out / "masks").iterdir()) == ["a__1.png", "a__2.png"]
        await browser.ask("undo")
        assert [path.name for path in (out / "masks").iterdir()] == ["a__1.png"]

    visit(story, labels=["cat", "dog"])


def test_where_it_was_after_a_restart_with_undo(visit):
    shown = {}

    async def first(browser, page):
        await browser.ask("open", image=1)
        await browser.click(10, 10)
        await browser.click(20, 30)
        await browser.idle()
        shown["two"] = browser.current_mask
        await browser.ask("undo")
        shown["one"] = browser.current_mask
        await browser.ask("redo")

    async def second(browser, page):
        assert browser.document["image"] == 1
        await browser.idle()
        np.testing.assert_array_equal(browser.current_mask, shown["two"])
        await browser.ask("undo")
        await browser.idle()
        np.testing.assert_array_equal(browser.current_mask, shown["one"])

    visit(first)
    visit(second)


def test_a_draft_is_saved_and_shown_before_any_model_answers(visit, monkeypatch):
    monkeypatch.setattr(page_module, "DRAFT_SECONDS", 0.05)
    shown = {}

    async def first(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        shown["mask"] = browser.current_mask
        await browser.wait(lambda: page.work.logs[0].events[-1]["do"] == "draft")

    async def second(browser, page):
        kinds = [kind for kind, _ in browser.told]
        assert "mask" in kinds
        np.testing.assert_array_equal(browser.current_mask, shown["mask"])

    visit(first)
    visit(second)


def test_the_click_that_killed_the_program_is_taken_back(visit):
    async def first(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        await browser.click(20, 30)
        await browser.idle()
        page.work.answering(0, page.work.histories[0].document.worked_on.clicks[-1].n)  # and then it is killed

    async def second(browser, page):
        await browser.idle()
        assert [(p["row"], p["col"]) for p in browser.document["points"]] == [(10, 10)]
        assert browser.document["redo"]

    visit(first)
    visit(second)


def test_the_mask_that_one_corrects_is_the_start_of_the_session(visit, tmp_path):
    given = np.zeros(SIZE, bool)
    given[5:20, 10:30] = True
    masks = tmp_path / "given"
    masks.mkdir()
    cv2.imwrite(str(masks / "a.png"), given.view(np.uint8) * 255)

    async def story(browser, page):
        np.testing.assert_array_equal(browser.masks[0, 1], given)
        assert (page.work.out / "masks" / "a__1.png").exists()
        await browser.ask("select", object=1)
        await browser.click(30, 40)
        await browser.idle()
        session = Session(painting_models.Remembering(), read_image(page.work.images[0].path), initial_mask=given)
        np.testing.assert_array_equal(browser.current_mask, session.click(30, 40))
        await browser.ask("accept")
        line = json.loads((page.work.out / "sessions.jsonl").read_text())
        assert [step["do"] for step in line["steps"]] == ["start", "click"]

    visit(story, initial=f"masks:{masks}")


def test_a_mask_to_correct_that_cannot_be_used_is_named_and_the_image_shown(visit, tmp_path):
    masks = tmp_path / "given"
    masks.mkdir()
    for name, size in (("a", (9, 9)), ("b", SIZE)):
        cv2.imwrite(str(masks / f"{name}.png"), np.full(size, 255, np.uint8))

    async def story(browser, page):
        assert "image and mask differ in size" in browser.all("refused")[-1]["text"]
        assert browser.document["objects"] == []
        await browser.click(30, 40)
        await browser.idle()
        await browser.ask("open", image=1)
        assert len(browser.document["objects"]) == 1

    visit(story, initial=f"masks:{masks}")


def test_a_stroke_shows_at_once_and_counts_for_the_next_click(visit):
    async def story(browser, page):
        await browser.ask("stroke", points=[[20, 10], [20, 40]], size=5, erase=False, label="object")
        await browser.idle()
        assert browser.current_mask.sum() > 5 * 30
        assert browser.current_mask[20, 10:41].all()
        await browser.click(35, 50)
        await browser.idle()
        assert browser.current_mask[20, 25]

    visit(story)


def test_another_model_keeps_the_work(visit):
    async def story(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        before = browser.current_mask
        await browser.ask("model", name="classic/random-walker")
        await browser.wait(lambda: browser.all("model"))
        assert browser.all("loading")[0]["model"] == "classic/random-walker"
        np.testing.assert_array_equal(browser.current_mask, before)
        await browser.click(20, 30)
        await browser.idle()
        events = [event for event in page.work.logs[0].events if event["do"] == "click"]
        assert [event["model"] for event in events] == ["painting_models:Remembering", "classic/random-walker"]
        assert page.work.place["model"] == "classic/random-walker"

    visit(story)


def test_a_model_that_cannot_be_loaded_leaves_the_one_before(visit, monkeypatch):
    async def story(browser, page):
        await browser.ask("model", name="ritm/h18")
        await browser.wait(lambda: browser.all("model"))
        assert browser.all("model")[-1]["name"] == "painting_models:Remembering"
        assert browser.all("refused")
        await browser.click(10, 10)
        await browser.idle()

    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    visit(story)


def test_a_model_that_fails_costs_the_click_and_says_why(visit, monkeypatch):
    faulty = []

    def sometimes(x, z, pcs, ncs):
        if faulty:
            raise MemoryError("no room")
        return painting_models.discs(x, z, pcs, ncs)

    monkeypatch.setattr(painting_models, "sometimes", sometimes, raising=False)

    async def story(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        before = browser.current_mask
        faulty.append(1)
        await browser.click(20, 20)
        await browser.wait(lambda: browser.all("refused"))
        assert "MemoryError: no room" in browser.all("refused")[-1]["text"]
        await browser.wait(lambda: len(browser.document["points"]) == 1)
        np.testing.assert_array_equal(browser.current_mask, before)
        faulty.clear()
        await browser.ask("redo")
        await browser.idle()
        assert len(browser.document["points"]) == 2

    visit(story, "painting_models:sometimes")


def test_a_model_that_is_gone_leaves_the_mask(visit, monkeypatch):
    monkeypatch.setattr(painting_models, "passing", painting_models.Remembering(), raising=False)
    shown = {}

    async def first(browser, page):
        await browser.click(10, 10)
        await browser.ask("accept")
        shown["mask"] = browser.masks[0, 1]

    async def second(browser, page):
        await browser.ask("select", object=1)
        await browser.wait(lambda: browser.all("refused"))
        assert "goes on from it" in browser.all("refused")[-1]["text"]
        np.testing.assert_array_equal(browser.current_mask, shown["mask"])
        await browser.click(30, 40)
        await browser.idle()
        assert browser.current_mask[10, 10]

    visit(first, "painting_models:passing")
    monkeypatch.delattr(painting_models, "passing")
    visit(second, "painting_models:discs")


def test_a_slow_model_never_delays_what_is_asked_and_the_newest_wins(visit, monkeypatch):
    turn, calls = threading.Semaphore(0), []

    def slow(x, z, pcs, ncs):
        calls.append(len(pcs))
        assert turn.acquire(timeout=20)
        return painting_models.discs(x, z, pcs, ncs)

    monkeypatch.setattr(painting_models, "slow", slow, raising=False)

    async def story(browser, page):
        began = time.monotonic()
        for k in range(6):
            await browser.click(5 + k, 10)
        for _ in range(4):
            await browser.ask("undo")
        assert len(browser.document["points"]) == 2
        assert time.monotonic() - began < 5
        turn.release(20)
        await browser.idle()
        assert calls == [1, 2], "the clicks that were taken back are never answered"

    visit(story, "painting_models:slow")


def test_a_preview_is_what_the_click_gives_and_costs_nothing_then(visit):
    async def story(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        before = len(browser.told)
        await browser.ask("hover", row=20, col=30, positive=True)
        await browser.wait(lambda: browser.all("preview"))
        assert browser.all("preview")[-1]["n"] == browser.n
        preview = browser.last
        assert [event["do"] for event in page.work.logs[0].events].count("click") == 1, "nothing is written"
        assert not [1 for kind, _ in browser.told[before:] if kind == "document"]
        await browser.click(20, 30)
        await browser.idle()
        np.testing.assert_array_equal(browser.current_mask, preview)

    visit(story)


def test_a_slow_model_gives_no_preview(visit, monkeypatch):
    calls = []

    def slow(x, z, pcs, ncs):
        calls.append(1)
        time.sleep(0.2)
        return painting_models.discs(x, z, pcs, ncs)

    monkeypatch.setattr(painting_models, "slow", slow, raising=False)

    async def story(browser, page):
        await browser.click(10, 10)
        await browser.idle()
        await browser.ask("hover", row=20, col=30, positive=True)
        await asyncio.sleep(0.5)
        assert not browser.all("preview")
        assert len(calls) == 1

    visit(story, "painting_models:slow")


def test_the_next_image_is_encoded_meanwhile(visit, monkeypatch):
    seen = []

    class Encodes(painting_models.Remembering):
        def init_z(self, x):
            seen.append(x.mean().item())
            return super().init_z(x)

    monkeypatch.setattr(painting_models, "encodes", Encodes(), raising=False)

    async def story(browser, page):
        await browser.wait(lambda: len(seen) == 2)
        await browser.ask("open", image=1)
        await browser.click(3, 3)
        await browser.idle()
        await browser.wait(lambda: len(seen) == 3)
        assert len(set(seen)) == 3, "each image once"

    visit(story, "painting_models:encodes")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"do": "click", "row": 40, "col": 0, "positive": True, "label": "object"}, "outside the image of 40 x 56"),
        ({"do": "click", "row": 1, "col": 1, "positive": True, "label": "mouse"}, "no label 'mouse'"),
        ({"do": "accept"}, "nothing to accept"),
        ({"do": "undo"}, "nothing to undo"),
        ({"do": "select", "object": 9}, "has been deleted"),
        ({"do": "open", "image": 9}, "no image number 10"),
        ({"do": "model", "name": "nobody/knows"}, "not among those"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(visit, asked, sentence):
    async def story(browser, page):
        before = list(page.work.logs[0].events)
        await browser.ask(**asked)
        assert sentence in browser.all("refused")[-1]["text"]
        assert page.work.logs[0].events == before

    visit(story)


def test_an_empty_mask_is_not_accepted(visit):
    async def story(browser, page):
        await browser.click(3, 3)
        await browser.ask("accept")
        assert "the mask is empty" in browser.all("refused")[-1]["text"]
        assert not (page.work.out / "masks").exists()

    visit(story, "painting_models:nothing")


def test_an_image_that_cannot_be_decoded_is_named_and_left(visit, photographs):
    photographs(3, SIZE)

    async def story(browser, page):
        path = page.work.images[2].path
        path.write_bytes(path.read_bytes()[:200])
        await browser.ask("open", image=2)
        assert "c.png" in browser.all("unreadable")[-1]["text"]
        await browser.click(3, 3)
        assert "cannot be annotated" in browser.all("refused")[-1]["text"]
        await browser.ask("open", image=1)
        await browser.click(3, 3)
        await browser.idle()

    visit(story)


def test_a_full_disk_is_told_and_nothing_is_lost(visit, monkeypatch):
    from iiszoo import files

    async def story(browser, page):
        await browser.click(10, 10)
        await browser.ask("accept")
        await browser.click(30, 40)
        await browser.idle()
        write = files.replace_durably
        monkeypatch.setattr(
            files,
            "replace_durably",
            lambda path, content: (_ for _ in ()).throw(OSError(28, "No space left", str(path))),
        )
        await browser.ask("accept")
        assert "No space left" in browser.all("refused")[-1]["text"]
        assert len(browser.document["points"]) == 1
        monkeypatch.setattr(files, "replace_durably", write)
        await browser.ask("accept")
        assert len(json.loads((page.work.out / "annotations.json").read_text())["annotations"]) == 2

    visit(story)
