"""What the page writes for others: images/, masks/, annotations.json and sessions.jsonl.

All of it follows from the logs: a program that was killed while it wrote repairs it at the next start. A file is either
the old one or the new one, never half of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.annotate import masks
from iiszoo.annotate.document import Object
from iiszoo.annotate.images import ImageFile
from iiszoo.annotate.masks import SavedMasks

_MOST_OBJECTS = 100_000
"""Ids of annotations are ID OF THE IMAGE * 100,000 + NUMBER OF THE OBJECT, so that they never change."""


class Output:
    """The output directory `out`; `saved` has the masks. Methods raise `OSError`."""

    def __init__(self, out: Path, saved: SavedMasks) -> None:
        self.out, self.saved = out, saved
        self._images: dict[int, dict[str, Any]] = {}
        self._annotations: dict[int, list[tuple[str, str]]] = {}
        self._sessions: dict[int, list[str]] = {}
        self._shapes = self._known_shapes()
        self._files: dict[str, set[str]] = {}
        for path in (out / "masks").glob("*__*.png"):
            self._files.setdefault(path.stem.rpartition("__")[0], set()).add(path.name)

    def put(self, image: ImageFile, objects: list[Object], sessions: list[dict[str, Any]]) -> None:
        """Take over the accepted objects of an image: their mask files now, the rest with the next `write`."""
        (self.out / "masks").mkdir(parents=True, exist_ok=True)
        wanted = {f"{image.stem}__{found.id}.png": found for found in objects}
        if objects:  # a mask without its image would be a fault of the dataset
            self._link(image)
        for name, found in wanted.items():
            assert found.mask is not None
            path, source = self.out / "masks" / name, self.saved.path(found.mask)
            if not (path.exists() and path.read_bytes() == source.read_bytes()):
                files.replace_durably(path, source.read_bytes())
        for name in self._files.pop(image.stem, set()) - wanted.keys():
            (self.out / "masks" / name).unlink(missing_ok=True)
        self._files[image.stem] = set(wanted)
        if not objects:
            (self.out / "images" / image.link).unlink(missing_ok=True)
        rows, cols = image.size
        self._images.pop(image.id, None)
        self._annotations[image.id] = []
        if objects:
            self._images[image.id] = {"id": image.id, "file_name": image.link, "height": rows, "width": cols}
            self._annotations[image.id] = [self._annotation(image, found) for found in objects]
        self._sessions[image.id] = [_json(line) for line in sessions]

    def write(self, labels: Iterable[str]) -> None:
        """Replace annotations.json and sessions.jsonl. The categories are `labels` in their order, from 1."""
        numbers = {label: number for number, label in enumerate(labels, 1)}
        annotations = [
            f'{begin[:-1]},"category_id":{numbers[label]}}}'
            for id in sorted(self._annotations)
            for label, begin in self._annotations[id]
        ]
        lists = {
            "info": _json({"description": "annotated with `iiszoo annotate`"}),
            "images": _json([self._images[id] for id in sorted(self._images)]),
            "categories": _json([{"id": number, "name": label} for label, number in numbers.items()]),
            "annotations": f"[{','.join(annotations)}]",  # not dumped again each time: there may be 10,000
        }
        text = ",\n".join(f'"{name}":{content}' for name, content in lists.items())
        files.replace_durably(self.out / "annotations.json", b"{%s}\n" % text.encode())
        lines = [line + "\n" for id in sorted(self._sessions) for line in self._sessions[id]]
        files.replace_durably(self.out / "sessions.jsonl", "".join(lines).encode())

    def _annotation(self, image: ImageFile, found: Object) -> tuple[str, str]:
        """The label, and the annotation as JSON, but for its `category_id`."""
        assert found.mask is not None
        if found.mask not in self._shapes:
            mask = self.saved.read(found.mask).mask()
            area, box = masks.area_and_box(mask)
            segmentation = {"size": list(mask.shape), "counts": masks.run_lengths(mask)}
            self._shapes[found.mask] = {"segmentation": segmentation, "area": area, "bbox": box}
        ids = {"id": image.id * _MOST_OBJECTS + found.id, "image_id": image.id, "iscrowd": 0}
        return found.label, _json({**ids, **self._shapes[found.mask], "mask_sha256": found.mask})

    def _known_shapes(self) -> dict[str, dict[str, Any]]:
        """From annotations.json as it was left, so that a start need not read every mask."""
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            found = json.loads((self.out / "annotations.json").read_bytes())
            keys = ("segmentation", "area", "bbox")
            return {entry["mask_sha256"]: {key: entry[key] for key in keys} for entry in found["annotations"]}
        return {}

    def _link(self, image: ImageFile) -> None:
        link = self.out / "images" / image.link
        if link.exists():
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # it led to where the image is no longer
        try:
            link.symlink_to(os.path.relpath(image.path.absolute(), link.parent.absolute()))
            if not link.exists():  # a link among the directories changes what .. means
                link.unlink()
                link.symlink_to(image.path.absolute())
        except (OSError, NotImplementedError):
            shutil.copyfile(image.path, link)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
