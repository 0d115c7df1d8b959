"""Checks of a dataset's samples: their names, and what they read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from iiszoo.data.base import Sample
from iiszoo.data.inspection import inspect
from iiszoo.errors import few, with_place
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.dataset_subject import DatasetSubject, Digests, digests_of


@check(
    "dataset[i], dataset[-1], slices and iteration give the same samples, and nothing lies beyond the last",
    catches="an index of its own that knows no negative numbers or slices; a length that counts images, not objects",
    look="__len__, sample and __getitem__",
    after=("loads",),
    of=("dataset",),
)
def indexing(subject: DatasetSubject) -> None:
    dataset = subject.dataset
    n, ids = len(dataset), [sample.id for sample in dataset]
    if len(ids) != n:
        raise Broken(f"len() is {n}, and iteration gives {len(ids)}")
    for name, found, expected in (
        ("dataset[0]", [dataset[0].id], ids[:1]),
        ("dataset[-1]", [dataset[-1].id], ids[-1:]),
        ("dataset[:2]", [sample.id for sample in dataset[:2]], ids[:2]),
    ):
        if found != expected:
            raise Broken(f"{name} is {few(found)}, and iteration gives {few(expected)}")
    try:
        dataset[n]
    except IndexError:
        return
    raise Broken(f"dataset[{n}] of {n} samples raises no IndexError")


@check(
    "each sample has an id of its own, not empty, and the same whenever the dataset is loaded",
    catches="file names without their folder, or numbers that depend on the order of os.listdir: results that mix "
    "samples up, and runs that cannot go on",
    look="what ids are made of",
    after=("loads",),
    of=("dataset",),
)
def sample_ids(subject: DatasetSubject) -> None:
    ids = [sample.id for sample in subject.dataset]
    wrong = next((id for id in ids if not isinstance(id, str) or not id.strip()), None)
    if wrong is not None:
        raise Broken(f"one is {wrong!r}")
    twice = [id for id, n in Counter(ids).items() if n > 1]
    if twice:
        raise Broken(f"several samples are called {few([repr(id) for id in twice])}")
    if [sample.id for sample in subject.again()] != ids:
        raise Broken("loaded again it has other ids, or another order")


@check(
    "read_image gives uint8 (H, W, 3), and image_file, if stated, is a file",
    catches="grey images, an alpha channel, floats in [0, 1]; axes as torch has them",
    look="read_image; `iiszoo.data.base.PairedFiles` reads files right",
    after=("loads",),
    of=("dataset",),
)
def image_format(subject: DatasetSubject) -> None:
    for sample in subject.samples:
        image = sample.read_image()
        if not _is(image, np.uint8) or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise Broken(f"sample {sample.id!r} gives {_described(image)}")
        if sample.image_file is not None and not sample.image_file.is_file():
            raise Broken(f"image_file of sample {sample.id!r} is no file: {sample.image_file}")


@check(
    "read_target gives Target(object, ignore), bool (H, W) of the image's size, with something to click on",
    catches="masks of 0 and 255; a mask scaled to another size; one without object, or entirely ignored",
    look="read_target, and what the mask's values mean",
    after=("image_format",),
    of=("dataset",),
)
def target_format(subject: DatasetSubject) -> None:
    for sample in subject.samples:
        target = sample.read_target()
        if not isinstance(target, tuple) or len(target) != 2:
            raise Broken(f"sample {sample.id!r} gives {_described(target)}")
        object, ignore = target
        masks = {"object": object} if ignore is None else {"object": object, "ignore": ignore}
        for name, mask in masks.items():
            if not _is(mask, np.bool_) or mask.ndim != 2:
                raise Broken(f"{name} of sample {sample.id!r} is {_described(mask)}")
        if ignore is not None and ignore.shape != object.shape:
            raise Broken(f"ignore of sample {sample.id!r} is {ignore.shape}, and object {object.shape}")
        fault = inspect(sample).fault
        if fault:
            raise Broken(f"sample {sample.id!r} has a fault ({fault})")


@check(
    "read_initial_mask gives None, or bool or float32 in [0, 1], (H, W) of the image's size",
    catches="masks of 0 and 255; float64; logits",
    look="read_initial_mask",
    after=("image_format",),
    of=("dataset",),
)
def initial_mask_format(subject: DatasetSubject) -> None:
    masks = [(sample, sample.read_initial_mask()) for sample in subject.samples]
    for sample, mask in masks:
        if mask is None:
            continue
        if not (_is(mask, np.bool_) or _is(mask, np.float32)) or mask.ndim != 2:
            raise Broken(f"sample {sample.id!r} gives {_described(mask)}")
        if mask.shape != sample.read_image().shape[:2]:
            raise Broken(f"sample {sample.id!r} gives {mask.shape} for an image {sample.read_image().shape[:2]}")
        if not (mask.min() >= 0 and mask.max() <= 1):  # NaN too
            raise Broken(f"sample {sample.id!r} gives values in [{mask.min():g}, {mask.max():g}]")
    if all(mask is None for _, mask in masks):
        raise NotApplicable("its sessions start from nothing")


@check(
    "a sample reads the same again, whatever was done to the arrays of the first time",
    catches="noise without a seed; one array kept and given to everybody, so that who changes it changes the dataset",
    look="what read_image, read_target and read_initial_mask keep, and what they draw at random",
    after=("target_format",),
    of=("dataset",),
)
def repeatable(subject: DatasetSubject) -> None:
    for sample, before in zip(subject.samples, subject.digests, strict=True):
        given: list[Any] = [sample.read_image(), *sample.read_target(), sample.read_initial_mask()]
        for array in given:
            if array is not None and array.flags.writeable:
                array[...] = ~array if array.dtype == np.bool_ else 1 - array
        compare(sample, before, digests_of(sample), "read again")


@check(
    "samples of one image_id give the same image",
    catches="an image_id that says less than the image: the harness encodes one image and uses it for another",
    look="what image_id is made of, and crops that it does not name",
    after=("image_format",),
    of=("dataset",),
)
def shared_images(subject: DatasetSubject) -> None:
    first: dict[str, tuple[Sample, Digests]] = {}
    for sample, seen in zip(subject.samples, subject.digests, strict=True):
        other, seen_first = first.setdefault(sample.image_id, (sample, seen))
        if seen.image != seen_first.image:
            raise Broken(f"{sample.image_id!r} gives one image for {other.id!r} and another for {sample.id!r}")
    if len(first) == len(subject.samples):
        raise NotApplicable("no two samples share an image")


@check(
    "check_files gives one sentence for each faulty file, and stamp a text",
    catches="check_files that raises at the first fault, or returns a list of paths",
    look="check_files and stamp",
    after=("loads",),
    of=("dataset",),
)
def file_checks(subject: DatasetSubject) -> None:
    try:
        faults = list(subject.dataset.check_files())
    except Exception as error:
        raise Broken(f"check_files raised {with_place(error)}") from error
    for fault in faults:
        if not isinstance(fault, str) or not fault.strip():
            raise Broken(f"check_files gives {fault!r}")
    if not isinstance(subject.dataset.stamp(), str):
        raise Broken(f"stamp gives {subject.dataset.stamp()!r}")


def compare(sample: Sample, before: Digests, after: Digests, which: str) -> None:
    """The two hashes of a sample agree."""
    for name, one, other in zip(("image", "target", "initial mask"), before, after, strict=True):
        if one != other:
            raise Broken(f"the {name} of sample {sample.id!r}, {which}, has other pixels")


def _is(array: Any, kind: type) -> bool:
    return isinstance(array, np.ndarray) and array.dtype == kind


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return f"something of type {type(value).__name__}"
