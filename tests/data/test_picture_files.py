"""Picture files of every kind that people have: read by a stated rule, or named."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data import picture_file
from iiszoo.data.inspection import inspect
from iiszoo.data.picture_file import read_header
from iiszoo.data.read import read_image, read_mask
from iiszoo.engine.runs.dataset_check import survey_for_run
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
Array = NDArray[Any]

RAMP = np.linspace(0, 255, 24 * 32).astype(np.uint8).reshape(24, 32)
COLOURS = np.dstack([RAMP, RAMP[::-1], np.full_like(RAMP, 7)])
CASES = "folder-*"


def seen(stored: Array, orientation: int) -> Array:
    """What EXIF's orientation says of `stored`, step by step."""
    steps: dict[int, Callable[[Array], Array]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
        8: lambda a: np.rot90(a, 1),
    }
    return steps[orientation](stored)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_oriented(path: Path, pixels: Array, orientation: int, how: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(pixels)
    if how.startswith("tiff"):
        compression = {"tiff": None, "tiff-deflate": "zlib"}.get(how)
        if how == "tiff-lzw":
            info = picture.save(path, compression="tiff_lzw", tiffinfo={274: orientation})
            assert info is None
        else:
            tifffile.imwrite(
                path,
                pixels,
                photometric="rgb" if pixels.ndim == 3 else "minisblack",
                compression=compression,
                extratags=[(274, 3, 1, orientation, True)],
            )
    elif how == "png-late":
        picture.save(path)
        content = path.read_bytes()
        assert content.endswith(b"IEND\xaeB`\x82")
        path.write_bytes(content[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + content[-12:])
    elif how == "webp":
        picture.save(path, exif=exif, lossless=True)
    else:
        picture.save(path, exif=exif, **({"quality": 95} if how == "jpeg" else {}))


KINDS = {
    "jpeg": "jpg",
    "png": "png",
    "png-late": "png",
    "webp": "webp",
    "tiff": "tif",
    "tiff-deflate": "tif",
    "tiff-lzw": "tif",
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", KINDS)
def test_images_and_masks_are_turned_once(
    how: str, orientation: int, save: Save, object_mask: Mask, tmp_path: Path
) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    photograph = np.dstack([np.where(object_mask, 250, 5)] * 3).astype(np.uint8)
    write_oriented(tmp_path / f"images/a.{KINDS[how]}", photograph, orientation, how)
    write_oriented(tmp_path / f"masks/a.{KINDS[how]}", photograph[:, :, 0] // 250 * 255, orientation, how)
    save("images/b.png", seen(photograph, orientation))
    shutil.copy(tmp_path / f"masks/a.{KINDS[how]}", tmp_path / f"masks/b.{KINDS[how]}")
    dataset = load_dataset(f"folder:{tmp_path}")
    assert list(dataset.check_files()) == []
    expected = seen(object_mask, orientation)
    for i in range(2):
        assert inspect(dataset[i]).fault is None
        assert np.array_equal(dataset[i].read_target().object, expected)
        assert np.array_equal(dataset[i].read_image()[:, :, 1] > 128, expected)


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "uint64", "float32", "float64"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_tiff_holds_any_numbers_and_layout(bands: int, dtype: str, orientation: int, tmp_path: Path) -> None:
    pixels = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1], RAMP])[:, :, :bands].astype(dtype)
    stored = pixels[:, :, 0] if bands == 1 else pixels
    for planes in ("contig", "separate"):
        path = tmp_path / f"{planes}.tif"
        tifffile.imwrite(
            path,
            np.moveaxis(stored, -1, 0) if planes == "separate" and bands > 1 else stored,
            photometric="minisblack" if bands == 1 else "rgb",
            planarconfig=planes if bands > 1 else None,
            extrasamples=["unspecified"] if bands == 4 else None,
            extratags=[(274, 3, 1, orientation, True)],
        )
        mask = read_mask(path)
        assert mask.dtype == dtype
        mask = mask if bands == 1 else mask[:, :, [2, 1, 0, *range(3, bands)]]
        assert np.array_equal(mask, seen(stored, orientation))
        expected = seen(np.repeat(pixels[:, :, :1], 3, 2) if bands == 1 else pixels[:, :, :3], orientation)
        assert np.array_equal(read_image(path), expected)
        assert read_header(path).size == mask.shape[:2]


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA", "I;16"])
def test_tiff_of_any_compression(compression: str, mode: str, tmp_path: Path) -> None:
    picture = (
        Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(COLOURS).convert(mode)
    )
    picture.save(tmp_path / "a.tif", compression=compression)
    stored = np.asarray(picture)
    mask = read_mask(tmp_path / "a.tif")
    assert np.array_equal(mask if mask.ndim == 2 else np.dstack([mask[:, :, :3][:, :, ::-1], mask[:, :, 3:]])
                          if mask.shape[2] > 2 else mask, stored)  # fmt: skip
    seen_as = RAMP if mode == "I;16" else np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_image(tmp_path / "a.tif"), seen_as if seen_as.ndim == 3 else np.dstack([RAMP] * 3))


