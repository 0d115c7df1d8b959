"""Draws the picture of docs/results.md: python docs/draw_leaderboard.py (needs chromium and the extra `dev`)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from iiszoo.engine.site.writing import write

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "annotate"))

from browsing import Tab, chromium  # noqa: E402

REPO = HERE.parent / "benchmarks" / "results" / "zoo"
OUT = HERE / "results" / "leaderboard.jpg"


def main() -> None:
    OUT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as site, chromium() as browser:
        write(REPO, Path(site), (), None, "Interactive segmentation: leaderboard")
        tab = Tab(browser, f"file://{site}/index.html#dataset=grabcut", viewport={"width": 1100, "height": 700})
        tab.page.screenshot(path=OUT, full_page=True, type="jpeg", quality=70)
        tab.close()
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
