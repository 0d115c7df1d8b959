"""Whether a sample can be evaluated, and its hashes.

The rule of all fingerprints (`iiszoo.engine.runs.dataset_check` joins them into a dataset's):

- an image is hashed by the bytes of its file, which do not depend on a decoder's version; an image without a file of
  its own, by its pixels;
- a target is hashed by its pixels, object and ignored, so that a mask saved again in another lossless format is the
  same;
- initial masks are hashed apart from both: a correction and a run from nothing use one dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from iiszoo.data import file_checks
from iiszoo.errors import DatasetError, raised_as
from iiszoo.file_names import printable
from iiszoo.files import sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.base import Sample, Target

UNREADABLE = "unreadable"
"""Replaces the hash of what cannot be read."""


class SeenImage(NamedTuple):
    """A decoded image: its `size` (rows, columns), or the `fault` that prevents it, and the error that says so."""

    size: tuple[int, int] | None
    fault: str = ""
    error: DatasetError | None = None


UNSEEN = SeenImage(None)
"""For `inspect`: skip the image."""


class SeenTarget(NamedTuple):
    """An inspected target: its `size` (rows, columns), the `digest` of its pixels, and as `fault` why there is nothing
    to click on, "" if there is.
    """

    size: tuple[int, int]
    digest: str
    fault: str


class Inspection(NamedTuple):
    """`target`: the hash of the target; `initial`: that of the initial mask, None if there is none. `fault`: why the
    sample cannot be evaluated, naming its files; None if it can. `error`: the first that reading it raised.
    """

    target: str
    initial: str | None
    fault: str | None
    error: DatasetError | None = None


def inspect(sample: Sample, image: SeenImage | None = None) -> Inspection:
    """Inspect a sample's target, initial mask and image; `image` None: decode it.

    Faults: a file that is missing or unreadable, sizes that differ, a target that is empty or entirely ignored. Several
    are joined with "; ".
    """
    files = " and ".join(sample.files)
    target, initial, size = UNREADABLE, None, None
    faults: list[str] = []
    errors: list[DatasetError] = []
    try:
        with _reading(sample):
            look = sample.look_at_target
            size, target, fault = look() if look else seen_target(sample.read_target())
        if fault:
            faults.append(f"{files}: {fault}")
    except DatasetError as error:
        errors.append(error)
        faults.append(str(error))
    try:
        with _reading(sample):
            mask = sample.read_initial_mask()
        initial = None if mask is None else _digest_of(mask)
        if mask is not None and size is not None and mask.shape != size:
            faults.append(file_checks.sizes_differ(files, "initial mask", mask.shape, size))
    except DatasetError as error:
        initial = UNREADABLE
        errors.append(error)
        faults.append(str(error))
    seen = seen_image(sample) if image is None else image
    if seen.error is not None:
        errors.append(seen.error)
    if seen.fault:
        faults.append(seen.fault)
    elif None not in (seen.size, size) and seen.size != size:
        faults.append(file_checks.sizes_differ(files, "image", seen.size, size))  # type: ignore[arg-type]
    told = printable("; ".join(dict.fromkeys(faults))) or None
    return Inspection(target, initial, told, errors[0] if errors else None)


def seen_image(sample: Sample) -> SeenImage:
    """Decode the sample's image; once suffices for all samples that share it."""
    try:
        with _reading(sample):
            rows, columns = sample.read_image().shape[:2]
    except DatasetError as error:
        return SeenImage(None, str(error), error)
    return SeenImage((rows, columns))


def seen_target(target: Target) -> SeenTarget:
    """Inspect a target."""
    object, ignore = target
    counted = object if ignore is None else object & ~ignore
    fault = ""
    if not object.any():
        fault = "the target is empty; there is nothing to click on"
    elif not counted.any():
        fault = "the target is entirely ignored; there is nothing to click on"
    digest = _digest_of(object) if ignore is None or not ignore.any() else _digest_of(object, ignore)
    rows, columns = object.shape
    return SeenTarget((rows, columns), digest, fault)


def file_digest(path: Path) -> str:
    """The sha256 hex digest of a file's bytes; `UNREADABLE` if it cannot be read."""
    try:
        return sha256(path)[0]
    except OSError:
        return UNREADABLE


def image_digest(sample: Sample, of_file: Callable[[Path], str] = file_digest) -> str:
    """The hash of the sample's image; `UNREADABLE` if it cannot be read."""
    try:
        with _reading(sample):
            return _digest_of(sample.read_image()) if sample.image_file is None else of_file(sample.image_file)
    except DatasetError:
        return UNREADABLE


def _reading(sample: Sample) -> AbstractContextManager[None]:
    """Whatever the code of a dataset raises while it reads a sample is a `DatasetError` that names it."""
    return raised_as(DatasetError, f"sample {sample.id!r} cannot be read")


def _digest_of(*arrays: NDArray[np.generic]) -> str:
    """A sha256 hex digest of types, shapes and values."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}\n".encode())
        content.update(array.tobytes())
    return content.hexdigest()
