"""`iiszoo data`: where a dataset lies, whether its files are right, and registering a copy of one's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image, ImageDraw

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def berkeley(tmp_path: Path) -> Path:
    """A Berkeley of two samples."""
    place = tmp_path / "bsd"
    for directory in ("images", "masks"):
        (place / directory).mkdir(parents=True)
        for stem in ("1", "2"):
            Image.new("RGB", (8, 6), "white").save(place / directory / f"{stem}.png")
    return place


def refused(done: CompletedProcess[str]) -> str:
    """The message of a run that was refused in so many words."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_path(iiszoo: Run, berkeley: Path) -> None:
    demo = iiszoo("data", "path", "demo")
    assert demo.returncode == 0
    assert (Path(demo.stdout.strip()) / "polygons.json").is_file()
    assert iiszoo("data", "path", "berkeley", "--root", berkeley).stdout == f"{berkeley}\n"
    as_json = iiszoo("data", "path", f"folder:{berkeley}", "--json")
    assert json.loads(as_json.stdout) == {"dataset": f"folder:{berkeley}", "path": str(berkeley)}


def test_path_of_what_is_not_there(iiszoo: Run, berkeley: Path) -> None:
    message = refused(iiszoo("data", "path", "grabcut"))
    assert message.startswith("error: dataset grabcut was not found: looked in ")
    assert "iiszoo data add grabcut DIR" in message
    assert "has another layout" in refused(iiszoo("data", "path", "grabcut", "--root", berkeley))
    assert "nearest: grabcut" in refused(iiszoo("data", "path", "grabcat"))
    assert "needs an argument: folder:DIR" in refused(iiszoo("data", "path", "folder"))
    assert "there is no directory /" in refused(iiszoo("data", "path", "folder:nowhere"))


def test_a_path_in_place_of_a_name_is_answered_by_check_and_bench(iiszoo: Run, berkeley: Path) -> None:
    for command in (("data", "check"), ("data", "path"), ("bench", "--dataset")):
        message = refused(iiszoo(*command, "./bsd"))
        assert message.startswith("error: no dataset is called './bsd'; did you mean folder:./bsd?")
        assert "there is no such file or directory" in refused(iiszoo(*command, "./nowhere"))


def test_what_has_no_place_of_its_own_is_neither_fetched_nor_registered(iiszoo: Run, berkeley: Path) -> None:
    assert "consists of your own files; there is nothing to fetch" in refused(
        iiszoo("data", "get", f"folder:{berkeley}")
    )
    assert "has no directory of its own" in refused(iiszoo("data", "add", f"folder:{berkeley}", berkeley))


