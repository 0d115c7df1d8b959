"""The model around its network: what is encoded once, what a click reads, what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_segnext import small_model
from torch import Tensor

from iiszoo_segnext.model import SegNext


@pytest.fixture
def noted() -> tuple[SegNext, list[Any]]:
    """A model, and the shapes of all calls of its encoder and decoder."""
    calls: list[Any] = []
    model = small_model()
    encoder, decoder = model.encoder, model.decoder

    def encode(frame: Tensor) -> Tensor:
        calls.append(("encode", tuple(frame.shape)))
        return encoder(frame)

    def decode(features: Tensor, maps: Tensor) -> Tensor:
        calls.append(("decode", len(features)))
        return decoder(features, maps)

    return SegNext(encode, decode), calls


def pictures(*sizes: tuple[int, int]) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.rand(3, *size) for size in sizes]


def test_an_image_is_encoded_once_and_images_of_any_size_share_a_call(noted: Any) -> None:
    model, calls = noted
    x = pictures((30, 40), (50, 20), (1, 9))
    z = model.init_z(x)
    assert calls == [("encode", (1, 3, 1024, 1024))] * 3
    for k in range(2):
        y, z = model(x, z, [[[(0, 1)], [], [(0, 2)]]] * (k + 1), [[[], [(5, 5)], []]] * (k + 1))
    assert calls[3:] == [("decode", 3)] * 2
    assert [tuple(one.shape) for one in y] == [(1, 30, 40), (1, 50, 20), (1, 1, 9)]


def test_an_element_without_click_keeps_its_output(noted: Any) -> None:
    model, calls = noted
    x = torch.stack(pictures((30, 40), (30, 40)))
    z = model.init_z(x)
    z["prev_output"] = torch.full((2, 1, 30, 40), 0.25)
    y, _ = model(x, z, [[[], [(3, 3)]]], [[[], []]])
    assert (y[0] == 0.25).all()
    assert not torch.equal(y[1], y[0])
    assert calls[-1] == ("decode", 1)
    untouched, _ = model(x, z, [[[], []]], [[[], []]])
    assert torch.equal(untouched, z["prev_output"])


def test_a_click_reads_all_clicks_and_the_previous_probabilities_from_its_arguments() -> None:
    """A product that ships SegNext has its second click do nothing: it lost the mask on the way."""
    model = small_model()
    x = pictures((60, 80))
    z = model.init_z(x)
    first, after = model(x, z, [[[(20, 20)]]], [[[]]])
    second, _ = model(x, after, [[[(20, 20)]], [[]]], [[[]], [[(40, 60)]]])
    assert ((first[0] > 0.49) != (second[0] > 0.49)).any()
    again, _ = model(x, after, [[[(20, 20)]], [[]]], [[[]], [[(40, 60)]]])
    assert torch.equal(again[0], second[0])
    without_mask, _ = model(x, z, [[[(20, 20)]], [[]]], [[[]], [[(40, 60)]]])
    only_last, _ = model(x, after, [[[]], [[]]], [[[]], [[(40, 60)]]])
    binary = {**after, "prev_output": [(first[0] > 0.49).float()]}
    hardened, _ = model(x, binary, [[[(20, 20)]], [[]]], [[[]], [[(40, 60)]]])
    for other in (without_mask, only_last, hardened):
        assert (other[0] - second[0]).abs().max() > 1e-2


def test_many_sessions_are_answered_in_small_calls_on_a_cpu(noted: Any) -> None:
    model, calls = noted
    x = torch.stack(pictures((8, 8))).expand(6, -1, -1, -1)
    z = {**model.init_z(x[:1]), "prev_output": torch.zeros(6, 1, 8, 8)}
    z["image_features"] = z["image_features"].expand(6, -1, -1, -1)
    model(x, z, [[[(1, 1)]] * 6], [[[]] * 6])
    assert calls[-2:] == [("decode", 4), ("decode", 2)]
