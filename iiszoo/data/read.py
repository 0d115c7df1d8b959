"""Reading picture files.

Images and masks are turned as their header says (EXIF in JPEG, PNG and WebP; the tag in TIFF). Images of any depth and
colour become 8-bit RGB (`as_8_bit`); grey is repeated three times, alpha is dropped.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.data.picture_file import Header, open_picture, read_header, tiff_page
from iiszoo.errors import DatasetError, one_line

_PILLOW = ("GIF", "DIB")  # not every OpenCV reads them
_DEPTHS = (8, 10, 12, 14, 16)
"""How many bits of a larger integer cameras and scanners fill."""


def read_image(path: Path, content: bytes | None = None) -> NDArray[np.uint8]:
    """uint8 `(H, W, 3)`, RGB, from a file or from the bytes of a picture inside it. Raises `DatasetError` naming the
    file.
    """
    header = read_header(path, content)
    if header.format == "TIFF":
        pixels = _tiff_image(path)
    elif header.format in _PILLOW:
        pixels = _by_pillow(path, content, rgb=True)
    else:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = _by_opencv(path, flags, content)[:, :, ::-1]
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, 2)
    return np.ascontiguousarray(_turned(as_8_bit(path, pixels[:, :, :3]), header))


def read_mask(path: Path, content: bytes | None = None) -> NDArray[Any]:
    """The stored values: `(H, W)`, or `(H, W, C)` with blue first, as OpenCV reads them, from a file or from the bytes
    of a picture inside it. Those of a palette file are indices, not colours. Raises `DatasetError` naming the file.
    """
    header = read_header(path, content)
    if header.format == "TIFF":
        pixels = _tiff_values(path)
        if pixels.ndim == 3 and pixels.shape[2] >= 3:
            pixels = pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]
    elif header.palette or header.format in _PILLOW:
        pixels = _by_pillow(path, content)
        if pixels.ndim == 3:  # with a palette and alpha, indices come first; else red does
            pixels = pixels[:, :, 0] if header.palette else pixels[:, :, 2::-1]
    else:
        pixels = _by_opencv(path, cv2.IMREAD_UNCHANGED, content)
    return np.ascontiguousarray(_turned(pixels, header))


def palette(path: Path) -> NDArray[np.uint8] | None:
    """The colours of a palette file, uint8 `(N, 3)`, RGB, by index; None for any other file."""
    header = read_header(path)
    if not header.palette:
        return None
    if header.format == "TIFF":
        return _palette_of_tiff(path)
    with open_picture(path) as image:
        colours = image.getpalette() or []
    return np.asarray(colours, np.uint8).reshape(-1, 3)


def as_8_bit(path: Path | str, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """An image's brightness as 8 bits, from any number type.

    Integers keep the upper 8 of the bits in use: of 8, 10, 12, 14 or 16, the fewest that hold the largest value. Floats
    from 0 to 1 are scaled to 0 to 255; if any is above 1, up to 255, all are kept. Raises `DatasetError` for anything
    else, naming file and range.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return np.asarray(pixels * np.uint8(255))
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    is_float = pixels.dtype.kind == "f"
    bits = next((bits for bits in _DEPTHS if high < 1 << bits), None)
    if not low >= 0 or bits is None or (is_float and not high <= 255):  # NaN is neither
        raise DatasetError(
            f"{path}: contains {pixels.dtype} values from {low:g} to {high:g}, and their scale is unknown; "
            "save it as integers of 8 or 16 bits, or as floats from 0 to 1"
        )
    scaled = np.rint(pixels * 255 if high <= 1 else pixels) if is_float else pixels >> (bits - 8)
    return np.asarray(scaled, np.uint8)


