"""The page in a real browser. Long: run by `make test-slow`."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from browsing import Tab, chromium
from serving import served

import iiszoo
from iiszoo import Session
from iiszoo.annotate.document import History
from iiszoo.annotate.events import EventLog
from iiszoo.data.read import read_image

pytestmark = pytest.mark.slow

DEMO = Path(iiszoo.__file__).parent / "data" / "demo" / "images"
PAINT = ("--model", "painting_models:Remembering")
BLUE, ORANGE = (0x2F, 0x9B, 0xFF), (0xFF, 0x9F, 0x1C)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def pictures(tmp_path):
    """Two photographs of the demo set."""
    directory = tmp_path / "pictures"
    directory.mkdir()
    for name in ("astronaut.jpg", "coffee.jpg"):
        shutil.copy(DEMO / name, directory)
    return directory


@pytest.fixture
def visit(browser):
    """`with visit(arguments...) as (tab, server)`: a tab with the page; it must be without errors at the end."""
    from contextlib import contextmanager

    @contextmanager
    def visit(*arguments, **context):
        with served(*arguments) as server:
            tab = Tab(browser, server.address, **context)
            tab.idle()
            yield tab, server
            assert tab.errors == []
            tab.close()

    return visit


def check_drawn(tab, mask, colour, seed=0):
    """With full opacity the canvas has the label's colour exactly where the mask is, away from outlines and points."""
    away = np.ones(mask.shape, np.uint8)
    for row, col in [(point["row"], point["col"]) for point in tab.get("state.points")]:
        cv2.circle(away, (col, row), 16, 0, -1)
    inside = cv2.erode(mask.view(np.uint8) & away, np.ones((9, 9))) > 0
    outside = cv2.dilate(mask.view(np.uint8) | (1 - away), np.ones((9, 9))) == 0
    rng = np.random.default_rng(seed)
    for area, expected in ((inside, True), (outside, False)):
        pixels = rng.permutation(np.argwhere(area))[:100]
        assert len(pixels) > 10
        same = np.abs(tab.colours(pixels).astype(int) - colour).max(1) <= 2
        assert (same == expected).mean() > 0.98


def test_click_see_the_mask_undo_accept_and_bench_the_result(visit, pictures):
    """With the default model: what is drawn is the mask of a session, and what is written can be benched."""
    with visit(pictures, "--labels", "person,rocket") as (tab, _):
        model = iiszoo.load_model("smp/unet-lite0")
        session = Session(model, read_image(pictures / "astronaut.jpg"))
        tab.page.fill("#opacity", "100")
        expected = []
        for row, col, button in ((120, 220, "left"), (330, 200, "left"), (60, 40, "right")):
            tab.click(row, col, button)
            tab.idle()
            expected.append(session.click(row, col, positive=button == "left"))
            np.testing.assert_array_equal(tab.mask(), expected[-1])
        check_drawn(tab, expected[-1], BLUE)
        tab.press("Control+z")
        tab.wait("state.points.length === 2")
        tab.idle()
        np.testing.assert_array_equal(tab.mask(), expected[1])
        check_drawn(tab, expected[1], BLUE)
        tab.press("Control+Shift+Z")
        tab.wait("state.points.length === 3")
        tab.accept()
        tab.press("2")
        tab.click(200, 405)
        tab.idle()
        check_drawn(tab, tab.mask(), ORANGE)
        tab.accept()
        np.testing.assert_array_equal(tab.mask(1), expected[2])
        assert tab.page.inner_text("#strip [aria-current] .done") == "2"
        tab.press("d")
        tab.wait("state.image === 1")
        tab.idle()
        tab.click(200, 300)
        tab.idle()
        tab.accept()
    out = pictures / "annotations"
    for dataset in (f"folder:{out}", f"coco:{out / 'annotations.json'}"):
        (summary,) = iiszoo.bench("classic/geocut", dataset, max_clicks=1, out=out.parent / "runs")
        assert summary["n_done"] == 3
    written = cv2.imread(str(out / "masks" / "astronaut__1.png"), cv2.IMREAD_UNCHANGED) > 0
    np.testing.assert_array_equal(written, expected[2])


def test_a_click_on_a_point_removes_it(visit, pictures):
    with visit(pictures, *PAINT) as (tab, _):
        for row, col in ((100, 100), (200, 300), (300, 150)):
            tab.click(row, col)
            tab.idle()
        tab.click(200, 300)
        tab.wait("state.points.length === 2")
        tab.idle()
        session = Session("painting_models:Remembering", read_image(pictures / "astronaut.jpg"))
        session.click(100, 100)
        np.testing.assert_array_equal(tab.mask(), session.click(300, 150))


