"""Where a dataset lies: the root that is given, the registered directory, IISZOO_DATA, the cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.cards import Archive
from iiszoo.data import roots
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.fixture
def berkeley(save: Save, object_mask: Mask, tmp_path: Path) -> Callable[[str], Path]:
    """`berkeley(DIR)` makes a Berkeley of one sample there."""

    def make(place: str) -> Path:
        save(f"{place}/images/1.jpg")
        save(f"{place}/masks/1.png", np.dstack([object_mask] * 3).astype(np.uint8) * 255)
        return tmp_path / place

    return make


def test_places_are_looked_at_in_order(
    berkeley: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cached = berkeley("cache/data/berkeley")
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "cache"))
    assert load_dataset("berkeley").place == cached
    shelf = berkeley("shelf/berkeley")
    monkeypatch.setenv("IISZOO_DATA", str(tmp_path / "shelf"))
    assert load_dataset("berkeley").place == shelf
    registered = berkeley("elsewhere/bsd")
    roots.register(registry().datasets.resolve("berkeley"), registered)
    assert load_dataset("berkeley").place == registered
    assert load_dataset("berkeley", root=shelf).place == shelf
    assert load_dataset("berkeley", root=tmp_path / "shelf").place == shelf, "a root may hold datasets by their ids"
    assert load_dataset("berkeley", root=str(shelf)).place == shelf


def test_a_given_root_is_the_only_place(
    berkeley: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    berkeley("shelf/berkeley")
    monkeypatch.setenv("IISZOO_DATA", str(tmp_path / "shelf"))
    with pytest.raises(DatasetError, match=f"dataset berkeley was not found: looked in {tmp_path}/typo"):
        load_dataset("berkeley", root=tmp_path / "typo")


def test_a_dataset_that_is_nowhere_says_what_is_expected_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_DATA", "/no/such/shelf")
    with pytest.raises(DatasetError) as error:
        load_dataset("grabcut")
    message = str(error.value)
    for part in (
        "dataset grabcut was not found: looked in /no/such/shelf/grabcut (no such directory), ",
        f"{os.path.join(os.environ['IISZOO_CACHE'], 'data', 'grabcut')} (no such directory) for data_GT/NAME.*",
        "data_GT/NAME.* (images), boundary_GT/NAME.* (masks",
        "--root DIR",
        "`iiszoo data add grabcut DIR`",
    ):
        assert part in message


def test_a_wrong_layout_says_so(berkeley: Callable[[str], Path]) -> None:
    with pytest.raises(DatasetError, match=r"dataset grabcut has another layout: looked in .* for data_GT/"):
        load_dataset("grabcut", root=berkeley("set"))


def test_what_each_place_lacks_is_told(save: Save, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save("shelf/grabcut/data_GT/a.png")
    (tmp_path / "registered").mkdir()
    card = registry().datasets.resolve("grabcut")
    roots.register(card, tmp_path / "registered")
    monkeypatch.setenv("IISZOO_DATA", str(tmp_path / "shelf"))
    with pytest.raises(roots.NotFound) as error:
        load_dataset("grabcut")
    cached = Path(os.environ["IISZOO_CACHE"]) / "data" / "grabcut"
    assert error.value.lacking == {
        tmp_path / "registered": ["data_GT", "boundary_GT"],
        tmp_path / "shelf" / "grabcut": ["boundary_GT"],
        cached: None,
    }
    assert f"{tmp_path}/registered (lacks data_GT and boundary_GT), {tmp_path}/shelf/grabcut (lacks boundary_GT), " in (
        str(error.value)
    )


def test_what_can_be_fetched_is_said_to_be() -> None:
    card = registry().datasets.resolve("berkeley")
    fetchable = replace(card, archives=(Archive("Berkeley.zip", ("https://berkeley.invalid/Berkeley.zip",)),))
    for each, expected in ((fetchable, True), (replace(card, archives=()), False)):
        with pytest.raises(roots.NotFound) as error:
            roots.find(each, None, "images", "masks")
        assert ("fetch it with `iiszoo data get berkeley`, or give" in str(error.value)) is expected


def test_a_shared_directory_is_looked_for_under_either_id(
    berkeley: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = registry().datasets.resolve("berkeley")
    part = replace(whole, id="berkeley-part", shares_root="berkeley")
    monkeypatch.setenv("IISZOO_DATA", str(tmp_path / "shelf"))
    shared = berkeley("shelf/berkeley")
    assert roots.find(part, None, "images") == roots.find(part, tmp_path / "shelf", "images") == shared
    own = berkeley("shelf/berkeley-part")
    assert roots.find(part, None, "images") == own
    registered = berkeley("registered")
    roots.register(part, registered)
    assert roots.find(whole, None, "images") == roots.find(part, None, "images") == registered
    assert roots.cached(part) == roots.cached(whole)


def test_registering_keeps_what_was_registered(berkeley: Callable[[str], Path], tmp_path: Path) -> None:
    datasets = registry().datasets
    assert roots.registered() == {}
    roots.register(datasets.resolve("berkeley"), berkeley("first"))
    roots.register(datasets.resolve("grabcut"), tmp_path)
    roots.register(datasets.resolve("berkeley"), berkeley("second"))
    assert roots.registered() == {"berkeley": str(tmp_path / "second"), "grabcut": str(tmp_path)}


@pytest.mark.parametrize("content", ['{"berkeley": ', '["berkeley"]', "null"])
def test_a_damaged_register_is_named(content: str) -> None:
    register = Path(os.environ["IISZOO_CONFIG"]) / "datasets.json"
    register.parent.mkdir(parents=True)
    register.write_text(content)
    with pytest.raises(DatasetError, match=r"datasets\.json"):
        load_dataset("berkeley")


@pytest.mark.parametrize(
    "content",
    [
        b'{"berkeley": 3}',
        b'{"berkeley": null}',
        b'{"berkeley": ["/data"]}',
        b'{"berkeley": {"path": "/data"}}',
        b'{"other": true, "berkeley": "/data"}',
        b'{"berkeley": ""}',
        b'{"berkeley": "a\\u0000b"}',
        b"\xff\xfe",
        b"3",
        b"[" * 100_000,
        b'{"berkeley": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_register_of_another_shape_is_named_with_the_way_out(content: bytes) -> None:
    register = Path(os.environ["IISZOO_CONFIG"]) / "datasets.json"
    register.parent.mkdir(parents=True)
    register.write_bytes(content)
    for use in (load_dataset, lambda id: roots.register(registry().datasets.resolve(id), Path("/data"))):
        with pytest.raises(DatasetError, match=r"datasets\.json.*fix or delete it") as raised:
            use("berkeley")
        assert len(str(raised.value)) < 500
    assert register.read_bytes() == content


def test_a_register_that_is_not_a_file_is_named_and_does_not_hang() -> None:
    register = Path(os.environ["IISZOO_CONFIG"]) / "datasets.json"
    register.parent.mkdir(parents=True)
    os.mkfifo(register)
    with pytest.raises(DatasetError, match=r"datasets\.json, .* cannot be read: it is a pipe.*IISZOO_CONFIG"):
        load_dataset("berkeley")
    register.unlink()
    register.mkdir()
    with pytest.raises(DatasetError, match=r"datasets\.json, .* cannot be read: it is a directory"):
        load_dataset("berkeley")


def test_a_byte_order_mark_in_the_register_is_no_fault() -> None:
    register = Path(os.environ["IISZOO_CONFIG"]) / "datasets.json"
    register.parent.mkdir(parents=True)
    register.write_bytes(b'\xef\xbb\xbf{"berkeley": "/data"}')
    assert roots.registered() == {"berkeley": "/data"}


def test_a_settings_directory_that_is_a_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("a file")
    monkeypatch.setenv("IISZOO_CONFIG", str(tmp_path / "config"))
    assert roots.registered() == {}
    with pytest.raises(DatasetError, match=r"datasets\.json, .* cannot be written: .*IISZOO_CONFIG .* or give --root"):
        roots.register(registry().datasets.resolve("berkeley"), tmp_path)


@pytest.mark.parametrize("root", ["x" * 300, "像" * 100, "a/" * 3000])
def test_a_root_whose_name_no_file_system_takes_is_one_sentence(root: str) -> None:
    with pytest.raises(DatasetError, match=r"dataset berkeley was not found: looked in .*File name too long"):
        load_dataset("berkeley", root=Path(root))


def test_a_place_without_permission_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def refuse(path: object, *more: object, **how: object) -> os.stat_result:
        if str(path).startswith(str(tmp_path / "closed")):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *more, **how)  # type: ignore[arg-type, call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(DatasetError, match=r"closed/berkeley \(Permission denied\)"):
        load_dataset("berkeley", root=tmp_path / "closed")