def test_check_of_good_files(iiszoo: Run, berkeley: Path) -> None:
    done = iiszoo("data", "check", f"folder:{berkeley}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"folder:{berkeley}: 2 samples in {berkeley}, all files present\n"
    report = json.loads(iiszoo("data", "check", "demo", "--json").stdout)
    assert (report["n_samples"], report["faults"]) == (12, [])


def test_check_names_every_fault(iiszoo: Run, berkeley: Path) -> None:
    Image.new("RGB", (6, 8)).save(berkeley / "masks" / "1.png")
    (berkeley / "images" / "2.png").write_bytes(b"")
    done = iiszoo("data", "check", "berkeley", "--root", berkeley, "--json")
    message = refused(done)
    faults = json.loads(done.stdout)["faults"]
    assert len(faults) == 3
    assert all(fault in message for fault in faults)
    assert f"{berkeley / 'masks' / '1.png'}: image and mask differ in size (rows x columns): 6x8 but 8x6" in faults[0]
    assert faults[1].startswith(f"{berkeley / 'images' / '2.png'}: cannot be decoded as an image")
    assert faults[2] == "2 samples instead of 100"


def test_check_names_unpaired_files(iiszoo: Run, berkeley: Path) -> None:
    (berkeley / "masks" / "1.png").rename(berkeley / "masks" / "3.png")
    message = refused(iiszoo("data", "check", f"folder:{berkeley}"))
    assert f"{berkeley / 'images'}: image 1.png has no mask\n  {berkeley / 'masks'}: mask 3.png has no image" in message


def test_add_registers_a_directory_for_all_later_runs(iiszoo: Run, berkeley: Path, tmp_path: Path) -> None:
    added = iiszoo("data", "add", "berkeley", "bsd")  # relative to where it was run
    assert (added.returncode, added.stderr) == (0, "")
    assert "berkeley: 2 samples in " in added.stdout
    assert iiszoo("data", "path", "berkeley").stdout == f"{berkeley}\n"
    berkeley.rename(tmp_path / "berkeley")
    again = iiszoo("data", "add", "berkeley", tmp_path, "--json")
    assert json.loads(again.stdout) == {"dataset": "berkeley", "path": str(tmp_path / "berkeley"), "n_samples": 2}
    assert iiszoo("data", "path", "berkeley").stdout == f"{tmp_path / 'berkeley'}\n"


def test_add_refuses_what_is_no_place_of_the_dataset(iiszoo: Run, berkeley: Path) -> None:
    message = refused(iiszoo("data", "add", "grabcut", berkeley))
    assert "has another layout" in message
    assert "data_GT/NAME.*" in message
    assert "no-such-dir" in refused(iiszoo("data", "add", "grabcut", "no-such-dir"))
    for dataset in ("demo", "folder"):
        assert f"dataset '{dataset}' has no directory of its own" in refused(iiszoo("data", "add", dataset, berkeley))
    assert "was not found" in refused(iiszoo("data", "path", "grabcut")), "nothing was registered"


PLUGIN = """
import iiszoo
from iiszoo.cards import Archive, DatasetCard

api_version = 1

@iiszoo.hookimpl
def iiszoo_register_datasets(register):
    for id, folder, archives in (
        ("tiny", "", (Archive("Tiny.zip", ({urls})),)),
        ("tiny-part", "tiny", (Archive("Tiny.zip", ({urls})),)),
        ("nowhere", "", ()),
    ):
        register(DatasetCard(id=id, loader="iiszoo.data.datasets.berkeley:load", summary="", licence="",
                             layout="images/ and masks/", homepage="https://tiny.invalid", n_samples=2,
                             fingerprint={fingerprint!r}, archives=archives, shares_root=folder))
"""


@pytest.fixture
def tiny(tmp_path: Path, berkeley: Path) -> Callable[..., Path]:
    """`tiny(*urls, fingerprint=None)`: where a plugin is installed that knows the datasets `tiny`, `tiny-part` and
    `nowhere`; without `urls`, `Tiny.zip` is the one in the test's directory, made of `berkeley`.
    """
    for stem in ("1", "2"):
        mask = Image.new("RGB", (8, 6))
        ImageDraw.Draw(mask).rectangle((1, 1, 4, int(stem)), "white")
        mask.save(berkeley / "masks" / f"{stem}.png")
    shutil.make_archive(str(tmp_path / "Tiny"), "zip", tmp_path, "bsd")

    def install(*urls: str, fingerprint: str | None = None) -> Path:
        site = tmp_path / "site"
        metadata = site / "iiszoo_tiny-1.dist-info"
        metadata.mkdir(parents=True, exist_ok=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: iiszoo-tiny\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text("[iiszoo]\ntiny = iiszoo_tiny\n")
        listed = "".join(f"{url!r}, " for url in urls or [(tmp_path / "Tiny.zip").as_uri()])
        (site / "iiszoo_tiny.py").write_text(PLUGIN.format(urls=listed, fingerprint=fingerprint))
        return site

    return install


def test_get_fetches_unpacks_and_is_found(iiszoo: Run, tiny: Callable[..., Path], tmp_path: Path) -> None:
    site, cache = tiny(), tmp_path / "cache"
    env = {"IISZOO_CACHE": str(cache)}
    place = cache / "data" / "tiny"
    got = iiszoo("data", "get", "tiny", path=[site], env=env)
    assert (got.returncode, got.stdout) == (0, f"tiny: 2 samples in {place}\n")
    assert "fetching Tiny.zip" in got.stderr
    assert not (cache / "archives" / "tiny" / "Tiny.zip").exists()
    assert iiszoo("data", "path", "tiny", path=[site], env=env).stdout == f"{place}\n"
    assert iiszoo("data", "path", "tiny-part", path=[site], env=env).stdout == f"{place}\n"
    full = iiszoo("data", "check", "tiny", "--full", path=[site], env=env)
    assert (full.returncode, full.stdout) == (0, f"tiny: 2 samples in {place}, all sound\n")
    again = iiszoo("data", "get", "tiny-part", path=[site], env=env)
    assert again.stdout.startswith(f"tiny-part is already there: {place}; ")
    assert again.stderr == ""
    expected = {"dataset": "tiny", "path": str(place), "already_there": True, "n_samples": None}
    assert json.loads(iiszoo("data", "get", "tiny", "--json", path=[site], env=env).stdout) == expected


def test_remove_deletes_what_was_fetched_and_says_who_loses_it(
    iiszoo: Run, tiny: Callable[..., Path], tmp_path: Path
) -> None:
    site, cache = tiny(), tmp_path / "cache"
    env = {"IISZOO_CACHE": str(cache)}
    place = cache / "data" / "tiny"
    assert iiszoo("data", "get", "tiny", path=[site], env=env).returncode == 0
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    part = cache / "archives" / "tiny" / "Tiny.zip.part"
    part.write_bytes(b"half")
    done = iiszoo("data", "remove", "tiny-part", path=[site], env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"deleted {place}\ndeleted {part}\ndeleted {size + 4} bytes of tiny, tiny-part\n"
    assert not place.exists()
    assert not part.exists()
    assert "was not found" in refused(iiszoo("data", "path", "tiny", path=[site], env=env))
    message = refused(iiszoo("data", "remove", "tiny", path=[site], env=env))
    assert f"dataset tiny is neither registered (`iiszoo data add`) nor in the cache, {place}" in message
    assert iiszoo("data", "get", "tiny", path=[site], env=env).returncode == 0, "it can be fetched again"


def test_remove_forgets_a_registered_directory_and_deletes_nothing_of_it(
    iiszoo: Run, berkeley: Path, tiny: Callable[..., Path], tmp_path: Path
) -> None:
    site = tiny()
    assert iiszoo("data", "add", "tiny", berkeley, path=[site]).returncode == 0
    files = sorted(berkeley.rglob("*"))
    done = iiszoo("data", "remove", "tiny-part", path=[site])
    told = f"forgot {berkeley}, the registered directory of tiny, tiny-part; its files are as they were\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    assert sorted(berkeley.rglob("*")) == files
    assert "was not found" in refused(iiszoo("data", "path", "tiny", path=[site]))
    assert iiszoo("data", "add", "tiny", berkeley, path=[site]).returncode == 0
    gone = iiszoo("data", "remove", "tiny", "--json")  # its plugin is no longer installed
    expected = {
        "dataset": "tiny",
        "forgotten": [str(berkeley)],
        "deleted": [],
        "bytes": 0,
        "left": [],
        "datasets": ["tiny"],
    }
    assert json.loads(gone.stdout) == expected
    assert "no dataset is called 'tiny'" in refused(iiszoo("data", "remove", "tiny"))


def test_remove_refuses_what_has_nothing_to_remove(iiszoo: Run, berkeley: Path) -> None:
    assert "dataset 'demo' is part of its package; there is nothing to remove" in refused(
        iiszoo("data", "remove", "demo")
    )
    own = refused(iiszoo("data", "remove", f"folder:{berkeley}"))
    assert "dataset 'folder' consists of your own files; there is nothing to remove" in own
    shelf = berkeley.rename(berkeley.parent / "berkeley")
    message = refused(iiszoo("data", "remove", "berkeley", env={"IISZOO_DATA": str(shelf.parent)}))
    assert f"there is nothing to remove; it is read from {shelf}, which is not deleted" in message


def test_get_of_a_file_of_ones_own_needs_no_connection(iiszoo: Run, tiny: Callable[..., Path], tmp_path: Path) -> None:
    site = tiny("https://tiny.invalid/Tiny.zip")
    env = {"IISZOO_CACHE": str(tmp_path / "cache"), "IISZOO_OFFLINE": "1"}
    message = refused(iiszoo("data", "get", "tiny", path=[site], env=env))
    place = tmp_path / "cache" / "data" / "tiny"
    assert "IISZOO_OFFLINE is set, so no connection is made" in message
    assert f"`iiszoo data get tiny --archive FILE`, which unpacks it to {place}" in message
    got = iiszoo("data", "get", "tiny", "--archive", "Tiny.zip", "--json", path=[site], env=env)
    expected = {"dataset": "tiny", "path": str(place), "already_there": False, "n_samples": 2}
    assert json.loads(got.stdout) == expected


def test_get_says_where_a_set_without_address_can_be_had(iiszoo: Run, tiny: Callable[..., Path]) -> None:
    message = refused(iiszoo("data", "get", "nowhere", path=[tiny()]))
    assert "dataset nowhere has no public download address" in message
    assert "get it from https://tiny.invalid, then run `iiszoo data get nowhere --archive FILE`" in message
    assert "is already there" in iiszoo("data", "get", "demo").stdout
    assert "consists of your own files" in refused(iiszoo("data", "get", "folder"))


def test_get_refuses_other_masks(iiszoo: Run, tiny: Callable[..., Path]) -> None:
    site = tiny(fingerprint="0" * 64)
    message = refused(iiszoo("data", "get", "tiny", path=[site]))
    assert f"but that of the published set is {'0' * 64}; nothing was installed" in message
    assert "was not found" in refused(iiszoo("data", "path", "tiny", path=[site]))


def test_check_of_what_is_absent_says_what_is_missing_where(
    iiszoo: Run, tiny: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "shelf" / "tiny" / "images").mkdir(parents=True)
    env = {"IISZOO_CACHE": str(tmp_path / "cache"), "IISZOO_DATA": str(tmp_path / "shelf")}
    done = iiszoo("data", "check", "tiny", "--json", path=[tiny()], env=env)
    message = refused(done)
    for part in (
        f"{tmp_path / 'shelf' / 'tiny'} (lacks masks), {tmp_path / 'cache' / 'data' / 'tiny'} (no such directory)",
        "`iiszoo data get tiny`",
        "`iiszoo data add tiny DIR`",
        "--root DIR",
    ):
        assert part in message
    lacking = {str(tmp_path / "shelf" / "tiny"): ["masks"], str(tmp_path / "cache" / "data" / "tiny"): None}
    assert json.loads(done.stdout) == {"dataset": "tiny", "path": None, "lacking": lacking}


def test_check_in_full_decodes_and_tells_all_faults_together(iiszoo: Run, berkeley: Path) -> None:
    for stem in ("cut", "empty", "gone", "sound", "turned"):
        shutil.copy(berkeley / "images" / "1.png", berkeley / "images" / f"{stem}.png")
        shutil.copy(berkeley / "masks" / "1.png", berkeley / "masks" / f"{stem}.png")
    cut = berkeley / "images" / "cut.png"
    cut.write_bytes(cut.read_bytes()[:-20])
    Image.new("RGB", (8, 6)).save(berkeley / "masks" / "empty.png")
    (berkeley / "masks" / "gone.png").unlink()
    Image.new("RGB", (6, 8), "white").save(berkeley / "masks" / "turned.png")
    quick = json.loads(iiszoo("data", "check", f"folder:{berkeley}", "--json").stdout)
    assert (quick["n_samples"], len(quick["faults"]), quick["fingerprint"]) == (7, 2, None)
    done = iiszoo("data", "check", f"folder:{berkeley}", "--full", "--json")
    message = refused(done)
    report = json.loads(done.stdout)
    assert [fault.split("/bsd/")[1].split(" ")[0] for fault in report["faults"]] == [
        "images/cut.png:",
        "images/empty.png",
        "images:",
        "images/turned.png",
    ]
    for cause in ("cut.png: cannot be decoded", "the target is empty", "image gone.png has no mask", "6x8 but 8x6"):
        assert cause in message
    assert len(report["fingerprint"]) == 64


def test_bench_leaves_unpaired_files_out_and_says_how_many(iiszoo: Run, berkeley: Path, tiny: object) -> None:
    (berkeley / "masks" / "1.png").rename(berkeley / "masks" / "stray.png")
    bench = ("bench", "--dataset", f"folder:{berkeley}", "--max-clicks", "1", "--out", "runs")
    message = refused(iiszoo(*bench))
    assert "2 of 3 samples cannot be used; fix them, or leave them out with --skip-broken" in message
    done = iiszoo(*bench, "--skip-broken", "--json")
    assert done.returncode == 0, done.stderr
    (summary,) = json.loads(done.stdout)
    assert (summary["n_samples"], summary["n_done"], set(summary["skipped"])) == (3, 1, {"1", "stray"})
