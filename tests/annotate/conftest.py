from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ENGINE_TESTS = Path(__file__).parents[1] / "engine"
sys.path += [str(ENGINE_TESTS), str(Path(__file__).parent)]  # `painting_models` can be named as a model here


@pytest.fixture
def photographs(tmp_path):
    """`photographs(n, size)`: a directory of small photographs, `a.png`, `b.png`, ..."""

    def photographs(n=3, size=(40, 56)):
        directory = tmp_path / "photographs"
        directory.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        for name in "abcdefgh"[:n]:
            cv2.imwrite(str(directory / f"{name}.png"), rng.integers(0, 256, (*size, 3), np.uint8))
        return directory

    return photographs


@pytest.fixture
def workplace(photographs, tmp_path):
    """`workplace(...)`: a `Workplace` on the photographs; each call ends the one before, as another start would."""
    from iiszoo.annotate.workplace import Workplace

    opened = []

    def workplace(n=3, size=(40, 56), **options):
        for before in opened:
            before.close()
        opened[:] = [Workplace(photographs(n, size), tmp_path / "out", **options)]
        return opened[0]

    yield workplace
    for before in opened:
        before.close()
