"""A dataset's pickle is read without running what it names."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iiszoo.data.restricted_pickle import read_pickle
from iiszoo.errors import DatasetError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_strings_containers_and_arrays_are_read(protocol: int, tmp_path: Path) -> None:
    plain = {
        "scalars": [1, -(2**70), 2.5, None, True, "é", b"\xff\x00", 1 + 2j],
        "containers": ((), [()], {1: {2, 3}}, frozenset([4]), bytearray(b"x")),
        "dicts": [OrderedDict(a=1), defaultdict(list, {0: [1]})],
        "numpy scalars": [np.int64(5), np.float32(0.5), np.bool_(True), np.str_("s")],
    }
    arrays = {
        "column of bytes": np.arange(6, dtype=np.uint8)[:, None],
        "by column": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "big-endian": np.arange(4, dtype=">i4"),
        "empty": np.zeros((0, 3), np.int16),
        "of bool": np.array([[True], [False]]),
        "of text": np.array(["ab", "c"]),
        "single": np.array(7),
    }
    file = tmp_path / "all.pickle"
    file.write_bytes(pickle.dumps((plain, arrays), protocol))
    found, found_arrays = read_pickle(file)
    assert found == plain
    for name, array in arrays.items():
        assert isinstance(found_arrays[name], np.ndarray), name
        assert (found_arrays[name].shape, found_arrays[name].dtype.kind) == (array.shape, array.dtype.kind), name
        assert np.array_equal(found_arrays[name], array), name


class Malicious:
    """What an attacker sends: loading it with `pickle` runs a command."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_code_in_a_pickle_is_not_run(protocol: int, tmp_path: Path) -> None:
    file, proof = tmp_path / "evil.pickle", tmp_path / "it-ran"
    file.write_bytes(pickle.dumps({"a": [Malicious(proof)]}, protocol))
    with pytest.raises(DatasetError, match=rf"{file}: contains (posix|nt)\.system, but only numbers"):
        read_pickle(file)
    assert not proof.exists()
    pickle.loads(file.read_bytes())
    assert proof.exists(), "the file would have run it"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", r"builtins\.eval"),
        (b"c__builtin__\ngetattr\n.", r"__builtin__\.getattr"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", r"numpy\.ndarray\.tofile"),
        (b"(S'x'\nios\nsystem\n.", r"os\.system"),
        (b"(S'x'\niiszoo_no_such_module\nThing\n.", r"iszoo_no_such_module\.Thing"),
        (b"Pname\n.", "a persistent id"),
        (pickle.dumps(Path("x")), r"pathlib[\w.]*\.PosixPath"),
        (pickle.dumps(np.array([1, "a"], object)), "a numpy array of 'object'"),
        (pickle.dumps(np.zeros(2, "i4,f4")), "a numpy array of 'void64'"),
    ],
    ids=["eval", "getattr", "a method", "INST", "not installed", "persistent id", "a path", "objects", "records"],
)
def test_every_other_class_is_refused_by_name(written: bytes, name: str, tmp_path: Path) -> None:
    file = tmp_path / "other.pickle"
    file.write_bytes(written)
    with pytest.raises(DatasetError, match=rf"{file}: contains {name}, but"):
        read_pickle(file)


def test_an_array_whose_type_is_forged_as_objects_is_refused(tmp_path: Path) -> None:
    """Pointers made of a pickle's bytes: numpy's own dtype would take them from its pickled state."""
    forged = pickle.dumps(np.arange(2), 2).replace(b"i8", b"O8")
    assert forged != pickle.dumps(np.arange(2), 2)
    file = tmp_path / "forged.pickle"
    file.write_bytes(forged)
    with pytest.raises(DatasetError, match=r"forged\.pickle: contains a numpy array of 'object'"):
        read_pickle(file)


@pytest.mark.parametrize("written", [b"", b"no pickle at all", pickle.dumps(np.arange(99))[:60], b"\x80\x63."])
def test_a_damaged_file_is_named(written: bytes, tmp_path: Path) -> None:
    file = tmp_path / "damaged.pickle"
    file.write_bytes(written)
    with pytest.raises(DatasetError, match=f"{file}: cannot be read as a pickle"):
        read_pickle(file)
    with pytest.raises(DatasetError, match="absent: cannot be read"):
        read_pickle(tmp_path / "absent")


def test_a_file_that_was_cut_off_anywhere_is_named(tmp_path: Path) -> None:
    written = pickle.dumps(([np.arange(6, dtype=np.uint8)], [(0, 1)], {"a": np.int64(3)}), 4)
    file = tmp_path / "cut.pickle"
    for length in range(len(written)):
        file.write_bytes(written[:length])
        with pytest.raises(DatasetError, match=f"{file}: cannot be read as a pickle"):
            read_pickle(file)
