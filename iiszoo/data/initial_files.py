"""`initial=masks:DIR`: initial masks, as files.

A file is named after its sample's id, which may have directories (`bear/object1_00009.png`), or after the stem of its
image: `STEM`, or `STEM__K` for the Kth of the image's samples, from 1. All files of DIR follow one of the two rules:
the one that gives more samples a mask, ids if they are equal. Files that belong to no sample are ignored.

Pictures are read like the masks of one object in `folder:DIR`; `.npy` files contain probabilities (`probability_file`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data import file_checks
from iiszoo.data.base import EvaluationDataset, Sample, WrappedDataset
from iiszoo.data.picture_file import OTHER_SUFFIXES, READ, SUFFIXES
from iiszoo.data.probability_file import SUFFIX, probabilities_size, read_probabilities
from iiszoo.errors import DatasetError
from iiszoo.file_names import sample_name

if TYPE_CHECKING:
    from iiszoo.data.base import Mask, Probabilities


class StartsFromFiles(WrappedDataset):
    """Raises `DatasetError` if the directory has no mask for any sample."""

    def __init__(self, dataset: EvaluationDataset, name: str, directory: Path) -> None:
        super().__init__(dataset, name)
        self.directory = directory
        found = _files_by_name(directory)
        ids = [[sample.id] for sample in dataset]
        ways = [[_named(found, names) for names in way] for way in (ids, _names_by_image(dataset))]
        self._files = max(ways, key=lambda files: sum(map(bool, files)))
        """The files of each sample: one, if all is well."""
        if ids and not any(self._files):
            contents = f"it contains {', '.join(list(found)[:3])}, ..." if found else "it contains no masks"
            raise DatasetError(
                f"initial masks {directory}: none is named after a sample id of {dataset.name}, such as "
                f"{ids[0][0]}.png, or after an image's stem; "
                f"{contents if directory.is_dir() else 'there is no such directory'}"
            )

    def sample(self, i: int) -> Sample:
        sample = super().sample(i)
        files = (*sample.files, *map(str, self._files[i]))
        return replace(sample, files=files, read_initial_mask=partial(self._read, i, sample.id))

    def stamp(self) -> str:
        return f"{super().stamp()} {file_checks.stamp(path for files in self._files for path in files)}"

    def check_files(self) -> Iterator[str]:
        """The dataset's own faults, then initial masks that are missing or unreadable, by name."""
        yield from super().check_files()
        for i, sample in enumerate(self.dataset):
            try:
                path = self._file(i, sample.id)
                probabilities_size(path) if path.suffix.lower() == SUFFIX else file_checks.picture_size(path)
            except DatasetError as error:
                yield str(error)

    def _read(self, i: int, id: str) -> Mask | Probabilities:
        return read_mask_file(self._file(i, id))

    def _file(self, i: int, id: str) -> Path:
        files = self._files[i]
        if len(files) != 1:
            raise DatasetError(
                f"{self.directory}: sample {id!r} has "
                + (f"several initial masks: {', '.join(path.name for path in files)}" if files else "no initial mask")
            )
        if files[0].suffix.lower() in OTHER_SUFFIXES - {SUFFIX}:
            raise DatasetError(f"{files[0]}: is of an unsupported kind; supported are {READ}, and .npy (probabilities)")
        return files[0]


def read_mask_file(path: Path) -> Mask | Probabilities:
    """One initial mask: bool `(H, W)`, or float32 `(H, W)` of a `.npy` file. Raises `DatasetError` naming the file."""
    from iiszoo.data.datasets.folder import one_object

    if path.suffix.lower() == SUFFIX:
        return read_probabilities(path)
    return one_object(path, "an initial mask has one").object


def _files_by_name(directory: Path) -> dict[str, list[Path]]:
    """The files by path from `directory` without suffix; unsupported kinds only if no other file has the name."""
    found: dict[bool, dict[str, list[Path]]] = {True: {}, False: {}}
    for path in sorted(directory.rglob("*")):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or suffix not in SUFFIXES | OTHER_SUFFIXES or not path.is_file():
            continue
        name = sample_name(path.relative_to(directory).with_suffix("").as_posix())
        found[suffix in SUFFIXES or suffix == SUFFIX].setdefault(name, []).append(path)
    return {**found[False], **found[True]}


def _named(found: dict[str, list[Path]], names: Sequence[str]) -> list[Path]:
    return [path for name in names for path in found.get(name, [])]


def _names_by_image(dataset: EvaluationDataset) -> list[list[str]]:
    """The possible names of each sample's mask after its image; none if two images share a stem."""
    images: dict[str, str] = {}
    groups: dict[str, list[int]] = {}
    owners: dict[str, set[str]] = {}
    for i, sample in enumerate(dataset):
        stem = sample_name(sample.image_id if sample.image_file is None else sample.image_file.stem)
        groups.setdefault(sample.image_id, []).append(i)
        images[sample.image_id] = stem
        owners.setdefault(stem, set()).add(sample.image_id)
    names: dict[int, list[str]] = {}
    for image, stem in images.items():
        for k, i in enumerate(groups[image], 1):
            alone = [stem] if len(groups[image]) == 1 else []
            names[i] = [*alone, f"{stem}__{k}"] if len(owners[stem]) == 1 else []
    return [names[i] for i in range(len(names))]