def test_tiff_of_few_bits_and_white_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "white.tif", 255 - RAMP, photometric="miniswhite")
    assert np.array_equal(read_mask(tmp_path / "white.tif"), RAMP)
    assert np.array_equal(read_image(tmp_path / "white.tif")[:, :, 0], RAMP)
    for compression in ("group3", "group4"):
        Image.fromarray(RAMP > 99).save(tmp_path / "fax.tif", compression=compression)
        assert np.array_equal(read_mask(tmp_path / "fax.tif"), RAMP > 99)


def test_a_jpeg_in_a_tiff(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - COLOURS).mean() < 6
    assert read_header(tmp_path / "a.tif").lossy


def test_copies_of_lower_resolution_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(COLOURS, photometric="rgb")
        file.write(np.ascontiguousarray(COLOURS[::2, ::2]), photometric="rgb", subfiletype=1)
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOURS)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
def test_an_image_of_more_bits_keeps_the_upper_ones_that_are_filled(bits: int, suffix: str, tmp_path: Path) -> None:
    values = np.linspace(0, (1 << bits) - 1, 24 * 32).astype(np.uint16).reshape(24, 32)
    if suffix == "jp2":
        Image.fromarray(values).save(tmp_path / "a.jp2")
    else:
        assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), values)
    assert np.array_equal(read_mask(tmp_path / f"a.{suffix}"), values)
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}")[:, :, 2], values >> (bits - 8))


def test_a_16_bit_colour_png_with_12_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), COLOURS[:, :, ::-1].astype(np.uint16) << 4 | 5)
    assert np.array_equal(read_image(tmp_path / "a.png"), COLOURS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_images(dtype: Any, tmp_path: Path) -> None:
    for name, values in (("unit", COLOURS / 255), ("bytes", COLOURS.astype(float))):
        tifffile.imwrite(tmp_path / f"{name}.tif", values.astype(dtype), photometric="rgb")
        assert np.array_equal(read_image(tmp_path / f"{name}.tif"), COLOURS)


UNKNOWN_BRIGHTNESS: dict[str, Any] = {
    "negative": np.int16([[-1, 5]]),
    "over 16 bits": np.uint32([[0, 70000]]),
    "float over 255": np.float32([[0, 300]]),
    "float below 0": np.float32([[-0.1, 1]]),
    "NaN": np.float32([[0, np.nan]]),
    "infinity": np.float64([[0, np.inf]]),
}


@pytest.mark.parametrize("kind", UNKNOWN_BRIGHTNESS)
def test_an_image_of_unknown_brightness_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, UNKNOWN_BRIGHTNESS[kind])
    with pytest.raises(DatasetError, match=f"^{path}: contains .* and their scale is unknown; save it as"):
        read_image(path)


def several_pages(path: Path) -> None:
    frames = [Image.fromarray(np.roll(COLOURS, i, 1)) for i in range(3)]
    options: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)


