"""The time from mouse down to the drawn mask on the annotation page, beside the model's own time.

    python benchmarks/speed/annotate.py [--model ID] [--clicks N]

Starts `iiszoo annotate` on an enlarged photograph of the embedded set, at 640 x 480 and at 4000 x 3000, and clicks in
it with chromium, which has no GPU here and shares the processor with the model. Prints the medians of both, and of
their difference: the overhead, which is at most 30 ms at 640 x 480. One click before is not counted.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import cv2

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "annotate"))

from browsing import Tab, chromium  # noqa: E402
from serving import served  # noqa: E402

SIZES = ((640, 480), (4000, 3000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="smp/unet-lite0", help="default: %(default)s")
    parser.add_argument("--clicks", type=int, default=20, help="default: %(default)s")
    arguments = parser.parse_args()
    photograph = cv2.imread(str(ROOT / "iiszoo" / "data" / "demo" / "images" / "coffee.jpg"))
    print(f"{arguments.model}, {arguments.clicks} clicks; chromium {_version()}; medians in ms")
    with chromium() as browser:
        for width, height in SIZES:
            with tempfile.TemporaryDirectory() as place:
                cv2.imwrite(f"{place}/a.png", cv2.resize(photograph, (width, height)))
                drawn, model = _clicked(browser, place, arguments)
            overhead = [1e3 * (whole - own) for whole, own in zip(drawn, model, strict=True)]
            print(
                f"  {width} x {height}: mouse down to drawn mask {1e3 * median(drawn):.0f}, "
                f"model {1e3 * median(model):.0f}, overhead {median(overhead):.1f} "
                f"(from {min(overhead):.1f} to {max(overhead):.1f})"
            )


def _clicked(browser: object, place: str, arguments: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Seconds from mouse down to the drawn mask, and those of the model, of each click but the first."""
    rng = random.Random(0)
    with served(place, "--model", arguments.model) as server:
        tab = Tab(browser, server.address)
        tab.idle()
        rows, cols = tab.get("state.size")
        for _ in range(arguments.clicks + 1):
            tab.click(rows * rng.uniform(0.2, 0.8), cols * rng.uniform(0.2, 0.8), rng.choice(["left", "right"]))
            tab.idle()
            tab.page.wait_for_timeout(200)
        drawn = tab.get("performance.getEntriesByName('click to mask').map((entry) => entry.duration / 1e3)")
        tab.close()
    log = Path(place, "annotations", "journal", "a.jsonl").read_text("utf-8")
    model = [event["seconds"] for event in map(json.loads, log.splitlines()) if event["do"] == "answered"]
    return drawn[1:], model[1:]


def _version() -> str:
    return subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


if __name__ == "__main__":
    main()