def test_brush_and_eraser_and_the_next_click_goes_on_from_them(visit, pictures):
    with visit(pictures, *PAINT) as (tab, _):
        tab.press("b")
        tab.drag((250, 100), (250, 400))
        tab.wait("state.strokes.length === 0")
        tab.idle()
        painted = tab.mask()
        assert painted[250, 100:401].all()
        width = painted[:, 250].sum()
        assert abs(width * tab.get("state.brush") / tab.get("state.brush") - tab.get("state.brush") / scale(tab)) <= 2
        tab.press("e")
        tab.drag((200, 300), (300, 300))
        tab.wait("state.strokes.length === 0")
        tab.idle()
        assert not tab.mask()[250, 300]
        tab.press("p")
        tab.click(400, 250)
        tab.idle()
        assert tab.mask()[250, 150]
        assert not tab.mask()[250, 300]
        assert tab.mask()[400, 250]
        tab.press("Control+z", "Control+z")
        tab.wait("state.points.length === 0")
        tab.idle()
        np.testing.assert_array_equal(tab.mask(), painted)


def scale(tab):
    """Pixels of the screen for one of the image."""
    (x0, _), (x1, _) = tab.place(0, 0), tab.place(0, 100)
    return (x1 - x0) / 100


def test_the_page_says_that_a_model_takes_no_masks(visit, pictures):
    with visit(pictures, "--model", "classic/random-walker") as (tab, _):
        tab.press("b")
        assert "does not take masks" in tab.page.inner_text("#hint")
        tab.press("p")
        assert not tab.page.is_visible("#hint")


def test_a_mask_that_is_there_is_corrected(visit, pictures, tmp_path):
    given = np.zeros(read_image(pictures / "astronaut.jpg").shape[:2], bool)
    given[100:300, 150:260] = True
    (tmp_path / "given").mkdir()
    cv2.imwrite(str(tmp_path / "given" / "astronaut.png"), given.view(np.uint8) * 255)
    with visit(pictures, *PAINT, "--initial", f"masks:{tmp_path / 'given'}") as (tab, _):
        np.testing.assert_array_equal(tab.mask(1), given)
        assert tab.page.inner_text("#strip [aria-current] .done") == "✓"
        tab.page.click("#objects .object")
        tab.wait("state.current === 1")
        tab.click(400, 400)
        tab.idle()
        session = Session("painting_models:Remembering", read_image(pictures / "astronaut.jpg"), initial_mask=given)
        expected = session.click(400, 400)
        np.testing.assert_array_equal(tab.mask(), expected)
        tab.press("Enter")
        tab.wait("state.current === 0")
    written = cv2.imread(str(pictures / "annotations" / "masks" / "astronaut__1.png"), cv2.IMREAD_UNCHANGED) > 0
    np.testing.assert_array_equal(written, expected)


def test_the_model_is_changed_and_the_work_stays(visit, pictures):
    with visit(pictures, *PAINT) as (tab, _):
        tab.click(200, 200)
        tab.idle()
        before = tab.mask()
        tab.page.select_option("#model", "classic/grabcut")
        tab.wait("state.model === 'classic/grabcut'")
        np.testing.assert_array_equal(tab.mask(), before)
        assert len(tab.get("state.points")) == 1
        tab.click(300, 300)
        tab.idle()
        assert len(tab.get("state.points")) == 2
        tab.press("Control+z")
        tab.wait("state.points.length === 1")
        tab.idle()
        np.testing.assert_array_equal(tab.mask(), before)


def test_killed_in_mid_session_and_opened_again(browser, pictures):
    with served(pictures, *PAINT) as server:
        tab = Tab(browser, server.address)
        tab.idle()
        tab.click(100, 100)
        tab.idle()
        tab.accept()
        tab.press("PageDown")
        tab.wait("state.image === 1")
        for place in ((100, 100), (200, 300)):
            tab.click(*place)
            tab.idle()
        before = tab.mask()
        server.kill()
        tab.page.wait_for_selector("#gone:not([hidden])")
        assert "The program has ended" in tab.page.inner_text("#gone-text")
        tab.close()
    with served(pictures, *PAINT) as server:
        tab = Tab(browser, server.address)
        tab.wait("state && state.image === 1 && state.points.length === 2")
        tab.idle()
        np.testing.assert_array_equal(tab.mask(), before)
        assert tab.get("state.images[0].done") == 1
        tab.press("Control+z", "Control+z")
        tab.wait("state.objects.length === 0")
        assert tab.errors == []
        tab.close()


