"""The header of a picture file: its format, size and orientation; and which formats are supported.

`iiszoo data check` reads headers only, and a file is decoded only if its header is valid, so that both report the same
faults. Standard library and Pillow only; TIFF files take tifffile, since Pillow reads only some.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from iiszoo.errors import DatasetError, one_line

SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp",
    ".gif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"
))  # fmt: skip
"""Suffixes of the files that are read, in lower case. A file's format is determined from its content."""
READ = "JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000 and PPM"
OTHER_SUFFIXES = frozenset((
    ".avif", ".heic", ".heif", ".jxl", ".exr", ".hdr", ".pfm", ".svg", ".psd", ".psb", ".xcf", ".tga", ".pcx",
    ".ico", ".eps", ".pdf", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".nii", ".gz", ".nrrd", ".mha", ".mhd",
    ".dcm", ".dicom", ".czi", ".lif", ".nd2", ".svs", ".ndpi", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw",
    ".raf", ".orf", ".rw2"
))  # fmt: skip
"""Suffixes of pictures and arrays that are not supported: such a file is reported, not ignored."""

MAX_PIXELS = 1 << 30
"""The pixels of the largest picture that is read, OpenCV's limit. 3 GiB as 8-bit RGB."""

_FORMATS = {"JPEG", "MPO", "PNG", "BMP", "DIB", "WEBP", "GIF", "JPEG2000", "PPM"}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 274  # the tag's number in EXIF and in TIFF
_opening = threading.Lock()

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # our messages cover what matters


class Header(NamedTuple):
    """`format` Pillow's name; `size` (rows, columns) as seen, after turning; `orientation` 1 to 8, as in EXIF;
    `palette`: the values are indices; `lossy`: its compression changes values.
    """

    format: str
    size: tuple[int, int]
    orientation: int
    palette: bool
    lossy: bool


def read_header(path: Path, content: bytes | None = None) -> Header:
    """The header of a file, or of a picture of these bytes inside it. Raises `DatasetError` naming the file:
    unreadable, unsupported, several pages, too large.
    """
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            start = file.read(4)
            if start in _TIFF and content is not None:
                raise DatasetError(f"{path}: contains a TIFF picture, which is read from files of its own only")
            file.seek(0)
            header = _tiff(path) if start in _TIFF else _other(path, file)
    except DatasetError:
        raise
    except OSError as error:
        if error.strerror:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
        raise DatasetError(f"{path}: cannot be decoded as an image (empty, damaged, or not an image)") from error
    except Exception as error:  # Pillow and tifffile raise SyntaxError and others for damaged files
        raise DatasetError(f"{path}: cannot be decoded as an image ({one_line(error)})") from error
    rows, columns = header.size
    if rows * columns > MAX_PIXELS:
        raise DatasetError(
            f"{path}: has {rows}x{columns} (rows x columns) pixels, but iiszoo reads at most {MAX_PIXELS:,}; "
            "scale it down or crop it"
        )
    return header


def open_picture(file: Path | BinaryIO) -> Any:
    """Pillow's image, of any size: the size limit is checked here, since Pillow's own is global to the process."""
    from PIL import Image

    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _other(path: Path, file: BinaryIO) -> Header:
    with open_picture(file) as image:
        if image.format not in _FORMATS:
            raise DatasetError(f"{path}: has the format {image.format}, which is not supported; save it as PNG")
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # MPO: a photograph with previews or depth
            raise _several(path, image.n_frames)
        columns, rows = image.size
        orientation = _exif_orientation(file, image)
        size = (columns, rows) if orientation > 4 else (rows, columns)
        lossy = image.format in ("JPEG", "MPO") or (image.format == "WEBP" and not _lossless_webp(file))
        return Header(image.format, size, orientation, image.mode in ("P", "PA"), lossy)


def _exif_orientation(file: BinaryIO, image: Any) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        exif = _exif_behind_pixels(file)
        if exif is None:
            return 1  # Pillow would decode the pixels to find out
        image.info["exif"] = exif
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  damaged EXIF: every decoder then takes the pixels as stored
        return 1
    return orientation if orientation in range(1, 9) else 1


def _exif_behind_pixels(file: BinaryIO) -> bytes | None:
    """The EXIF of a PNG file in which it follows the pixels; None if there is none."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            return b"Exif\0\0" + file.read(length)
        file.seek(length + 4, 1)
    return None


def _lossless_webp(file: BinaryIO) -> bool:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        if head[:4] == b"VP8L":
            return True
        length = int.from_bytes(head[4:], "little")
        file.seek(length + length % 2, 1)
    return False


def _tiff(path: Path) -> Header:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = tiff_page(path, file)
        orientation = tiff_orientation(page)
        rows, columns = page.imagelength, page.imagewidth
        size = (columns, rows) if orientation > 4 else (rows, columns)
        lossy = page.photometric == tifffile.PHOTOMETRIC.YCBCR or "JPEG" in getattr(page.compression, "name", "")
        return Header("TIFF", size, orientation, page.photometric == tifffile.PHOTOMETRIC.PALETTE, lossy)


def tiff_orientation(page: Any) -> int:
    tag = page.tags.get(_ORIENTATION)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def tiff_page(path: Path, file: Any) -> Any:
    """The one page of an open TIFF file; copies of lower resolution and transparency masks do not count."""
    import tifffile

    pages = [page for page in file.pages if not (getattr(page, "subfiletype", 0) or 0) & 0b101]
    page = pages[0] if pages else file.pages[0]
    if len(pages) > 1:
        raise _several(path, len(pages))
    if page.samplesperpixel > 4:
        raise DatasetError(
            f"{path}: has {page.samplesperpixel} bands, and it is unknown which ones to show; save it with 1 "
            "(grey) or 3 (red, green, blue), plus alpha if needed"
        )
    kinds = tifffile.PHOTOMETRIC
    known = (kinds.MINISWHITE, kinds.MINISBLACK, kinds.RGB, kinds.PALETTE, kinds.YCBCR)
    if page.photometric not in known:
        space = getattr(page.photometric, "name", page.photometric)
        raise DatasetError(f"{path}: is a TIFF file of colour space {space}, which is not supported; save it as RGB")
    if page.dtype is None or page.dtype.kind not in "buif":
        raise DatasetError(f"{path}: is a TIFF file of an unsupported number type; save it as integers or floats")
    return page


def _several(path: Path, n: int) -> DatasetError:
    return DatasetError(f"{path}: contains {n} pictures; save the one you mean as a file of its own")
