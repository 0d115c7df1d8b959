"""Trees of images and masks, made in the layouts that people have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # for seg_samples: pytest's importlib mode adds no test directory

Save = Callable[..., Path]
SIZE = (24, 32)


@pytest.fixture
def object_mask() -> NDArray[np.bool_]:
    """bool `(24, 32)`: an L."""
    mask = np.zeros(SIZE, bool)
    mask[3:20, 5:12] = True
    mask[14:20, 5:27] = True
    return mask


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """`save("DIR/NAME.png", pixels, **options)` writes a picture under the test's directory, by default a grey one."""

    def save_(name: str, pixels: Any = None, **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((*SIZE, 3), 90, np.uint8) if pixels is None else pixels
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
        return path

    return save_
