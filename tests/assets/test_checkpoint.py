"""Reading checkpoints without running them."""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import sys
import types
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        with pytest.raises(WeightsError, match=r"cut\.pth is (truncated or |not a PyTorch checkpoint: it)") as error:
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
    with pytest.raises(WeightsError, match=r"it names posix\.system, which weights do not need"):
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
    with pytest.raises(WeightsError, match=r"a dict or a list of a class of its own, .* save only its state_dict"):
        load_checkpoint(tmp_path / "w.pth")


@pytest.fixture
def many(tmp_path, monkeypatch):
    """`many(n, uses, zipped)`: a checkpoint that names so many classes, each so often."""

    def make(n, uses=1, zipped=True):
        module = types.ModuleType("a_codebase_of_many")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        classes = [type(f"K{i}", (), {"__module__": module.__name__}) for i in range(n)]
        vars(module).update({each.__name__: each for each in classes})
        content = {"w": torch.arange(3), "all": [each() for each in classes for _ in range(uses)]}
        torch.save(content, tmp_path / "many.pth", _use_new_zipfile_serialization=zipped)
        monkeypatch.delitem(sys.modules, module.__name__)
        return tmp_path / "many.pth"

    return make


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_many_classes_is_read_once(many, zipped, monkeypatch):
    file, reads = many(800, zipped=zipped), []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *arguments, **named: (reads.append(1), load(*arguments, **named))[1])
    loaded = load_checkpoint(file)
    assert len(reads) == 1
    assert loaded["w"].tolist() == [0, 1, 2]
    assert len(loaded["all"]) == 800
    assert all(isinstance(each, Inert) for each in loaded["all"])


@pytest.mark.parametrize(("n", "uses"), [(1001, 1), (500, 90), (3000, 1)])
def test_there_is_a_bound_on_classes_and_their_uses(many, n, uses):
    with pytest.raises(WeightsError, match=r"names \d+ classes and functions, .* more than weights need"):
        load_checkpoint(many(n, uses))


def test_a_name_of_python_2_is_replaced_as_torch_replaces_it(tmp_path, capfd):
    content = pickle.dumps({"w": 1, "call": Evil(eval, ("print('executed')",))}, 2)
    assert b"c__builtin__\neval\n" in content
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        for name, each in (("data.pkl", content), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"archive/{name}", each)
    assert isinstance(load_checkpoint(tmp_path / "w.pth")["call"], Inert)
    assert "executed" not in capfd.readouterr().out


def test_what_the_process_allows_stays_what_it_is(tmp_path):
    torch.save({"a": argparse.Namespace(a=1)}, tmp_path / "w.pth")
    with torch.serialization.safe_globals([argparse.Namespace]):
        assert load_checkpoint(tmp_path / "w.pth")["a"] == argparse.Namespace(a=1)


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_of_another_protocol_is_read_or_said_to_be_one(protocol, tmp_path):
    torch.save({"w": torch.arange(3), "name": "é" * 300}, tmp_path / "w.pth", pickle_protocol=protocol)
    try:
        said = str(load_checkpoint(tmp_path / "w.pth")["w"].tolist())
    except WeightsError as error:
        said = str(error)
    assert said == "[0, 1, 2]" or "default pickle_protocol" in said or "truncated" in said
    assert "file an issue" not in said


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_network_is_said_to_be_one_or_inert(zipped, tmp_path, recwarn):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.ReLU())
    torch.save(network, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    recwarn.clear()
    if zipped:
        assert isinstance(load_checkpoint(tmp_path / "w.pth"), Inert)
    else:
        with pytest.raises(WeightsError, match=r"contains a whole network, .*; save only its state_dict\(\)"):
            load_checkpoint(tmp_path / "w.pth")
    assert not recwarn.list


@settings(max_examples=150, deadline=None)
@given(
    damage=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6), zipped=st.booleans()
)
def test_a_damaged_checkpoint_is_read_or_is_one_sentence_without_torchs_advice(damage, zipped, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "damaged.pth"
    torch.save(
        {"state_dict": {"w": torch.zeros(9)}, "args": argparse.Namespace(a=1)},
        file,
        _use_new_zipfile_serialization=zipped,
    )
    content = bytearray(file.read_bytes())
    for place, value in damage:
        content[place % len(content)] = value
    file.write_bytes(content)
    said = ""
    try:
        load_checkpoint(file)
    except WeightsError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 600
    assert "file an issue" not in said
    assert "weights_only" not in said