REFUSED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "two bands too many": (
        "tif",
        lambda p: tifffile.imwrite(p, np.zeros((24, 32, 5), np.uint8), planarconfig="contig", photometric="minisblack"),
        "has 5 bands",
    ),
    "twelve planes": (
        "tif",
        lambda p: tifffile.imwrite(
            p, np.zeros((12, 24, 32), np.uint16), planarconfig="separate", photometric="minisblack"
        ),
        "has 12 bands",
    ),
    "CMYK": ("tif", lambda p: Image.new("CMYK", (32, 24)).save(p), "of colour space SEPARATED, which is not supported"),
    "Lab": ("tif", lambda p: Image.new("LAB", (32, 24)).save(p), "of colour space CIELAB, which is not supported"),
    "complex": ("tif", lambda p: tifffile.imwrite(p, np.zeros((24, 32), np.complex64)), "unsupported number type"),
    "pages": ("tif", several_pages, "contains 3 pictures"),
    "animated GIF": ("gif", several_pages, "contains 3 pictures"),
    "animated PNG": ("png", several_pages, "contains 3 pictures"),
    "animated WebP": ("webp", several_pages, "contains 3 pictures"),
    "TGA called PNG": ("png", lambda p: Image.fromarray(COLOURS).save(p, "ICO"), "has the format ICO, which is not"),
    "AVIF called JPEG": (
        "jpg",
        lambda p: Image.fromarray(COLOURS).save(p, "AVIF"),
        "has the format AVIF, which is not",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_check_and_bench_name_what_is_not_read(kind: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    suffix, write, reason = REFUSED[kind]
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / f"{folder}.{suffix}")
    save("masks/images.png", object_mask)
    save("images/masks.png")
    dataset = load_dataset(f"folder:{tmp_path}")
    told = list(dataset.check_files())
    assert len(told) == 2
    assert all(
        reason in fault and f"{folder}.{suffix}: " in fault
        for fault, folder in zip(told, ("images", "masks"), strict=True)
    )
    assert [inspect(dataset[i]).fault for i in range(2)] == told


READ = ["jpg", "JPEG", "jpe", "jfif", "png", "bmp", "dib", "tif", "tiff", "webp", "gif", "jp2", "j2k", "ppm", "pnm"]


@pytest.mark.parametrize("suffix", [*READ, "pgm", "pbm"])
def test_every_kind_that_is_read(suffix: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    mask = Image.fromarray(object_mask) if suffix == "pbm" else Image.fromarray(object_mask.astype(np.uint8) * 255)
    formats = {"jfif": "JPEG", "jpe": "JPEG", "j2k": "JPEG2000", "pnm": "PPM"}
    options = {"format": formats[suffix]} if suffix in formats else {}
    if suffix in ("jpg", "JPEG", "jpe", "jfif"):
        options["quality"] = 95
    save(f"images/a.{suffix}", mask if suffix in ("pbm", "pgm") else mask.convert("RGB"), **options)
    save(f"masks/a.{suffix}", mask, **options)
    dataset = load_dataset(f"folder:{tmp_path}")
    assert list(dataset.check_files()) == []
    assert inspect(dataset[0]).fault is None
    assert np.array_equal(dataset[0].read_target().object, object_mask)
    assert np.array_equal(dataset[0].read_image()[:, :, 0] > 128, object_mask)


@pytest.mark.parametrize("name", ["a.npy", "a.json", "a.gz", "a.exr", "a.xyz", "a.heic", "a", "a.txt"])
def test_a_mask_of_a_kind_that_is_not_read_is_named(name: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("a", "b"):
        save(f"images/{stem}.png")
    save("masks/b.png", object_mask)
    save("masks/b.json", object_mask, format="PNG")  # beside a mask: not meant
    (tmp_path / "masks" / name).write_bytes(b"values")
    kind = Path(name).suffix or "no suffix"
    dataset = load_dataset(f"folder:{tmp_path}")
    fault = f"{tmp_path / 'masks'}: {name} is of an unsupported kind ({kind}); supported are {picture_file.READ}"
    assert [sample.id for sample in dataset] == ["a", "b"]
    assert list(dataset.check_files()) == [fault]
    assert inspect(dataset[0]).fault == fault


def test_pictures_of_other_kinds_are_never_overlooked(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for name in ("a.png", "raw.jpg"):
        save(f"images/{name}")
    for name in ("a.png", "a__2.png", "raw.png", "only.png"):
        save(f"masks/{name}", object_mask)
    for name in ("images/phone.heic", "images/raw.dng", "images/only.heic", "images/notes.txt", "masks/a__3.npy"):
        (tmp_path / name).write_bytes(b"?")
    dataset = load_dataset(f"folder:{tmp_path}")
    found = {sample.id: inspect(sample).fault for sample in dataset}
    assert {id for id, fault in found.items() if fault is None} == {"a", "a__2", "raw"}
    for id, name in (("phone", "phone.heic"), ("only", "only.heic"), ("a__3", "a__3.npy")):
        assert f"{name} is of an unsupported kind" in str(found[id])
    assert len(found) == 6


def test_a_folder_of_nothing_but_other_kinds_says_so(tmp_path: Path) -> None:
    for name in ("images/a.heic", "masks/a.npy"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"?")
    with pytest.raises(
        DatasetError, match=r"a\.heic is of an unsupported kind \(\.heic\)(.|\n)*a\.npy is of an unsupported kind"
    ):
        load_dataset(f"folder:{tmp_path}")


def huge_png(path: Path, rows: int, columns: int, *, palette: bool) -> None:
    """A picture of few bytes: rows of one index, all of them alike."""
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3 if palette else 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = b"\0" + b"\1" * columns
    content = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    colours = chunk(b"PLTE", bytes([0, 0, 0, 128, 0, 0])) if palette else b""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + colours + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    )


def test_a_palette_mask_over_pillows_limit_is_read_by_index(tmp_path: Path) -> None:
    """200 megapixels: Pillow refuses from 179 on, and OpenCV gives colours."""
    path = tmp_path / "a.png"
    huge_png(path, 12_500, 16_000, palette=True)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    assert read_header(path).size == (12_500, 16_000)
    mask = read_mask(path)
    assert mask.shape == (12_500, 16_000)
    assert mask.min() == mask.max() == 1


def test_our_limit_holds_for_check_and_bench(
    save: Save, object_mask: Mask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("images/a.png")
    save("masks/a.png", object_mask)
    save("masks/b.tif", object_mask)
    save("images/b.jpg")
    monkeypatch.setattr(picture_file, "MAX_PIXELS", 24 * 32 - 1)
    dataset = load_dataset(f"folder:{tmp_path}")
    told = list(dataset.check_files())
    assert len(told) == 4
    assert all(
        "has 24x32 (rows x columns) pixels, but iiszoo reads at most 767; scale it down" in fault for fault in told
    )
    for i in range(2):
        assert str(inspect(dataset[i]).fault).count("reads at most 767") == 2


def test_pillows_own_limit_stays_what_it_was(save: Save) -> None:
    path, before = save("images/a.png"), Image.MAX_IMAGE_PIXELS
    read_image(path)
    assert before == Image.MAX_IMAGE_PIXELS
    assert before is not None


@pytest.mark.parametrize(
    ("case", "faults"),
    [
        ("5-band-tiff", ["has 5 bands"]),
        ("label-map-149", ["contains several object values (20, 130)"]),
        ("nfd-nfc", []),
        ("red-128", []),
        ("tiff-orientation", []),
        ("void-255", []),
    ],
)
def test_the_cases_that_were_reported(case: str, faults: list[str], shared: Path) -> None:
    dataset = load_dataset(f"folder:{shared / 'cases' / f'folder-{case}'}")
    told = list(dataset.check_files())
    assert len(told) == len(faults)
    assert all(fault in found for fault, found in zip(faults, told, strict=True))
    if faults:
        with pytest.raises(DatasetError):
            survey_for_run(dataset, None, False, lambda *_: None)
        return
    assert survey_for_run(dataset, None, False, lambda *_: None).broken == {}
    for i in range(len(dataset)):
        share = dataset[i].read_target().object.mean()
        assert 0 < share < 0.5, "the object, not what is around it"
        assert (dataset[i].read_target().ignore is not None) == (case == "void-255")
