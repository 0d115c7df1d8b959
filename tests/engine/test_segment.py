"""`iiszoo.segment`: an image, some clicks, a mask, and going on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import iiszoo
from iiszoo.errors import BadOption, IISZooError

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (30, 50, 3), np.uint8)
ENCODED: list[int] = []


class Counting:
    """Remembers the clicks in its state; 1 at positive clicks, 0 at negative ones, else the previous output."""

    def init_z(self, x: torch.Tensor) -> dict[str, Any]:
        ENCODED.append(1)
        return {"seen": [0]}

    def __call__(self, x: torch.Tensor, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
        y = z["prev_output"].clone()
        for clicks, value in ((pcs, 1.0), (ncs, 0.0)):
            for row, col in clicks[-1][0]:
                y[0, 0, row, col] = value
        return y, {"prev_output": y, "seen": [z["seen"][0] + len(pcs[-1][0]) + len(ncs[-1][0])]}


@pytest.fixture
def model() -> Any:
    return iiszoo.load_model(Counting())


def test_the_default_model_segments_a_real_image() -> None:
    image = iiszoo.load_dataset("demo")[0].read_image()
    found = iiszoo.segment(image, positive=[(100, 220)])
    assert found.model == "smp/unet-lite0"
    assert (found.mask.dtype, found.mask.shape) == (bool, image.shape[:2])
    assert (found.probabilities.dtype, found.probabilities.shape) == (np.float32, image.shape[:2])
    session = iiszoo.Session("smp", image)
    assert np.array_equal(session.click(100, 220), found.mask)


def test_going_on_adds_clicks_and_encodes_nothing_again(model: Any) -> None:
    ENCODED.clear()
    first = iiszoo.segment(IMAGE, [(3, 4), (5, 6)], model=model)
    second = iiszoo.segment(IMAGE, negative=[(3, 4)], previous=first)
    again = iiszoo.segment(IMAGE, negative=[(5, 6)], previous=first, model=model)
    assert len(ENCODED) == 1
    assert np.argwhere(first.mask).tolist() == [[3, 4], [5, 6]], "what was returned does not change"
    assert np.argwhere(second.mask).tolist() == [[5, 6]]
    assert np.argwhere(again.mask).tolist() == [[3, 4]], "both went on from the first"
    assert second.session.state["seen"] == [3]


def test_another_model_goes_on_from_the_mask(model: Any) -> None:
    first = iiszoo.segment(IMAGE, [(3, 4)], model=model)
    merging = iiszoo.load_model(Counting(), progressive_merge="fixed")
    other = iiszoo.segment(Image.fromarray(IMAGE), [(9, 9)], model=merging, previous=first)
    assert other.mask[3, 4]
    assert len(other.session.pcs) == 1


def test_a_mask_is_corrected(model: Any, tmp_path: Path) -> None:
    mask = RNG.random((30, 50)) > 0.5
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for previous in (mask, mask.astype(np.float32), Image.fromarray(mask), tmp_path / "mask.png"):
        found = iiszoo.segment(IMAGE, [(3, 4)], [(5, 6)], model=model, previous=previous)
        assert (found.mask[3, 4], found.mask[5, 6]) == (True, False)
        assert (found.mask != mask).sum() <= 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 49)), min_size=1))
def test_one_call_equals_an_interaction_of_a_session(clicks: list[tuple[int, int]]) -> None:
    found = iiszoo.segment(IMAGE, clicks, model=Counting())
    session = iiszoo.Session(Counting(), IMAGE)
    assert np.array_equal(found.mask, session.interact(clicks, []))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, r"segment needs a click: positive=\[\(row, col\)\]"),
        ({"positive": (3, 4)}, r"for one click write \[\(3, 4\)\]"),
        ({"positive": [(45, 3)]}, r"did you mean \(3, 45\)"),
        ({"negative": [(3, 2000)]}, r"negative clicks: click \(3, 2000\) lies outside"),
        ({"positive": [(3, 4)], "previous": np.zeros((50, 30), bool)}, r"the mask has the shape \(50, 30\)"),
        ({"positive": [(3, 4)], "model": "no/such"}, "no model is called 'no/such'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(IISZooError, match=sentence):
        iiszoo.segment(IMAGE, **{"model": Counting(), **arguments})


def test_another_image_cannot_go_on(model: Any) -> None:
    first = iiszoo.segment(IMAGE, [(3, 4)], model=model)
    with pytest.raises(BadOption, match="previous is the segmentation of another image"):
        iiszoo.segment(255 - IMAGE, [(3, 4)], previous=first)


@pytest.mark.parametrize(
    "image", [torch.zeros(3, 4, 5, dtype=torch.uint8), torch.zeros(4, 5), torch.full((3, 4, 5), 200.0)]
)
def test_a_tensor_that_is_no_image_is_refused(image: torch.Tensor) -> None:
    with pytest.raises(BadOption, match="tensor"):
        iiszoo.Session(Counting(), image)
