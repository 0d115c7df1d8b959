"""Users' own files: which dataset's name reads a path, and what the annotation files in a folder are.

Standard library only, and a glance at each file: its first bytes, not its contents.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from iiszoo.file_names import escaped, unescaped

IMAGE_FOLDERS = frozenset((
    "images", "image", "imgs", "img", "jpegimages", "photos", "photo", "photographs", "pictures", "picture",
    "pics", "data", "datagt", "rgb", "inputs", "input"
))  # fmt: skip
MASK_FOLDERS = frozenset((
    "masks", "mask", "labels", "label", "annotations", "annotation", "gts", "gt", "groundtruths",
    "groundtruth", "segmentations", "segmentation", "segs", "seg", "segmentationobject",
    "segmentationobjectpng", "segmentationclass", "segmentationclasspng", "boundarygt", "targets", "target"
))  # fmt: skip
"""Usual names of the folders of images and of masks, as `folder_word` writes them."""

_FOR_PICTURES = MASK_FOLDERS - {"annotations", "annotation", "labels", "label"}
"""The names of folders of masks that are not as often those of other files."""

_OWN = "folder:DIR (images and masks), labelme:DIR, labels:DIR (label maps) or coco:FILE.json"

_GLANCE = 1 << 16
_MOST = 200
"""How many folders, and files of one kind in a folder, are looked at."""
_LABELME = re.compile(r'"(?:shapes|imageData|imagePath)"\s*:')
_COCO = re.compile(r'"(?:images|annotations|categories)"\s*:\s*\[')
_YOLO = re.compile(r"\s*\d+((?:\s+[-+.\deE]+){4,})\s*")
_PATH = re.compile(r"[.~]|[A-Za-z]:[/\\]|[^:]*[/\\]|[^:]*\.json", re.DOTALL | re.IGNORECASE)


def folder_word(name: str) -> str:
    """A folder's name, whatever its capitals and separators: `Ground_Truth` is `groundtruth`."""
    return re.sub(r"[\W_]", "", name.casefold())


def meant_by(dataset: str) -> str:
    """What was meant by a path in place of a dataset's name: a clause such as `did you mean folder:./my?`, "" if it is
    not a path.
    """
    head, mark, options = dataset.partition("?")
    written = unescaped(head)
    path = Path(written)
    try:
        path = path.expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError, RuntimeError):  # no permission, a name too long, a NUL, an unknown user's home
        is_folder = is_file = False
    if is_folder:
        name = _name_of(path, written)
        return f"did you mean {name}{f'{mark}{options}' if name.startswith('folder:') else ''}?"
    if is_file and path.suffix.lower() == ".json":
        in_folder = f"labelme:{escaped(Path(written).parent.as_posix(), '?')}"
        return f"did you mean {in_folder if json_format(path) == 'labelme' else f'coco:{head}'}?"
    if is_file or _PATH.match(written):
        what = "it is a file" if is_file else "there is no such file or directory"
        return f"{what}; datasets of your own files are {_OWN}"
    return ""


def other_annotations(place: Path, written: str) -> list[str]:
    """What the annotation files under a directory, `written` in a dataset's name, are if they are no pictures, and what
    reads them: a clause for each kind.
    """
    found: dict[str, str] = {}
    for folder in [place, *islice(_folders(place), _MOST)]:
        for path in _some(folder, ".json"):
            kind = json_format(path)
            if kind == "labelme":
                found.setdefault(kind, f"{path} is a labelme file; did you mean labelme:{escaped(written, '?')}?")
            elif kind == "coco":
                inner = (Path(written) / path.relative_to(place)).as_posix()
                found.setdefault(kind, f"{path} is a COCO file; did you mean coco:{escaped(inner, '?')}?")
        for path in _some(folder, ".txt"):
            if kind := _yolo(path):
                found.setdefault(
                    "yolo",
                    f"{path} has {kind} in YOLO's format, which iiszoo does not read; export "
                    "a COCO file with outlines, or masks",
                )
        for path in _some(folder, ".xml"):
            if "<annotation" in _glance(path):
                found.setdefault(
                    "xml",
                    f"{path} has annotations in XML (boxes of PASCAL VOC, or CVAT's), which iiszoo does not read; "
                    "export a COCO file with outlines, or masks",
                )
    return list(found.values())


def json_format(path: Path) -> str:
    """What a JSON file looks like: `labelme`, `coco`, or "" for anything else and what cannot be read."""
    start = _glance(path)
    if not start.lstrip().startswith("{"):
        return ""
    return "labelme" if _LABELME.search(start) else "coco" if _COCO.search(start) else ""


def _name_of(path: Path, written: str) -> str:
    """The name of the dataset that reads a directory."""
    found = children(path)
    folders = [folder_word(child.name) for child in found if child.is_dir()]
    if any(word in _FOR_PICTURES for word in folders):
        return f"folder:{escaped(written, '?')}"
    for clause in other_annotations(path, written):
        if named := re.search(r"did you mean (.*)\?", clause):
            return named[1]
    stems = {child.stem for child in found if child.is_file()}
    maps = {stem for stem in stems if re.fullmatch(r".*_\d+", stem) and stem.rpartition("_")[0] in stems}
    return f"{'labels' if maps else 'folder'}:{escaped(written, '?')}"


def children(folder: Path) -> list[Path]:
    """The visible files and folders in a folder, sorted; none if it cannot be listed."""
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError:
        return []


def _folders(place: Path) -> Iterator[Path]:
    """The visible folders under a directory, two levels deep."""
    level = [place]
    for _ in range(2):
        level = [child for folder in level for child in children(folder) if child.is_dir()]
        yield from level


def _some(folder: Path, suffix: str) -> list[Path]:
    """The first visible files of a kind."""
    return [path for path in children(folder) if path.suffix.lower() == suffix and path.is_file()][:_MOST]


def _glance(path: Path) -> str:
    """The start of a text file; "" if it cannot be read."""
    if not path.is_file():  # a pipe might never answer
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(_GLANCE)
    except OSError:
        return ""
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return start.decode("utf-16" if wide else "utf-8-sig", "ignore")


def _yolo(path: Path) -> str:
    """`outlines` or `boxes` if all lines of a text file are such; else ""."""
    lines = [line for line in _glance(path).splitlines()[:20] if line.strip()]
    found = [_YOLO.fullmatch(line) for line in lines]
    if not found or not all(found):
        return ""
    return "outlines" if any(each and len(each[1].split()) > 5 for each in found) else "boxes"
