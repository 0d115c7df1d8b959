"""`iiszoo.data.download`: from an archive to a dataset that is found without further ado, or to one clear error."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iiszoo import assets
from iiszoo.cards import Archive, DatasetCard
from iiszoo.data import download, roots
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.download import get
from iiszoo.data.inspection import inspect
from iiszoo.data.unpack import unpack
from iiszoo.engine.runs.dataset_check import survey, verify
from iiszoo.errors import BadOption, DatasetError

Zip = Callable[..., Path]


@pytest.fixture
def tiny_zip(tmp_path: Path) -> Zip:
    """`tiny_zip(top="", n=3)`: Tiny.zip with n images and masks in Berkeley's layout, under the folder `top`."""

    def make(top: str = "Tiny", n: int = 3, filename: str = "Tiny.zip") -> Path:
        rng = np.random.default_rng(0)
        archive = tmp_path / filename
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr(f"__MACOSX/{top}/images/._0.png", b"junk")
            opened.writestr(f"{top}/README", b"read me")
            for i in range(n):
                for kind, pixels in {
                    "images": rng.integers(0, 256, (8, 9, 3), np.uint8),
                    "masks": np.uint8(255) * (rng.random((8, 9)) < 0.5).astype(np.uint8),
                }.items():
                    file = tmp_path / "one.png"
                    Image.fromarray(pixels).save(file)
                    opened.write(file, f"{top}/{kind}/{i}.png")
        return archive

    return make


def card_of(*archives: Archive, **fields: Any) -> DatasetCard:
    described = {"id": "tiny", "summary": "", "licence": "", "layout": "images/ and masks/", "n_samples": 3, **fields}
    return DatasetCard(loader="iiszoo.data.datasets.berkeley:load", archives=archives, **described)


def fetch(card: DatasetCard, *own: Path) -> download.Got:
    def verified(loaded: EvaluationDataset) -> None:
        verify(loaded, card, lambda *_: None)

    return get(card, own, verify=verified, progress=lambda *_: None)


def load(card: DatasetCard) -> EvaluationDataset:
    from iiszoo.data.datasets import berkeley

    return berkeley.load(card)


@pytest.fixture
def data() -> Path:
    return assets.cache_root() / "data"


def left(data: Path) -> list[str]:
    """What lies in the cache besides locks and bookkeeping."""
    return sorted(
        path.relative_to(data.parent).as_posix()
        for directory in (data, data.parent / "archives" / "tiny")
        if directory.is_dir()
        for path in directory.iterdir()
        if path.suffix != ".lock"
    )


@pytest.mark.parametrize("top", ["Tiny", "a/b/c", "."])
def test_it_is_found_without_further_ado_at_whatever_depth_it_was(top: str, tiny_zip: Zip, data: Path) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip(top).as_uri(),)))
    with pytest.raises(roots.NotFound):
        load(card)
    assert fetch(card) == download.Got("tiny", data / "tiny", already_there=False)
    loaded = load(card)
    assert (loaded.place, len(loaded)) == (data / "tiny", 3)
    assert [inspect(loaded[i]).fault for i in range(3)] == [None] * 3
    assert left(data) == ["data/tiny"], "the archive is deleted"


def test_steps_are_told_in_bytes(tiny_zip: Zip) -> None:
    archive = tiny_zip()
    told: dict[str, list[tuple[int, int | None]]] = {}
    card = card_of(Archive("Tiny.zip", (archive.as_uri(),)))
    get(
        card,
        (),
        verify=lambda loaded: None,
        progress=lambda step, done, total: told.setdefault(step, []).append((done, total)),
    )
    assert list(told) == ["fetching Tiny.zip", "unpacking Tiny.zip"]
    assert told["fetching Tiny.zip"][-1] == (archive.stat().st_size,) * 2
    done, total = told["unpacking Tiny.zip"][-1]
    assert done == total


def test_what_is_there_is_left_alone(tiny_zip: Zip, tmp_path: Path, data: Path) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),)))
    fetch(card)
    (tmp_path / "Tiny.zip").unlink()
    assert fetch(card) == download.Got("tiny", data / "tiny", already_there=True)
    elsewhere = (data / "tiny").rename(tmp_path / "elsewhere")
    roots.register(card, elsewhere)
    assert fetch(card).path == elsewhere