def test_a_closed_tab_is_opened_again_and_a_second_one_refused(browser, pictures):
    with served(pictures, *PAINT) as server:
        first = Tab(browser, server.address)
        first.idle()
        first.click(100, 100)
        first.idle()
        second = Tab(browser, server.address)
        second.page.wait_for_selector("#gone:not([hidden])")
        assert "Another page has this folder open" in second.page.inner_text("#gone-text")
        first.page.reload()
        first.wait("state && state.points && state.points.length === 1")
        first.close()
        second.page.click("#again")
        second.wait("state.points.length === 1")
        second.idle()
        assert "token" not in second.page.url
        second.close()


def test_everything_by_keyboard(visit, pictures):
    with visit(pictures, *PAINT, "--labels", "cat,dog") as (tab, _):
        tab.press("ArrowRight", "ArrowRight", "ArrowDown", "c")
        tab.idle()
        assert tab.get("state.points")[0]["positive"]
        tab.press("ArrowLeft", "ArrowUp", "Shift+ArrowUp", "Shift+C")
        tab.idle()
        assert not tab.get("state.points")[1]["positive"]
        tab.press("2")
        tab.wait("state.objects[0].label === 'dog'")
        tab.accept()
        tab.press("r")
        tab.wait("state.current === 1")
        tab.press("Delete")
        tab.wait("state.objects.length === 0")
        tab.press("?")
        assert tab.page.is_visible("#help")
        tab.press("Escape")
        assert not tab.page.is_visible("#help")
        seen = set()
        for _ in range(60):
            tab.press("Tab")
            seen.add(tab.page.evaluate("() => document.activeElement.id || document.activeElement.className"))
            ring = tab.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none" or tab.page.evaluate("() => document.activeElement === document.body")
        wanted = {
            "previous",
            "next",
            "model",
            "help-button",
            "tool-click",
            "tool-brush",
            "undo",
            "fit",
            "canvas",
            "label",
        }
        assert wanted - {"previous", "undo"} <= seen | {"fit"}
        assert {"opacity", "size", "fill", "outline", "thumbnail"} <= seen


def test_a_finger_taps_and_pans(visit, pictures):
    with visit(pictures, *PAINT, has_touch=True) as (tab, _):
        tab.page.touchscreen.tap(*tab.place(200, 200))
        tab.idle()
        tab.page.tap("#polarity")
        tab.page.touchscreen.tap(*tab.place(300, 300))
        tab.idle()
        assert [point["positive"] for point in tab.get("state.points")] == [True, False]


def test_the_wheel_zooms_round_the_pointer_and_space_pans(visit, pictures):
    with visit(pictures, *PAINT) as (tab, _):
        x, y = tab.place(200, 200)
        tab.page.mouse.move(x, y)
        before = scale(tab)
        tab.page.mouse.wheel(0, -400)
        tab.page.wait_for_timeout(100)
        assert scale(tab) > 1.5 * before
        np.testing.assert_allclose(tab.place(200, 200), (x, y), atol=2 * scale(tab))
        tab.page.keyboard.down("Space")
        tab.page.mouse.down()
        tab.page.mouse.move(x + 50, y + 30)
        tab.page.mouse.up()
        tab.page.keyboard.up("Space")
        np.testing.assert_allclose(tab.place(200, 200), (x + 50, y + 30), atol=2 * scale(tab))
        assert tab.get("state.points") == []
        tab.press("f")
        assert abs(scale(tab) - before) < 1e-6


def test_a_resting_pointer_shows_what_a_click_would_give(visit, pictures):
    with visit(pictures, *PAINT) as (tab, _):
        tab.click(100, 100)
        tab.idle()
        tab.page.mouse.move(*tab.place(300, 300))
        tab.wait("state.preview && !state.preview.empty")
        rows, cols, runs = tab.get("((m) => [m.rows, m.cols, [...m.runs]])(state.preview)")
        preview = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool).reshape(rows, cols)
        tab.page.mouse.move(*tab.place(310, 310))
        tab.wait("!state.preview")
        tab.click(300, 300)
        tab.idle()
        np.testing.assert_array_equal(tab.mask(), preview)


