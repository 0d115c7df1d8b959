"""What is done to files all over iiszoo: read, replaced, locked; also where the file system will not have it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from iiszoo import files
from iiszoo.data import roots
from iiszoo.engine.runs import store
from iiszoo.errors import DatasetError, RunError, UpstreamError, WeightsError
from iiszoo.registry import registry

fcntl = pytest.importorskip("fcntl")

NO_LOCKS = {name: getattr(errno, name) for name in ("ENOLCK", "EOPNOTSUPP", "ENOTSUP", "ENOSYS")}


@pytest.fixture(params=NO_LOCKS)
def no_locks(request, monkeypatch):
    """No file system has locks, and says so with one of the errors that real ones have."""

    def refuse(*_):
        raise OSError(NO_LOCKS[request.param], os.strerror(NO_LOCKS[request.param]))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lock_is_refused_at_once_where_there_are_none(no_locks, tmp_path):
    for take in (files.lock, lambda path: files.lock(path, 0), lambda path: files.locked(path).__enter__()):
        with pytest.raises(OSError, match="its file system has no locks") as raised:
            take(tmp_path / "a.lock")
        assert not isinstance(raised.value, TimeoutError)


IDENTITY = {"format": store.FORMAT, "model": {}, "protocol": {}, "dataset": {}}


def begin_a_run(place):
    store.begin(place / "run", IDENTITY)


def overwrite_a_run(place):
    store.begin(place / "run", IDENTITY, overwrite=True)


def register_a_dataset(place):
    roots.register(registry().datasets.resolve("grabcut"), place)


def unpack_a_dataset(place):
    from iiszoo.data import download

    card = registry().datasets.resolve("berkeley")
    with download._locked(card, place / "data" / "berkeley"):
        pass


def fetch_weights(place):
    from iiszoo.assets import _fetch
    from iiszoo.assets._stored import Stored
    from iiszoo.cards import Weights

    weights = Weights("w.pth", ("https://example.invalid/w.pth",))
    with _fetch._locked(Stored(weights, place, "a", "w.pth", "get", "forget", WeightsError)):
        pass


def clone_upstream(place):
    from iiszoo.cards import Source
    from iiszoo.upstream import _clone

    with _clone._locked(place / "clone", Source("https://example.invalid/r", "0" * 40)):
        pass


USERS = {
    begin_a_run: (RunError, "--out"),
    overwrite_a_run: (RunError, "--out"),
    register_a_dataset: (DatasetError, "IISZOO_CONFIG"),
    unpack_a_dataset: (DatasetError, "IISZOO_CACHE"),
    fetch_weights: (WeightsError, "IISZOO_CACHE"),
    clone_upstream: (UpstreamError, "IISZOO_CACHE"),
}


@pytest.mark.parametrize("use", USERS, ids=lambda use: use.__name__)
def test_whoever_needs_a_lock_says_so_in_one_sentence_with_a_way_out(use, no_locks, tmp_path):
    kind, way_out = USERS[use]
    with pytest.raises(kind, match=f"its file system has no locks .*{way_out}") as raised:
        use(tmp_path)
    assert "\n" not in str(raised.value)


READ_ONLY = [OSError(errno.EROFS, "Read-only file system"), PermissionError(errno.EACCES, "Permission denied")]


@pytest.mark.parametrize("error", READ_ONLY, ids=lambda error: error.strerror)
@pytest.mark.parametrize("use", USERS, ids=lambda use: use.__name__)
def test_a_place_that_cannot_be_written_is_one_sentence_with_a_way_out(use, error, tmp_path, monkeypatch):
    real = os.open

    def refuse(path, flags, *more, **how):
        if flags & os.O_CREAT:
            raise error
        return real(path, flags, *more, **how)

    monkeypatch.setattr(os, "open", refuse)
    kind, way_out = USERS[use]
    with pytest.raises(kind, match=f"{error.strerror}.*{way_out}"):
        use(tmp_path)


def test_overwriting_a_run_that_may_not_be_deleted_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    with store.begin(tmp_path, IDENTITY):
        pass
    from pathlib import Path

    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(RunError, match=r"cannot be deleted: Read-only file system; give another --out"):
        store.begin(tmp_path, IDENTITY, overwrite=True)
    assert (tmp_path / store.IDENTITY).exists()


def test_a_lock_that_another_process_holds(tmp_path):
    path = tmp_path / "made" / "a.lock"
    hold = (
        f"import pathlib, sys; from iiszoo import files; held = files.lock(pathlib.Path({str(path)!r})); "
        "print(1, flush=True); sys.stdin.read()"
    )
    path.parent.mkdir()
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        with pytest.raises(TimeoutError):
            files.lock(path, 0)
        waited = []

        def waiting():
            waited.append(1)
            process.kill()  # and with it the lock ends

        with files.locked(path, waiting):
            assert waited == [1]
    finally:
        process.kill()
        process.communicate()


def test_what_is_not_a_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe, a socket or a device, not a file"):
        files.read_bytes(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        files.read_bytes("/dev/zero")
    with pytest.raises(IsADirectoryError):
        files.read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        files.read_bytes(tmp_path / "absent")


@pytest.mark.parametrize("name", ["a" * 255, "像" * 85, "é" * 127, "a"])
def test_a_file_of_the_longest_name_is_replaced(tmp_path, name):
    files.replace_text(tmp_path / name, "one")
    files.replace_text(tmp_path / name, "two")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "two")]


def test_a_name_that_is_too_long_is_an_os_error_of_that_name(tmp_path):
    with pytest.raises(OSError, match="File name too long"):
        files.replace_text(tmp_path / ("a" * 256), "one")
    assert list(tmp_path.iterdir()) == []
