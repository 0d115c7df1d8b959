"""A run directory, or its safetensors file, is a model wherever a model is named."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import iiszoo
from iiszoo import files, trained_file
from iiszoo.errors import BadOption, WeightsError
from iiszoo.loading import load_model
from iiszoo.model_reference import TrainedReference, resolve
from iiszoo.object_path import is_function
from iiszoo.trained_file import named_file

SHIPPED = Path(iiszoo.__file__).parent / "models/weights/unet-lite0.safetensors"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    place = tmp_path / "a run?"
    place.mkdir()
    (place / "config.json").write_text("{}")
    shutil.copy(SHIPPED, place / "last.safetensors")
    return place


def test_what_names_a_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = str(run).replace("?", "%3F")
    assert named_file(called) == run / "last.safetensors"
    shutil.copy(SHIPPED, run / "best.safetensors")
    assert named_file(called + "?flip=true") == run / "best.safetensors"
    assert named_file("x/y.safetensors?flip=true") == Path("x/y.safetensors")
    monkeypatch.chdir(run.parent)
    assert named_file("a run%3F") == Path("a run?/best.safetensors")
    for other in ("sam", "sam/vit-b?rule=segnext", "module:function", str(run.parent), "", "?"):
        assert named_file(other) is None
    assert not is_function(called)


def test_its_identity_is_the_files_hash_wherever_it_lies(run: Path, tmp_path: Path) -> None:
    called = str(run).replace("?", "%3F")
    reference = resolve(called + "?second_look=true", options={"flip": False})
    assert isinstance(reference, TrainedReference)
    assert reference.name == called + "?flip=false&second_look=true"
    assert reference.threshold == 0.5
    assert reference.identity()["weights"] == [f"last.safetensors sha256 {files.sha256(SHIPPED)[0]}"]
    assert pickle.loads(pickle.dumps(reference)) == reference
    loaded = reference.load()
    assert loaded.name == reference.name
    again = resolve(loaded)
    assert again.name == reference.name
    assert again.identity() == reference.identity()


def test_it_answers_as_the_model_of_its_card_does() -> None:
    x = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(0))
    answers = []
    for name in ("smp?second_look=false", f"{SHIPPED}?second_look=false"):
        model = load_model(name)
        answers.append(model(x, model.init_z(x), [[[(30, 40)]]], [[[]]])[0])
    assert torch.equal(*answers)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("?flip=3", "option 'flip' must be true or false, not 3"),
        ("?second_look=some", "must be true or false"),
        ("?size=huge", "not a valid crop size"),
        ("?sighs=1", "has no option 'sighs'; it has size, flip, second_look"),
        ("?progressive_merge=odd", "progressive_merge"),
    ],
)
def test_a_wrong_option_is_named(options: str, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        load_model(f"{SHIPPED}{options}")


def _bare(path: Path) -> None:
    save_file({"x": torch.zeros(2)}, path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.write_bytes(b""), "cannot be read as safetensors"),
        (lambda path: path.write_bytes(b"\xff" * 40), "cannot be read as safetensors"),
        (lambda path: path.write_bytes(SHIPPED.read_bytes()[:-1000]), "cannot be read as safetensors"),
        (_bare, "was not written by `iiszoo train`"),
        (lambda path: save_file({}, path, metadata={trained_file.ENTRY: "{"}), "does not describe its network"),
        (lambda path: save_file({}, path, metadata={trained_file.ENTRY: "{}"}), "that this iiszoo cannot build"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, write, said: str) -> None:
    path = tmp_path / "x.safetensors"
    write(path)
    with pytest.raises(WeightsError, match=said) as error:
        load_model(str(path))
    assert str(path) in str(error.value)


def test_a_run_without_a_network_says_so(run: Path) -> None:
    (run / "last.safetensors").unlink()
    with pytest.raises(WeightsError, match="has not saved a network yet"):
        resolve(str(run).replace("?", "%3F"))
    with pytest.raises(BadOption, match="takes no checkpoint"):
        resolve(str(SHIPPED), checkpoint=SHIPPED)
