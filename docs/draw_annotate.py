"""Draws the pictures of docs/annotate.md: python docs/draw_annotate.py (needs chromium and the extra `dev`)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "annotate"))

from browsing import Tab, chromium  # noqa: E402
from serving import served  # noqa: E402

DEMO = HERE.parent / "iiszoo" / "data" / "demo" / "images"
OUT = HERE / "annotate"


def shoot(tab: Tab, name: str) -> None:
    tab.page.wait_for_timeout(400)
    tab.page.screenshot(path=OUT / f"{name}.jpg", type="jpeg", quality=82)
    print(OUT / f"{name}.jpg", (OUT / f"{name}.jpg").stat().st_size)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        for path in DEMO.iterdir():
            shutil.copy(path, place)
        with served(place, "--labels", "head,rocket,helmet") as server:
            tab = Tab(browser, server.address, viewport={"width": 1120, "height": 700})
            tab.idle()
            for row, col in ((120, 220), (60, 240)):
                tab.click(row, col)
                tab.idle()
            tab.accept()
            tab.press("2")
            for row, col in ((150, 405), (250, 400)):
                tab.click(row, col)
                tab.idle()
            tab.accept()
            tab.press("3")
            for row, col, button in ((440, 380, "left"), (350, 300, "right"), (460, 330, "left")):
                tab.click(row, col, button)
                tab.idle()
            tab.page.mouse.move(*tab.place(20, 20))
            shoot(tab, "page")
            tab.press("?")
            shoot(tab, "keys")
            tab.close()
            tab = Tab(browser, server.address, viewport={"width": 1120, "height": 700}, color_scheme="dark")
            tab.idle()
            tab.press("e")
            x, y = tab.place(440, 400)
            tab.page.mouse.move(x, y)
            for _ in range(2):
                tab.page.mouse.wheel(0, -300)
            tab.page.mouse.move(x - 60, y - 120)
            tab.page.mouse.down()
            tab.page.mouse.move(x + 40, y - 100, steps=8)
            tab.page.mouse.move(x + 90, y - 60, steps=8)
            shoot(tab, "eraser")
            tab.page.mouse.up()
            tab.close()


if __name__ == "__main__":
    main()
