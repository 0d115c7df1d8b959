"""Images and masks whose names are composed otherwise, or are bytes that are not UTF-8."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.initial_masks import with_initial
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.dataset_check import survey, survey_for_run
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]

NFC, NFD = "caf\u00e9", "cafe\u0301"
ODD = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("image", [NFC, NFD])
@pytest.mark.parametrize("mask", [NFC, NFD])
def test_names_pair_however_their_accents_are_composed(
    image: str, mask: str, save: Save, object_mask: Mask, tmp_path: Path
) -> None:
    save(f"images/{image}.jpg")
    for suffix in ("", "__tasse"):
        save(f"masks/{mask}{suffix}.png", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    assert [sample.id for sample in dataset] == [NFC, f"{NFC}__tasse"]
    assert by_image(dataset) == [[0, 1]]
    assert survey_for_run(dataset, None, False, lambda *_: None).broken == {}


def test_the_fingerprint_does_not_depend_on_composition(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    prints = set()
    for i, name in enumerate((NFC, NFD)):
        save(f"{i}/images/{name}.jpg")
        save(f"{i}/masks/{name}.png", object_mask)
        prints.add(survey(load_dataset(f"folder:{tmp_path / str(i)}"), None, lambda *_: None).fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize("where", ["images", "masks"])
def test_two_files_that_look_alike_are_reported(where: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        save(f"{folder}/{NFC}.png", object_mask)
    save(f"{where}/{NFD}.png", object_mask)
    save("images/b.png")
    save("masks/b.png", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    told = list(dataset.check_files())
    assert told == [
        rf"{tmp_path / where}: 'cafe\u0301.png' and 'caf\xe9.png' differ only in how accents are composed; keep one"
    ]
    assert {sample.id: inspect(sample).fault for sample in dataset} == {"b": None, NFC: told[0]}


def test_initial_masks_are_found_however_composed(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for name in (NFC, ODD):
        save(f"own/images/{name}.png")
        save(f"own/masks/{name}.png", object_mask)
    save(f"flawed{ODD}/{NFD}.png", object_mask)
    save(f"flawed{ODD}/{ODD}.png", object_mask)
    name = with_initial(f"folder:{tmp_path / 'own'}", f"masks:{tmp_path}/flawed{ODD}")
    name.encode("utf-8")
    dataset = load_dataset(name)
    assert survey_for_run(dataset, None, False, lambda *_: None).broken == {}
    assert dataset.name == name


def test_names_that_are_not_utf8(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"d\xefr")
    for stem in (ODD, "caf%E9"):
        save(f"{place.name}/images/{stem}.png")
        save(f"{place.name}/masks/{stem}.png", object_mask)
    dataset = load_dataset(f"folder:{place}")
    assert dataset.place == place
    assert dataset.name == f"folder:{tmp_path}/d%EFr"
    assert [sample.id for sample in dataset] == ["caf%25E9", "caf%E9"]
    assert load_dataset(dataset.name).place == place
    assert len(dataset.stamp()) == 64
    assert survey(dataset, None, lambda *_: None).broken == {}
    (place / "masks" / f"{ODD}.png").write_bytes(b"torn")
    broken = survey(dataset, None, lambda *_: None).broken
    assert broken == {
        "caf%E9": f"{tmp_path}/d%EFr/masks/caf%E9.png: cannot be decoded as an image (empty, damaged, or not an image)"
    }
    each = load_dataset(f"{dataset.name}?objects=values")
    assert [sample.id for sample in each] == ["caf%25E9__255", "caf%E9"]