def test_mirrors_are_tried_in_order_and_the_hash_is_verified(tiny_zip: Zip, tmp_path: Path, data: Path) -> None:
    good = tiny_zip()
    (tmp_path / "bad.zip").write_bytes(b"bad")
    urls = tuple(tmp_path.joinpath(name).as_uri() for name in ("gone.zip", "bad.zip", "Tiny.zip"))
    sha256 = hashlib.sha256(good.read_bytes()).hexdigest()
    fetch(card_of(Archive("Tiny.zip", urls, sha256)))
    assert (data / "tiny").is_dir()


def test_all_mirrors_dead_names_each_and_the_ways_out(tmp_path: Path, data: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"bad")
    urls = tuple(tmp_path.joinpath(name).as_uri() for name in ("gone.zip", "bad.zip"))
    with pytest.raises(DatasetError) as error:
        fetch(card_of(Archive("Tiny.zip", urls, "0" * 64)))
    for part in (
        "archive Tiny.zip of dataset tiny is not in the cache and cannot be fetched",
        f"{urls[0]}: there is no file",
        f"{urls[1]}: its sha256 is {hashlib.sha256(b'bad').hexdigest()}, but the card states {'0' * 64}",
        f"`iiszoo data get tiny --archive FILE`, which unpacks it to {data / 'tiny'}",
        "`iiszoo data add tiny DIR`",
    ):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert left(data) == []


def test_offline_says_which_command_supplies_it_and_where(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(DatasetError) as error:
        fetch(card_of(Archive("Tiny.zip", ("https://tiny.invalid/Tiny.zip",))))
    assert "IISZOO_OFFLINE is set, so no connection is made" in str(error.value)
    assert f"`iiszoo data get tiny --archive FILE`, which unpacks it to {data / 'tiny'}" in str(error.value)


def test_a_file_of_the_users_own_is_unpacked_and_kept(
    tiny_zip: Zip, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    own = tiny_zip().rename(tiny_zip().with_name("download(1)"))
    fetch(card_of(Archive("Tiny.zip", ("https://tiny.invalid/Tiny.zip",))), own)
    assert len(load(card_of())) == 3
    assert own.exists()
    assert left(data) == ["data/tiny"]


def test_a_file_of_the_users_own_must_be_the_one_of_the_card(tiny_zip: Zip, tmp_path: Path, data: Path) -> None:
    own = tiny_zip()
    with pytest.raises(DatasetError) as error:
        fetch(card_of(Archive("Tiny.zip", (), "0" * 64)), own)
    assert f"{own} cannot be used as archive Tiny.zip of dataset tiny: its sha256 is" in str(error.value)
    assert "unpack it yourself and run `iiszoo data add tiny DIR`" in str(error.value)
    with pytest.raises(BadOption, match="there is no file nowhere"):
        fetch(card_of(Archive("Tiny.zip")), Path("nowhere"))
    assert left(data) == []


def test_a_set_without_address_says_where_it_can_be_had(tiny_zip: Zip) -> None:
    card = card_of(homepage="https://tiny.invalid (Tiny.zip)")
    with pytest.raises(DatasetError) as error:
        fetch(card)
    assert str(error.value) == (
        "dataset tiny has no public download address: get it from https://tiny.invalid "
        "(Tiny.zip), then run `iiszoo data get tiny --archive FILE`, or unpack it and run `iiszoo data add tiny DIR`"
    )
    fetch(card, tiny_zip())
    assert len(load(card)) == 3


def test_a_set_of_the_users_own_files_cannot_be_fetched() -> None:
    with pytest.raises(BadOption, match="consists of your own files"):
        fetch(card_of(takes_argument=True))


def test_sets_that_share_a_directory_are_fetched_once(tiny_zip: Zip, tmp_path: Path, data: Path) -> None:
    archive = Archive("Tiny.zip", (tiny_zip().as_uri(),))
    train = card_of(archive, id="tiny-train", shares_root="tiny")
    assert fetch(train).path == data / "tiny"
    (tmp_path / "Tiny.zip").unlink()
    for card in (train, card_of(archive), card_of(archive, id="tiny-val", shares_root="tiny")):
        assert fetch(card) == download.Got(card.id, data / "tiny", already_there=True)


@pytest.mark.parametrize(("n_samples", "fingerprint"), [(4, None), (3, "0" * 64)])
def test_another_count_or_other_masks_are_refused(
    n_samples: int, fingerprint: str | None, tiny_zip: Zip, data: Path
) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),)), n_samples=n_samples, fingerprint=fingerprint)
    with pytest.raises(DatasetError, match=r"is not dataset tiny: .* nothing was installed") as error:
        fetch(card)
    assert "3 samples instead of 4" in str(error.value) or f"published set is {'0' * 64}" in str(error.value)
    assert left(data) == ["archives/tiny/Tiny.zip.set-aside"]
    with pytest.raises(roots.NotFound):
        load(card)
    fetch(replace(card, n_samples=3, fingerprint=None))  # what was wrong is fetched anew, and nothing is pinned
    assert len(load(card)) == 3


