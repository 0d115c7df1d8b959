"""Golden tests: a session of fixed clicks on an embedded image, compared with figures stored when it was right.

>>> from iiszoo import load_model
>>> from iiszoo.testing import golden
>>> file = Path("golden.json")  # beside the test: Path(__file__).with_name("golden.json")
>>> clicks = [(240, 200, True), (60, 60, False)]
>>> os.environ["IISZOO_GOLDEN"] = "write"  # once, and after an intended change: stores the figures
>>> golden.compare(load_model("classic/grabcut"), file, "grabcut", clicks)
>>> del os.environ["IISZOO_GOLDEN"]  # from then on: compares with these
>>> golden.compare(load_model("classic/grabcut"), file, "grabcut", clicks)
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from iiszoo import Session, load_dataset
from iiszoo.protocol import Model

IMAGE = "camera__man"
"""A sample of the dataset `demo`; its image is 480 pixels high and 448 wide."""


def compare(
    model: Model, file: Path, name: str, clicks: Sequence[tuple[int, int, bool]], tolerance: float = 5e-3
) -> None:
    """Raise AssertionError unless the session's figures are those in `file` under `name`.

    `clicks`: (row, col, positive). `tolerance`: for a probability and for the mask's share of the image; CPUs differ in
    the last digits of a network. Regions of interest must be equal.
    """
    stored = json.loads(file.read_text("utf-8")) if file.exists() else {}
    found = figures_of(model, clicks)
    if os.environ.get("IISZOO_GOLDEN") == "write":
        file.write_text(json.dumps({**stored, name: found}, indent=1) + "\n", "utf-8")
        return
    assert name in stored, f"{file} has no figures of {name}; IISZOO_GOLDEN=write stores them"
    for k, (ours, expected) in enumerate(zip(found, stored[name], strict=True)):
        where = f"{name}, click {k + 1}"
        assert ours["roi"] == expected["roi"], f"{where}: region {ours['roi']} instead of {expected['roi']}"
        differences = torch.tensor([ours["area"], *ours["grid"]]) - torch.tensor([expected["area"], *expected["grid"]])
        worst = float(differences.abs().max())
        assert worst <= tolerance, (
            f"{where}: figures differ by {worst:.2g} from the golden ones, {tolerance:g} is allowed"
        )


def figures_of(model: Model, clicks: Sequence[tuple[int, int, bool]]) -> list[dict[str, Any]]:
    """After each click: `area`, the mask's share of the image; `grid`, 25 probabilities; `roi`, `z["roi"]` if there is
    one.
    """
    image = next(sample for sample in load_dataset("demo") if sample.id == IMAGE).read_image()
    session, figures = Session(model, image), []
    for row, col, positive in clicks:
        session.click(row, col, positive)
        output, roi = session.output[0, 0], session.state.get("roi")
        height, width = output.shape
        grid = output[height // 10 :: height // 5, width // 10 :: width // 5]
        figures.append(
            {
                "area": round(float((output > model.threshold).float().mean()), 4),
                "grid": [round(value, 4) for value in grid.flatten().tolist()],
                "roi": None if roi is None else roi[0].tolist(),
            }
        )
    return figures