def _turned(pixels: NDArray[Any], header: Header) -> NDArray[Any]:
    """`pixels` as stored, turned and mirrored for display (EXIF 2.3, tag 274)."""
    if header.orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    upside_down, mirrored = header.orientation in (3, 4, 7, 8), header.orientation in (2, 3, 6, 7)
    return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _tiff_image(path: Path) -> NDArray[Any]:
    """`(H, W)` or `(H, W, C)`, red first, as stored."""
    import tifffile

    values = _tiff_values(path)
    colours = palette(path)
    if colours is not None:
        return np.asarray(colours[values])
    with tifffile.TiffFile(path) as file:
        bits = tiff_page(path, file).bitspersample
    if bits in (2, 4) and values.max(initial=0) < 1 << bits:
        values = values * np.uint8(255 // ((1 << bits) - 1))
    return values[:, :, 0] if values.ndim == 3 and values.shape[2] == 2 else values


def _palette_of_tiff(path: Path) -> NDArray[np.uint8]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        colours = np.asarray(tiff_page(path, file).colormap).T
    return (colours >> 8 if colours.max(initial=0) > 255 else colours).astype(np.uint8)


def _tiff_values(path: Path) -> NDArray[Any]:
    """`(H, W)` or `(H, W, C)`, red first, as stored; white is the largest value. Read by tifffile, or, if it lacks the
    codec, as in `_tiff_by_other_decoder`.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = tiff_page(path, file)
        if page.photometric == tifffile.PHOTOMETRIC.YCBCR:
            return _tiff_by_other_decoder(path, file, page)
        try:
            pixels = np.asarray(page.asarray())
        except Exception as error:
            if "imagecodecs" in str(error):
                return _tiff_by_other_decoder(path, file, page)
            raise DatasetError(f"{path}: cannot be decoded as an image ({one_line(error)})") from error
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1:
            pixels = np.moveaxis(pixels, 0, 2)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and pixels.dtype.kind in "bu":
            pixels = np.invert(pixels)
        return pixels


def _tiff_by_other_decoder(path: Path, file: Any, page: Any) -> NDArray[Any]:
    """As `_tiff_values`, for compressions that tifffile alone does not know (LZW, JPEG, fax).

    Pillow decodes up to 8 bits, OpenCV more, which Pillow would cut. OpenCV does not get what it decodes wrongly:
    separate planes, bands that are not colours, an orientation (it turns only some files).
    """
    import tifffile

    content = bytearray(path.read_bytes())
    tag = page.tags.get(274)
    if tag is not None:
        content[tag.valueoffset : tag.valueoffset + 2] = (1).to_bytes(2, "little" if file.byteorder == "<" else "big")
    if page.bitspersample <= 8:
        return _by_pillow(path, bytes(content))
    kinds = tifffile.PHOTOMETRIC
    grey = page.samplesperpixel == 1 and page.photometric == kinds.MINISBLACK
    if page.planarconfig != tifffile.PLANARCONFIG.CONTIG or not (grey or page.photometric == kinds.RGB):
        raise DatasetError(
            f"{path}: is a TIFF file whose bands have an unsupported compression; save it without compression"
        )
    pixels = _decode_opencv(path, np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]


def _by_pillow(path: Path, content: bytes | None = None, *, rgb: bool = False) -> NDArray[Any]:
    """`(H, W)`, or `(H, W, C)` with red first, from a file or its `content`."""
    try:
        with open_picture(path if content is None else io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB") if rgb or image.mode == "YCbCr" else image)
    except Exception as error:  # Pillow raises SyntaxError and others for damaged files
        raise DatasetError(f"{path}: cannot be decoded as an image ({one_line(error)})") from error


def _by_opencv(path: Path, flags: int, content: bytes | None = None) -> NDArray[Any]:
    try:
        stored = path.read_bytes() if content is None else content
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    return _decode_opencv(path, np.frombuffer(stored, np.uint8), flags)


def _decode_opencv(path: Path, content: NDArray[np.uint8], flags: int) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(content, flags) if content.size else None
    except cv2.error as error:
        raise DatasetError(f"{path}: cannot be decoded as an image ({error.err})") from error
    if pixels is None:
        raise DatasetError(f"{path}: cannot be decoded as an image (empty, cut off, or not an image)")
    return np.asarray(pixels)
