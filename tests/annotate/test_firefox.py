"""The page in Firefox, driven by WebDriver BiDi, which it speaks without another program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time

import cv2
import numpy as np
import pytest
from serving import served
from websockets.sync.client import connect

from iiszoo import Session
from iiszoo.data.read import read_image

pytestmark = pytest.mark.slow

QUIET = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """One window. `errors` has what its console calls errors."""

    def __init__(self, socket):
        self.socket, self.n, self.errors = socket, 0, []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self.window = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method, **params):
        self.n += 1
        self.socket.send(json.dumps({"id": self.n, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(60))
            if message["type"] == "event" and message["params"]["level"] == "error":
                self.errors.append(message["params"]["text"])
            if message.get("id") == self.n:
                assert message["type"] == "success", message
                return message["result"]

    def get(self, expression):
        code = f"(async () => {{ const state = window.annotation; return JSON.stringify(({expression}) ?? null); }})()"
        found = self.command("script.evaluate", expression=code, target={"context": self.window}, awaitPromise=True)
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def idle(self, condition="true"):
        until = time.monotonic() + 60
        rest = "state && state.image >= 0 && !state.busy && state.points.every((p) => p.n)"
        while not self.get(f"{rest} && ({condition})"):
            assert time.monotonic() < until, condition
            time.sleep(0.05)

    def place(self, row, col):
        box = 'document.getElementById("canvas").getBoundingClientRect()'
        x, y = self.get(f"(({{ x, y }}) => [x, y])((await import('/static/view.js')).placeOf({row}, {col}))")
        left, top = self.get(f"[{box}.left, {box}.top]")
        return {"type": "pointerMove", "x": round(x + left), "y": round(y + top), "duration": 50}

    def press(self, *places, button=0):
        first, *rest = [self.place(*place) for place in places]
        moves = [first, {"type": "pointerDown", "button": button}, *rest, {"type": "pointerUp", "button": button}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves}
        self.command("input.performActions", context=self.window, actions=[mouse])

    def type(self, *keys):
        downs = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp") for key in keys]
        self.command(
            "input.performActions", context=self.window, actions=[{"type": "key", "id": "k", "actions": downs}]
        )


@pytest.fixture
def firefox(tmp_path):
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        pytest.skip("needs Firefox, and there is none on the PATH")
    profile = tmp_path / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in QUIET.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [found, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    process = subprocess.Popen(
        [*map(str, command), "--width", "1100", "--height", "800"],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        active, until = profile / "WebDriverBiDiServer.json", time.monotonic() + 60
        while not active.exists() or not active.read_text():
            assert time.monotonic() < until
            time.sleep(0.1)
        place = json.loads(active.read_text())
        with connect(f"ws://{place['ws_host']}:{place['ws_port']}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(30)


def test_click_paint_undo_and_accept(firefox, tmp_path):
    directory = tmp_path / "pictures"
    directory.mkdir()
    rng = np.random.default_rng(0)
    cv2.imwrite(str(directory / "a.png"), rng.integers(0, 255, (240, 320, 3), np.uint8))
    with served(directory, "--model", "painting_models:Remembering") as server:
        firefox.command("browsingContext.navigate", context=firefox.window, url=server.address, wait="complete")
        firefox.idle()
        firefox.press((100, 100))
        firefox.idle("state.points.length === 1")
        firefox.press((60, 200), button=2)
        firefox.idle("state.points.length === 2")
        session = Session("painting_models:Remembering", read_image(directory / "a.png"))
        session.click(100, 100)
        expected = session.click(60, 200, positive=False)
        rows, cols, runs = firefox.get("((m) => [m.rows, m.cols, [...m.runs]])(state.masks.get(state.current))")
        found = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool).reshape(rows, cols)
        np.testing.assert_array_equal(found, expected)
        firefox.type("b")
        firefox.press((200, 50), (200, 150))
        firefox.idle("state.strokes.length === 0 && state.undo")
        firefox.type("\ue009", "z")
        firefox.idle("state.redo")
        firefox.type("\ue007")
        firefox.idle("state.current === 0 && state.images[0].done === 1")
        assert firefox.errors == []
    written = cv2.imread(str(directory / "annotations" / "masks" / "a__1.png"), cv2.IMREAD_UNCHANGED) > 0
    np.testing.assert_array_equal(written, expected)
