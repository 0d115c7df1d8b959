"""Whether a sample can be evaluated, and by which hash it is known.

The rule of all fingerprints (`iiszoo.engine.runs.dataset_check` joins them to those of a dataset):

- an image counts by the bytes of its file, which no version of a decoder changes; one that has no file of its own by
  its pixels;
- a target counts by its pixels, so that a mask saved anew in another lossless format is the same: those of the object,
  and those that are ignored;
- the mask that a session starts from counts apart from both: a correction and a run from nothing are of one dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from iiszoo.data import file_checks
from iiszoo.errors import DatasetError
from iiszoo.file_names import printable
from iiszoo.files import sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.base import Sample, Target

UNREADABLE = "unreadable"
"""In place of the hash of what cannot be read."""


class SeenImage(NamedTuple):
    """An image that was decoded: its `size` (rows, columns), or why there is none."""

    size: tuple[int, int] | None
    fault: str = ""


UNSEEN = SeenImage(None)
"""For `inspect`: the image is not looked at."""


class SeenTarget(NamedTuple):
    """A target that was looked at: its `size` (rows, columns), the `digest` of its pixels, and why there is nothing to
    click on, "" where there is.
    """

    size: tuple[int, int]
    digest: str
    fault: str


class Inspection(NamedTuple):
    """`target`: the hash of the target; `initial`: that of the mask to start from, None where there is none. `fault`:
    why the sample cannot be evaluated, naming its files; None where it can.
    """

    target: str
    initial: str | None
    fault: str | None


def inspect(sample: Sample, image: SeenImage | None = None) -> Inspection:
    """Look at a sample's target, initial mask and image; None: the image is decoded for that.

    Faults: a file that is absent or unreadable, sizes that differ, a target that is empty or wholly ignored. Where
    there are several they are joined with "; ".
    """
    files = " and ".join(sample.files)
    target, initial, size = UNREADABLE, None, None
    faults = []
    try:
        size, target, fault = sample.look_at_target() if sample.look_at_target else seen_target(sample.read_target())
        if fault:
            faults.append(f"{files}: {fault}")
    except DatasetError as error:
        faults.append(str(error))
    try:
        mask = sample.read_initial_mask()
        initial = None if mask is None else _digest_of(mask)
        if mask is not None and size is not None and mask.shape != size:
            faults.append(file_checks.sizes_differ(files, "initial mask", mask.shape, size))
    except DatasetError as error:
        initial = UNREADABLE
        faults.append(str(error))
    seen = seen_image(sample) if image is None else image
    if seen.fault:
        faults.append(seen.fault)
    elif None not in (seen.size, size) and seen.size != size:
        faults.append(file_checks.sizes_differ(files, "image", seen.size, size))  # type: ignore[arg-type]
    return Inspection(target, initial, printable("; ".join(dict.fromkeys(faults))) or None)


def seen_image(sample: Sample) -> SeenImage:
    """Decode the sample's image: once for all samples that share it."""
    try:
        rows, columns = sample.read_image().shape[:2]
    except DatasetError as error:
        return SeenImage(None, str(error))
    return SeenImage((rows, columns))


def seen_target(target: Target) -> SeenTarget:
    """Look at a target that was read."""
    object, ignore = target
    counted = object if ignore is None else object & ~ignore
    fault = ""
    if not object.any():
        fault = "the target is empty, there is nothing to click on"
    elif not counted.any():
        fault = "the target is ignored as a whole, there is nothing to click on"
    digest = _digest_of(object) if ignore is None or not ignore.any() else _digest_of(object, ignore)
    rows, columns = object.shape
    return SeenTarget((rows, columns), digest, fault)


def file_digest(path: Path) -> str:
    """The sha256 hex digest of a file's bytes; `UNREADABLE` where it cannot be read."""
    try:
        return sha256(path)[0]
    except OSError:
        return UNREADABLE


def image_digest(sample: Sample, of_file: Callable[[Path], str] = file_digest) -> str:
    """The hash of the sample's image; `UNREADABLE` where it cannot be read."""
    try:
        return _digest_of(sample.read_image()) if sample.image_file is None else of_file(sample.image_file)
    except DatasetError:
        return UNREADABLE


def _digest_of(*arrays: NDArray[np.generic]) -> str:
    """A sha256 hex digest of form and values."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}\n".encode())
        content.update(array.tobytes())
    return content.hexdigest()