def test_the_right_fingerprint_is_accepted(tiny_zip: Zip, tmp_path: Path) -> None:
    archive = tiny_zip(".")
    (tmp_path / "plain").mkdir()
    unpack(archive, tmp_path / "plain")
    known = survey(load_from(tmp_path / "plain"), 0, lambda *_: None).fingerprint
    fetch(card_of(Archive("Tiny.zip", (archive.as_uri(),)), fingerprint=known))


def load_from(place: Path) -> EvaluationDataset:
    from iiszoo.data.datasets import berkeley

    return berkeley.load(card_of(), root=place)


def test_the_published_archive_is_believed_before_the_card(
    tiny_zip: Zip, caplog: pytest.LogCaptureFixture, data: Path
) -> None:
    archive = tiny_zip()
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    fetch(card_of(Archive("Tiny.zip", (archive.as_uri(),), sha256), n_samples=4))
    assert "3 samples instead of 4" in caplog.text
    assert left(data) == ["data/tiny"]


@pytest.mark.parametrize("content", ["evil", "cut", "another dataset"])
def test_an_archive_that_is_not_the_dataset_leaves_nothing(
    content: str, tiny_zip: Zip, tmp_path: Path, data: Path
) -> None:
    archive = tiny_zip()
    if content == "evil":
        with zipfile.ZipFile(archive, "a") as opened:
            opened.writestr("../evil", b"evil")
    elif content == "cut":
        archive.write_bytes(archive.read_bytes()[:-400])
    else:
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("data_GT/a.png", b"")
    cause = {"evil": "leads out of the folder", "cut": "damaged", "another dataset": "does not contain what is exp"}
    with pytest.raises(DatasetError, match=f"is not dataset tiny: .*{cause[content]}"):
        fetch(card_of(Archive("Tiny.zip", (archive.as_uri(),))))
    assert left(data) == ["archives/tiny/Tiny.zip.set-aside"]
    assert not list(tmp_path.rglob("evil"))


def test_several_archives_each_go_to_their_place(tmp_path: Path, tiny_zip: Zip, data: Path) -> None:
    whole = tiny_zip(".")
    with zipfile.ZipFile(whole) as source:
        for filename, kind, top in (("masks.zip", "masks", ""), ("images2017.zip", "images", "images2017/")):
            with zipfile.ZipFile(tmp_path / filename, "w") as opened:
                for name in source.namelist():
                    if f"/{kind}/" in f"/{name}" and "__MACOSX" not in name:
                        target = f"{top}{Path(name).name}" if top else f"{kind}/{Path(name).name}"
                        opened.writestr(target, source.read(name))
    masks = Archive("masks.zip", ((tmp_path / "masks.zip").as_uri(),))
    images = Archive("images2017.zip", ("https://tiny.invalid/gone",), into="images")
    card = card_of(masks, images)
    with pytest.raises(BadOption, match=r"consists of masks\.zip, images2017\.zip; mine\.zip is not one of them"):
        fetch(card, (tmp_path / "masks.zip").rename(tmp_path / "mine.zip"))
    (tmp_path / "mine.zip").rename(tmp_path / "masks.zip")
    fetch(card, tmp_path / "images2017.zip")
    assert len(load(card)) == 3
    assert sorted(path.name for path in (data / "tiny").iterdir()) == ["images", "masks"]


