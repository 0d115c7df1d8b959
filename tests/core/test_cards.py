"""Cards say what a thing is without loading it, and refuse what could not be loaded or downloaded later."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from iiszoo.cards import DatasetCard, ModelCard, Option, RobotCard, Source, Weights, as_json, from_json
from iiszoo.registry import registry

HASH = "0123456789abcdef" * 4


def model(**fields: Any) -> ModelCard:
    return ModelCard(**{"id": "toy/small", "loader": "toy.model:load", "summary": "", "licence": "MIT", **fields})


def dataset(**fields: Any) -> DatasetCard:
    given = {"id": "toy", "loader": "toy:load", "summary": "", "licence": "MIT", "layout": ""}
    return DatasetCard(**{**given, **fields})


def robot(**fields: Any) -> RobotCard:
    return RobotCard(**{"id": "toy", "loader": "toy:load", "summary": "", **fields})


@pytest.mark.parametrize("id", ["sam/vit-b", "focalclick/segformerb3-s2", "sam2.1/hiera-b+", "0/1"])
def test_a_model_id_is_family_and_variant(id: str) -> None:
    assert model(id=id).family == id.split("/")[0]


@pytest.mark.parametrize("id", ["", "sam", "sam/", "/vit-b", "SAM/vit-b", "sam/vit/b", "sam/vit b", "../sam", "sam/-b"])
def test_other_model_ids_are_refused_by_name(id: str) -> None:
    with pytest.raises(ValueError, match="is not of the form family/variant") as error:
        model(id=id)
    assert repr(id) in str(error.value)


@pytest.mark.parametrize("make", [dataset, robot])
@pytest.mark.parametrize("id", ["", "a/b", "Davis", "folder:x", ".hidden", "two words"])
def test_dataset_and_robot_ids_are_one_word(make: Any, id: str) -> None:
    with pytest.raises(ValueError, match="is not of the form one word"):
        make(id=id)
    assert make(id="davis-2017_v1.0").family == "davis-2017_v1.0"


@pytest.mark.parametrize("make", [model, dataset, robot])
@pytest.mark.parametrize("loader", ["", "toy", "toy.load", "toy:", ":load", "toy:a.b", "toy model:load", "1toy:load"])
def test_a_loader_reads_module_colon_function(make: Any, loader: str) -> None:
    with pytest.raises(ValueError, match=r"loader must read 'package\.module:function'"):
        make(loader=loader)


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 49, float("nan")])
def test_a_threshold_is_a_probability(threshold: float) -> None:
    with pytest.raises(ValueError, match="toy/small: threshold must lie between 0 and 1"):
        model(threshold=threshold)


@pytest.mark.parametrize("filename", ["", "weights/sam.pth", "weights\\sam.pth", ".sam.pth", "../sam.pth"])
def test_weights_have_a_plain_file_name(filename: str) -> None:
    with pytest.raises(ValueError, match="must be a plain file name"):
        Weights(filename)


@pytest.mark.parametrize("sha256", ["", "abc", HASH.upper(), HASH + "0", "g" * 64])
def test_a_hash_is_64_lower_case_hex_digits(sha256: str) -> None:
    with pytest.raises(ValueError, match=r"Weights\.sha256 of sam\.pth"):
        Weights("sam.pth", sha256=sha256)
    assert Weights("sam.pth", sha256=HASH).sha256 == HASH


def test_a_card_cannot_be_changed_and_can_be_compared() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        model().threshold = 0.4  # type: ignore[misc]
    assert model() == model() != model(threshold=0.49)
    assert len({model(), model(), model(ragged=True)}) == 2


def test_a_card_becomes_json_with_everything_that_it_holds() -> None:
    card = model(
        weights=(Weights("small.pth", ("https://example.org/small.pth",), HASH, 5),),
        upstream=Source("https://example.org/toy", "c0ffee", "MIT"),
        prompts=("clicks", "mask"),
        training_datasets=("sbd",),
        options=(Option("reach", "how far a click reaches", 0.15), Option("flip", "false: no mirror", True)),
        input_size=(320, 320),
    )
    read = json.loads(json.dumps(as_json(card)))
    assert from_json(ModelCard, read) == card
    assert read["id"] == "toy/small"
    (file,) = read["weights"]
    assert (file["filename"], file["urls"], file["size"]) == ("small.pth", ["https://example.org/small.pth"], 5)
    assert read["upstream"] == {"repo": "https://example.org/toy", "commit": "c0ffee", "licence": "MIT"}
    assert read["prompts"] == ["clicks", "mask"]
    assert read["training_datasets"] == ["sbd"]
    assert read.keys() == {field.name for field in dataclasses.fields(ModelCard)}
    assert json.loads(json.dumps(as_json(robot(version=2))))["version"] == 2
    assert json.loads(json.dumps(as_json(dataset(embedded=True))))["embedded"] is True


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("release_date", "May 2023", "release_date must read YYYY-MM-DD, not 'May 2023'"),
        ("release_date", "20230405", "release_date must read YYYY-MM-DD"),
        ("input_size", (448,), r"input_size must be \(rows, columns\) in pixels"),
        ("input_size", (448, 0), "input_size must be"),
        ("network", "module", "network must read 'package.module:function', not 'module'"),
    ],
)
def test_what_a_reader_may_want_to_know_is_of_one_form(field: str, value: object, message: str) -> None:
    card = registry().models.resolve("classic/geocut")
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(card, **{field: value})
    known = dataclasses.replace(
        card, release_date="2023-04-05", input_size=(448, 448), network="a.b:c", citation="@misc{a}"
    )
    assert known.precisions == ("float32",)
