"""A browser tab with the annotation page, driven as a person would."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import numpy as np
import pytest

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_EXPECTED = ("WebSocket connection to", "Failed to load resource")
"""What a browser itself writes to its console when the server is killed, or refuses."""


@contextmanager
def chromium():
    """A browser with a fresh profile. Skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'iiszoo[dev]'")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs chromium, and there is none on the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """`errors` has everything that went wrong in it: exceptions, and errors and warnings of the console."""

    def __init__(self, browser, address, **context):
        self.context = browser.new_context(**{"viewport": {"width": 1100, "height": 760}, **context})
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)
        self.page.goto(address)

    def _said(self, message):
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self.errors.append(message.text)

    def close(self):
        self.context.close()

    def wait(self, condition, seconds=60):
        """Until a JavaScript expression, of `state`, is true."""
        self.page.wait_for_function(
            f"() => {{ const state = window.annotation; return {condition}; }}", timeout=seconds * 1e3
        )

    def idle(self):
        """Until everything is answered and drawn."""
        self.wait("state && state.image >= 0 && !state.busy && !state.loading && state.points.every((p) => p.n)")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def get(self, expression):
        return self.page.evaluate(f"() => {{ const state = window.annotation; return {expression}; }}")

    def place(self, row, col):
        """Where a pixel of the image is on the page."""
        script = """async ([row, col]) => {
            const { placeOf } = await import("/static/view.js");
            const box = document.getElementById("canvas").getBoundingClientRect();
            const { x, y } = placeOf(row, col);
            return [x + box.left, y + box.top];
        }"""
        return self.page.evaluate(script, [row, col])

    def click(self, row, col, button="left"):
        self.page.mouse.click(*self.place(row, col), button=button)

    def drag(self, *places):
        """Press the button at the first (row, col), go to the others, and let it go."""
        first, *rest = [self.place(*place) for place in places]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in rest:
            self.page.mouse.move(*place, steps=6)
        self.page.mouse.up()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def accept(self):
        before = self.get("state.images[state.image].done")
        self.press("Enter")
        self.wait(f"state.images[state.image].done > {before} && !state.current")

    def mask(self, object=None):
        """The mask that the page has of an object, of the current one if none is named: bool (H, W)."""
        id = "state.current" if object is None else object
        rows, cols, runs = self.get(f"((m) => [m.rows, m.cols, [...m.runs]])(state.masks.get({id}))")
        return np.repeat(np.arange(len(runs)) % 2, runs).astype(bool).reshape(rows, cols)

    def colours(self, pixels):
        """What the canvas shows in the middle of pixels of the image: uint8 (N, 3)."""
        script = """async (pixels) => {
            const { placeOf } = await import("/static/view.js");
            const canvas = document.getElementById("canvas");
            const { width, height } = canvas;
            const copy = Object.assign(document.createElement("canvas"), { width, height });
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const ratio = canvas.width / canvas.getBoundingClientRect().width;
            return pixels.map(([row, col]) => {
                const { x, y } = placeOf(row, col);
                return [...context.getImageData(Math.floor(x * ratio), Math.floor(y * ratio), 1, 1).data].slice(0, 3);
            });
        }"""
        return np.asarray(self.page.evaluate(script, [list(map(int, pixel)) for pixel in pixels]), np.uint8)
