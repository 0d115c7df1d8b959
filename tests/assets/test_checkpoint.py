"""Reading checkpoints without running them."""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import sys

import pytest

from iiszoo.assets import Inert, load_checkpoint
from iiszoo.errors import WeightsError

torch = pytest.importorskip("torch")


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
        with pytest.raises(WeightsError, match=r"cut\.pth is (truncated or |no PyTorch checkpoint: it is )") as error:
            load_checkpoint(cut)
        assert "\n" not in str(error.value)


def test_an_absent_checkpoint_is_named(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pth")


@pytest.fixture
def codebase(tmp_path, monkeypatch):
    """A module whose import tells on itself: what the code base of a checkpoint is."""
    (tmp_path / "a_codebase.py").write_text(
        "print('imported')\n"
        "class Loss:\n    def __init__(self, alpha):\n        self.alpha = alpha\n"
        "class Slots:\n    __slots__ = ('a',)\n"
        "class Config(dict):\n    pass\n"
        "class Stages(list):\n    pass\n"
        "def build(*arguments):\n    print('called', *arguments)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("a_codebase")
    sys.modules.pop("a_codebase", None)


@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_classes_become_inert_and_are_not_imported(zipped, tmp_path, codebase, capsys):
    slots = codebase.Slots()
    slots.a = 3
    content = {
        "state_dict": {"w": torch.arange(3)},
        "config": {
            "loss": codebase.Loss(0.5),
            "class": codebase.Loss,
            "function": codebase.build,
            "slots": slots,
        },
        "epoch": 7,
    }
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    capsys.readouterr()
    del sys.modules["a_codebase"]
    loaded = load_checkpoint(tmp_path / "w.pth")
    assert loaded["state_dict"]["w"].tolist() == [0, 1, 2]
    assert loaded["epoch"] == 7
    assert isinstance(loaded["config"]["loss"], Inert)
    assert isinstance(loaded["config"]["slots"], Inert)
    assert not vars(loaded["config"]["loss"])
    assert loaded["config"]["class"] is loaded["config"]["function"] is Inert
    assert "a_codebase" not in sys.modules
    assert "imported" not in capsys.readouterr().out


class Evil:
    """What pickles as a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("call", [(print, ("executed",)), (eval, ("print('executed')",))])
def test_nothing_that_a_file_names_is_called(call, tmp_path, capfd):
    torch.save({"w": torch.zeros(1), "config": Evil(*call)}, tmp_path / "w.pth")
    assert isinstance(load_checkpoint(tmp_path / "w.pth")["config"], Inert)
    assert "executed" not in capfd.readouterr().out


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_what_only_an_attack_would_hold_is_refused(tmp_path, capfd):
    torch.save({"w": torch.zeros(1), "config": Evil(os.system, ("echo executed",))}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"it names posix\.system, which weights have no use for"):
        load_checkpoint(tmp_path / "w.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil(os.system, ("echo executed",))))
    with pytest.raises(WeightsError):
        load_checkpoint(tmp_path / "plain.pkl")
    assert "executed" not in capfd.readouterr().out


def test_what_one_file_holds_is_not_allowed_in_others_afterwards(tmp_path):
    torch.save(argparse.Namespace(a=1), tmp_path / "w.pth")
    assert isinstance(load_checkpoint(tmp_path / "w.pth"), Inert)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "w.pth", weights_only=True)


@pytest.mark.parametrize("kind", ["Config", "Stages"])
def test_a_container_of_a_class_of_its_own_is_told(kind, tmp_path, codebase):
    torch.save({"config": getattr(codebase, kind)([("a", 1)])}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"a dict or a list of a class of its own, .* save its state_dict alone"):
        load_checkpoint(tmp_path / "w.pth")
