"""Reading checkpoints without running them."""

from __future__ import annotations

import argparse
import pickle

import pytest

from iiszoo.assets import load_checkpoint
from iiszoo.errors import WeightsError

torch = pytest.importorskip("torch")


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_tensors_and_plain_values_are_read(tmp_path):
    torch.save({"state_dict": {"w": torch.arange(3)}, "config": {"class": "isegm.model.Net"}}, tmp_path / "w.pth")
    loaded = load_checkpoint(tmp_path / "w.pth")
    assert loaded["state_dict"]["w"].tolist() == [0, 1, 2]
    assert loaded["config"]["class"] == "isegm.model.Net"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint_is_one_sentence(tmp_path, zipped):
    file = tmp_path / "w.pth"
    torch.save({"w": torch.zeros(1000)}, file, _use_new_zipfile_serialization=zipped)
    for length in (0, 1, 100, file.stat().st_size // 2, file.stat().st_size - 10):
        cut = tmp_path / "cut.pth"
        cut.write_bytes(file.read_bytes()[:length])
        with pytest.raises(WeightsError, match=r"cut\.pth is truncated or is no PyTorch checkpoint") as error:
            load_checkpoint(cut)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("rubbish", [b"<html>not found</html>", b"\x80\x02garbage", b"\x00" * 1000, b"PK\x03\x04"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path, rubbish):
    (tmp_path / "w.pth").write_bytes(rubbish)
    with pytest.raises(WeightsError, match="truncated or is no PyTorch checkpoint"):
        load_checkpoint(tmp_path / "w.pth")


def test_an_absent_checkpoint_is_named(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_unknown_classes_are_named_and_not_imported(tmp_path, zipped):
    torch.save({"args": argparse.Namespace(a=1)}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"it holds an object of argparse\.Namespace, and only tensors"):
        load_checkpoint(tmp_path / "w.pth")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_nothing_is_executed(tmp_path, capsys):
    torch.save(Evil(), tmp_path / "w.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    for name in ("w.pth", "plain.pkl"):
        with pytest.raises(WeightsError):
            load_checkpoint(tmp_path / name)
    assert "executed" not in capsys.readouterr().out
