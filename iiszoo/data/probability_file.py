"""Object probabilities as a NumPy file (`.npy`): floats `(H, W)` in [0, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.errors import DatasetError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = ".npy"


def read_probabilities(path: Path) -> NDArray[np.float32]:
    """Float32 `(H, W)` in [0, 1]. Raises `DatasetError` naming the file."""
    import numpy as np

    values = np.array(_opened(path), np.float32)
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
        raise DatasetError(
            f"{path}: contains values from {values.min():g} to {values.max():g}; probabilities lie in [0, 1]: apply "
            "the sigmoid to logits; divide 0 to 255 by 255"
        )
    return values


def probabilities_size(path: Path) -> tuple[int, int]:
    """(rows, columns), without reading the values. Raises `DatasetError` naming the file."""
    rows, columns = _opened(path).shape
    return rows, columns


def _opened(path: Path) -> NDArray[Any]:
    """The memory-mapped array, with its type and shape checked."""
    import numpy as np

    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # damaged headers raise nearly anything
        raise DatasetError(f"{path}: cannot be read as a NumPy file ({one_line(error)})") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim != 2:
        form = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive of arrays"
        raise DatasetError(
            f"{path}: must contain probabilities, floats (H, W) in [0, 1], not {form}; save a mask of integers as PNG"
        )
    return values