def test_what_is_in_the_way_is_named_and_kept(tiny_zip: Zip, data: Path) -> None:
    (data / "tiny" / "mine").mkdir(parents=True)
    with pytest.raises(DatasetError, match=f"{data / 'tiny'} is in the way"):
        fetch(card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),))))
    assert (data / "tiny" / "mine").is_dir()


def test_leftovers_of_a_killed_process_are_cleared(tiny_zip: Zip, data: Path) -> None:
    (data / ".tiny.unpacking" / "images").mkdir(parents=True)
    (data / ".tiny.unpacking" / "images" / "x.png").write_bytes(b"half")
    fetch(card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),))))
    assert left(data) == ["data/tiny"]
    assert len(load(card_of())) == 3


def test_an_interruption_while_unpacking_keeps_the_archive(tiny_zip: Zip, data: Path) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),)))

    def interrupt(step: str, done: int, total: int | None) -> None:
        if step.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(card, (), verify=lambda loaded: None, progress=interrupt)
    assert left(data) == ["archives/tiny/Tiny.zip"]
    fetch(card)
    assert left(data) == ["data/tiny"]


def test_two_at_once_fetch_once(tiny_zip: Zip, monkeypatch: pytest.MonkeyPatch) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),)))
    unpacked: list[Path] = []

    def slow(archive: Path, into: Path, progress: Any) -> None:
        unpacked.append(archive)
        time.sleep(0.3)
        unpack(archive, into, progress)

    monkeypatch.setattr(download, "unpack", slow)
    got: list[download.Got] = []
    threads = [threading.Thread(target=lambda: got.append(fetch(card))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(unpacked) == 1
    assert sorted(each.already_there for each in got) == [False, True]


SCRIPT = """
import time
from pathlib import Path
from iiszoo.cards import Archive, DatasetCard
from iiszoo.data.download import get
from iiszoo.errors import DatasetError
{before}
archive = Archive("Tiny.zip", ({url!r},))
card = DatasetCard(id="tiny", loader="iiszoo.data.datasets.berkeley:load", summary="", licence="", layout="",
                   archives=(archive,))
def progress(step, done, total):
    {during}
try:
    get(card, (), verify=lambda loaded: None, progress=progress)
except DatasetError as error:
    raise SystemExit(f"DatasetError: {{error}}")
"""


def run(url: str, before: str = "", during: str = "pass") -> subprocess.Popen[str]:
    script = SCRIPT.format(url=url, before=before, during=during)
    return subprocess.Popen([sys.executable, "-c", script], text=True, stderr=subprocess.PIPE, env=dict(os.environ))


def test_a_process_killed_while_unpacking_leaves_no_dataset(tiny_zip: Zip, data: Path) -> None:
    card = card_of(Archive("Tiny.zip", (tiny_zip().as_uri(),)))
    process = run(card.archives[0].urls[0], during='step[:9] == "unpacking" and done > 100 and time.sleep(60)')
    deadline = time.monotonic() + 20
    while not list(data.glob(".tiny.unpacking/Tiny/images/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert left(data) == ["archives/tiny/Tiny.zip", "data/.tiny.unpacking"]
    with pytest.raises(roots.NotFound):
        load(card)
    fetch(card)
    assert left(data) == ["data/tiny"]


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path, tiny_zip: Zip, data: Path) -> None:
    pytest.importorskip("resource")
    archive = tiny_zip()
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:  # small when packed, large when not
        opened.writestr("Tiny/images/large.bin", b"0" * 1_000_000)
    process = run(archive.as_uri(), "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))")
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"DatasetError: dataset tiny cannot be unpacked to {data / 'tiny'}: File too large" in stderr
    assert f"({data.parent}/archives/tiny/Tiny.zip is kept); free some space" in stderr
    assert "Traceback" not in stderr
    assert left(data) == ["archives/tiny/Tiny.zip"]
    fetch(card_of(Archive("Tiny.zip", ("https://tiny.invalid/never-asked",))))
    assert len(load(card_of())) == 3