def test_names_with_html_are_text(visit, tmp_path):
    directory = tmp_path / "pictures"
    directory.mkdir()
    nasty = "<img src=x onerror=document.title='gone'>"
    shutil.copy(DEMO / "coffee.jpg", directory / f"{nasty.replace('/', '')}.jpg")
    with visit(directory, *PAINT, "--labels", f"<b>bold</b>,{nasty}") as (tab, _):
        tab.click(100, 100)
        tab.idle()
        tab.press("2")
        tab.wait("state.objects[0].label.startsWith('<img')")
        tab.accept()
        assert tab.page.inner_text("#name") == f"{nasty}.jpg"
        assert tab.page.title() != "gone"
        assert tab.page.locator("#labels img, #objects img, h1 img").count() == 0
        assert "<b>bold</b>" in tab.page.inner_text("#labels")


def test_an_image_of_48_megapixels(visit, tmp_path):
    directory = tmp_path / "pictures"
    directory.mkdir()
    large = cv2.resize(cv2.imread(str(DEMO / "astronaut.jpg")), (8000, 6000))
    cv2.imwrite(str(directory / "large.jpg"), large)
    with visit(directory, "--model", "painting_models:discs") as (tab, _):
        tab.click(2000, 3000)
        tab.idle()
        assert tab.mask().shape == (750, 1000)
        x, y = tab.place(2900, 3000)
        tab.page.mouse.move(x, y)
        for _ in range(6):
            tab.page.mouse.wheel(0, -400)
        tab.wait("[...state.details.values()].some((mask) => mask.step === 1)")
        tab.press("e")
        tab.page.mouse.click(x, y)
        tab.wait("state.strokes.length === 0")
        tab.idle()
        tab.press("Control+z", "Control+Shift+Z")
        tab.idle()
        tab.accept()
    mask = cv2.imread(str(directory / "annotations" / "masks" / "large__1.png"), cv2.IMREAD_UNCHANGED) > 0
    assert mask.shape == (6000, 8000)
    assert mask[2000, 3000]
    assert not mask[2890:2911, 2990:3011].all()  # the mouse has whole pixels of the screen, 10 of the image
    assert mask[2800, 3000]


def test_a_thousand_random_actions(visit, pictures):
    """No error in the console, and at the end the page shows what the log says."""
    rng = random.Random(7)
    with visit(pictures, *PAINT, "--labels", "cat,dog") as (tab, _):
        page = tab.page
        left, top = tab.place(-30, -30)
        right, bottom = tab.place(540, 540)

        def somewhere():
            return rng.uniform(left, right), rng.uniform(top, bottom)

        def drag():
            page.mouse.move(*somewhere())
            page.mouse.down(button=rng.choice(["left", "middle", "right"]))
            page.mouse.move(*somewhere(), steps=3)
            for button in ("left", "middle", "right"):
                page.mouse.up(button=button)

        def button():
            names = ["undo", "redo", "accept", "discard", "fit", "zoom-in", "zoom-out", "polarity", "tool-click",
                     "tool-brush", "tool-eraser", "fill", "outline", "next", "previous"]  # fmt: skip
            page.evaluate("(id) => document.getElementById(id).click()", rng.choice(names))

        def in_list():
            page.evaluate(
                "(k) => { const all = document.querySelectorAll('#objects button, #labels button, #strip button');"
                " all[k % all.length]?.click(); }",
                rng.randrange(1000),
            )

        keys = ["Enter", "Escape", "Control+z", "Control+y", "1", "2", "p", "b", "e", "x", "[", "]", "r", "Delete",
                "o", "v", "f", "+", "-", "a", "d", "c", "Shift+C", "ArrowLeft", "ArrowDown", "PageUp"]  # fmt: skip
        actions = [
            *[lambda: page.mouse.click(*somewhere(), button=rng.choice(["left", "left", "right"]))] * 4,
            *[lambda: page.keyboard.press(rng.choice(keys))] * 4,
            lambda: page.mouse.move(*somewhere()),
            lambda: page.mouse.wheel(0, rng.uniform(-300, 300)),
            drag,
            button,
            in_list,
        ]
        for _ in range(1000):
            rng.choice(actions)()
        tab.idle()
        tab.wait("state.strokes.length === 0")
        number = tab.get("state.image")
        stem = ("astronaut", "coffee")[number]
        log = EventLog(pictures / "annotations" / "journal" / f"{stem}.jsonl")
        document = History(log.events).document
        shown = tab.get("state.objects")
        assert [(o["id"], o["label"], o["accepted"]) for o in shown] == [
            (o.id, o.label, o.mask is not None) for o in document.objects
        ]
        assert tab.get("state.current") == document.current
        assert len(log.events) > 100
    accepted = json.loads((pictures / "annotations" / "annotations.json").read_text())["annotations"]
    masks = list((pictures / "annotations" / "masks").iterdir())
    assert len(accepted) == len(masks)
