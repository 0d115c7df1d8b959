"""What a file is, by its bytes: weights of the format that its name states, or something else.

Many weights files have no published hash. What a dead link, a quota, a clone without git-lfs or a cut connection leaves
in their place is recognised here, before it is loaded as weights.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

Weights = Literal["torch", "safetensors", "onnx"]
Family = Weights | Literal["placeholder", "text"]

_HEAD = 4096  # bytes that are examined
_TORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The beginning of a file that `torch.save` wrote before zip archives: torch's magic number, pickled."""

_WANTED: dict[str, Weights] = {
    ".pth": "torch",
    ".pt": "torch",
    ".ckpt": "torch",
    ".safetensors": "safetensors",
    ".onnx": "onnx",
}
_TEXTS = {".json", ".txt", ".yaml", ".yml", ".toml", ".csv", ".xml", ".py", ".md"}
_NAMES: dict[Weights, str] = {"torch": "a PyTorch file", "safetensors": "a safetensors file", "onnx": "an ONNX model"}
_UNPACK = "unpack it, and give the file inside"
_ITSELF = "download the file itself, in a browser if necessary"
_EXPORT = "give a file that torch.save wrote, with the network's state_dict()"

_SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes it", _EXPORT),
    (b"\x93NUMPY", "a numpy array", _EXPORT),
    (b"GGUF", "a GGUF file", _EXPORT),
    (b"%PDF-", "a PDF document", _ITSELF),
    (b"\x89PNG", "a picture", _ITSELF),
    (b"\xff\xd8\xff", "a picture", _ITSELF),
    (b"\x7fELF", "a program", _ITSELF),
    (b"PK\x05\x06", "an empty zip archive", _ITSELF),
)


@dataclass(frozen=True)
class Format:
    """What a file is.

    `name`: in words, with an article. `family`: the format of weights, "text", or "placeholder" for something in a
    file's place; None for anything else. `way_out`: what to do about a file that is not weights. `whole`: whether the
    bytes show that nothing is missing at the end (None: they do not show it).
    """

    name: str
    family: Family | None = None
    way_out: str = ""
    whole: bool | None = None


def format_of(file: Path) -> Format:
    """What a file is, by its first bytes and, for a format that has one, its index. Raises OSError."""
    with open(file, "rb") as opened:
        head = opened.read(_HEAD)
    size = file.stat().st_size
    if not head:
        return Format("empty", "placeholder", "get it again")
    for start, name, way_out in _SIGNATURES:
        if head.startswith(start):
            return Format(name, way_out=way_out)
    if head.startswith(b"PK\x03\x04"):
        return _zip(file)
    if head.startswith(_TORCH_LEGACY):
        return Format("a PyTorch file", "torch")
    if re.match(rb"\x80[\x01-\x05]", head):
        return Format("a pickle that torch.save did not write", way_out=_EXPORT)
    if head[257:262] == b"ustar":
        return Format("a tar archive", way_out=_UNPACK)
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 2 <= length <= 100_000_000:  # the length of the index, as the format limits it
        return _safetensors(file, length, size)
    if re.match(rb"\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42]", head):  # ir_version, and another field of ModelProto
        return Format("an ONNX model", "onnx", _EXPORT)
    return _text(head) or Format("of an unknown kind", way_out=_EXPORT)


def complaint(filename: str, file: Path, *, ended: bool = True) -> str | None:
    """Why `file` cannot be the weights (or the archive) called `filename`, which has no known hash; None if it may be.

    `ended`: whether the source stated the file's length; if not, a file whose bytes do not show it either is refused,
    because nobody would notice a missing half. Raises OSError.
    """
    suffix = PurePath(filename).suffix.lower()
    wanted = _WANTED.get(suffix)
    found = format_of(file)
    if wanted is not None and found.family != wanted:
        return f"it is {found.name}, not {_NAMES[wanted]}"
    if wanted is None and (found.family == "placeholder" or (found.family == "text" and suffix not in _TEXTS)):
        return f"it is {found.name}, not the file"
    if wanted is not None and found.whole is False:  # an archive is checked further when it is unpacked
        return f"it is {found.name} that is cut off or damaged"
    if wanted is not None and not ended and found.whole is None:
        return "the server does not state the file's length, so a truncated download would go unnoticed"
    return None


def placeholder(file: Path) -> str | None:
    """What is in a file's place, in words (a web page, ...); None if it may be the file. Raises OSError."""
    found = format_of(file)
    return found.name if found.family in ("placeholder", "text") else None


def _text(head: bytes) -> Format | None:
    """The kind of text; None for bytes that are not text."""
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"version https?://(git-lfs|git-media|hawser)\b", plain):
        return Format(
            "a git-lfs pointer", "placeholder", "run `git lfs pull` in the clone that it comes from, or " + _ITSELF
        )
    if re.match(rb"(?i)<(!doctype html|html|head|body|title|script|meta|center|h1|p|div|pre|table|!--)", plain):
        return Format("a web page", "placeholder", _ITSELF)
    if re.match(rb"<[?!a-zA-Z]", plain):
        return Format("an XML document", "text", _ITSELF)
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        # a character may be cut in two at the end of what was read
        text = head.decode(encoding) if len(head) < _HEAD else head[:-4].decode(encoding, "ignore")
    except UnicodeDecodeError:
        return None
    if encoding == "utf-8" and text.encode() != head[: len(text.encode())]:
        return None
    if any(not (letter.isprintable() or letter in "\t\r\n\f\ufeff") for letter in text):
        return None
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped[:1] in ("{", "["):
        return Format("JSON text", "text", _ITSELF)
    return Format(f"plain text ({' '.join(stripped.split())[:60]!r})", "text", _ITSELF)


def _zip(file: Path) -> Format:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, IndexError):
        return Format("a PyTorch file", "torch", "get it again", whole=False)
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        return Format("a TorchScript archive", way_out=_EXPORT)
    if "data.pkl" in inside:
        return Format("a PyTorch file", "torch", whole=True)
    if names and all(name.endswith(".npy") for name in names):
        return Format("a numpy archive (.npz)", way_out=_EXPORT)
    return Format("a zip archive without a checkpoint's data.pkl", way_out=_UNPACK)


def _safetensors(file: Path, length: int, size: int) -> Format:
    """The index states where the last tensor ends, which is where the file ends."""
    import json

    if size < 8 + length:
        return Format("a safetensors file", "safetensors", "get it again", whole=False)
    try:
        with open(file, "rb") as opened:
            opened.seek(8)
            index = json.loads(opened.read(length))
        ends = [entry["data_offsets"][1] for name, entry in index.items() if name != "__metadata__"]
        whole = 8 + length + max(ends, default=0) == size
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        whole = False
    return Format("a safetensors file", "safetensors", "get it again", whole=whole)
