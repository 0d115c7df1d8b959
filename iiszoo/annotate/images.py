"""The images of a directory, by number: their names, the names of their results, and their pixels.

Pixels are read as every dataset of iiszoo reads them (`iiszoo.data.read`), so that masks fit what a bench reads.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo import files
from iiszoo.data.base import image_files
from iiszoo.data.file_checks import picture_size
from iiszoo.data.picture_file import READ
from iiszoo.data.read import read_image
from iiszoo.errors import DatasetError, RunError
from iiszoo.file_names import composed, escaped

TILE = 512
"""Sides of the pieces, in pixels, that the page gets an image in."""
_THUMBNAIL = 96
_PICTURES_BYTES = 600 << 20
_LONGEST_STEM = 200  # bytes; 255 are possible, and masks add to it


@dataclass(frozen=True)
class ImageFile:
    """`name` is the file's name as text; `stem` that of its results; `id` its number in annotations.json."""

    path: Path
    name: str
    stem: str
    id: int
    size: tuple[int, int]

    @property
    def link(self) -> str:
        """The name under images/ of the output."""
        return self.stem + self.path.suffix


@dataclass(frozen=True)
class Folder:
    """The images that can be annotated, in the order of their names, and why others cannot."""

    images: list[ImageFile]
    faults: list[str]


def folder(directory: Path, names: Path) -> Folder:
    """The images directly in `directory`. `names` is the file that remembers the names of their results.

    Raises `DatasetError` if there are none, and `RunError` if `names` cannot be read or written.
    """
    if not directory.is_dir():
        what = "is a file; give the directory that it is in" if directory.is_file() else "does not exist"
        raise DatasetError(f"{directory} {what}")
    sizes: dict[Path, tuple[int, int]] = {}
    faults: list[str] = []
    for path in image_files(directory):
        try:
            sizes[path] = picture_size(path)
        except DatasetError as error:
            faults.append(str(error))
    if not sizes:
        raise DatasetError(_none_in(directory, faults))
    known = _Names(names)
    images = [ImageFile(path, escaped(path.name), *known.of(path), size) for path, size in sizes.items()]
    known.save()
    return Folder(images, faults)


def _none_in(directory: Path, faults: list[str]) -> str:
    if faults:
        return f"{directory} contains no image that can be read: {'; '.join(faults[:3])}"
    below = [path.name for path in sorted(directory.iterdir()) if path.is_dir() and any(map(bool, _images_in(path)))]
    hint = f"; {escaped(below[0])}/ in it has some: subdirectories are not searched" if below else ""
    return f"{directory} contains no images ({READ}){hint}"


def _images_in(directory: Path) -> Iterable[Path]:
    try:
        return image_files(directory)
    except OSError:
        return ()


class _Names:
    """The stems of results, each of one image for good, also when images are added or removed later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stems: dict[str, str] = {}
        try:
            found = json.loads(files.read_text(path))
            self.stems = {str(name): str(stem) for name, stem in found.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as error:
            raise RunError(f"{path}: the names of results cannot be read ({error}); give another --out") from error
        self._known = len(self.stems)
        self._numbers = {name: number for number, name in enumerate(self.stems, 1)}
        self._taken = {stem.casefold() for stem in self.stems.values()}

    def of(self, path: Path) -> tuple[str, int]:
        """The stem and the number of an image."""
        name = escaped(path.name)
        if name not in self.stems:
            self.stems[name] = self._fresh(path)
            self._taken.add(self.stems[name].casefold())
        return self.stems[name], self._numbers.setdefault(name, len(self.stems))

    def _fresh(self, path: Path) -> str:
        plain = escaped(composed(path.stem))
        plain = "".join(c if c.isprintable() else "_" for c in plain)
        if len(plain.encode()) > _LONGEST_STEM:
            short = plain.encode()[: _LONGEST_STEM - 9].decode("utf-8", "ignore")
            plain = f"{short}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"
        plain = re.sub(r"__(?=\d+$)", "_", plain)  # STEM__1 is the first mask of STEM
        suffix = path.suffix.removeprefix(".")
        choices = chain([plain, f"{plain}-{suffix}"], (f"{plain}-{suffix}-{n}" for n in count(2)))
        return next(choice for choice in choices if choice.casefold() not in self._taken)

    def save(self) -> None:
        if len(self.stems) > self._known:
            files.replace_text(self.path, json.dumps(self.stems, ensure_ascii=False, indent=0) + "\n")


class Picture:
    """The pixels of an image, uint8 (H, W, 3), RGB, and smaller copies: each level halves the sides."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    @cached_property
    def levels(self) -> list[NDArray[np.uint8]]:
        levels = [self.pixels]
        while max(levels[-1].shape[:2]) > TILE:
            rows, cols = levels[-1].shape[:2]
            size = (-(-cols // 2), -(-rows // 2))
            levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA), np.uint8))
        return levels

    @property
    def nbytes(self) -> int:
        """What all levels take."""
        return self.pixels.nbytes * 4 // 3

    def tile(self, level: int, row: int, col: int) -> bytes | None:
        """A tile as JPEG; None if there is no such tile."""
        if not 0 <= level < len(self.levels):
            return None
        part = self.levels[level][row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE]
        return jpeg(part, 95) if min(row, col) >= 0 and part.size else None

    def thumbnail(self) -> bytes:
        """A JPEG of at most 96 pixels a side."""
        rows, cols = self.pixels.shape[:2]
        share = min(1.0, _THUMBNAIL / max(rows, cols))
        size = (max(1, round(cols * share)), max(1, round(rows * share)))
        return jpeg(np.asarray(cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA), np.uint8), 85)


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """RGB pixels as JPEG, with colour at full resolution."""
    how = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], how)
    assert done
    return encoded.tobytes()


class Pictures:
    """The pictures that were read last; safe to use from several threads."""

    def __init__(self, images: list[ImageFile], limit: int = _PICTURES_BYTES) -> None:
        self.images, self.limit = images, limit
        self._kept: OrderedDict[int, Picture] = OrderedDict()
        self._thumbnails: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in images]
        self._shrinking = threading.Lock()

    def get(self, number: int) -> Picture:
        """Raises `DatasetError` if the file cannot be decoded, or has changed its size."""
        with self._reading[number]:
            picture = self._kept.get(number) or self._read(number)
            with self._lock:
                self._kept[number] = picture
                self._kept.move_to_end(number)
                while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self.limit:
                    self._kept.popitem(last=False)
        return picture

    def thumbnail(self, number: int) -> bytes:
        """Raises as `get`. One is made at a time: the strip must not take the processor from the model."""
        with self._shrinking:
            if number not in self._thumbnails:
                self._thumbnails[number] = (self._kept.get(number) or self._read(number)).thumbnail()
            return self._thumbnails[number]

    def _read(self, number: int) -> Picture:
        image = self.images[number]
        pixels: Any = read_image(image.path)
        if pixels.shape[:2] != image.size:
            raise DatasetError(f"{image.path}: has changed its size; start `iiszoo annotate` again")
        return Picture(pixels)
