"""What is around SAM 2's network: one encoding, all clicks and the last logits as prompt, the candidate rules."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from iiszoo import protocol
from iiszoo.errors import BadOption
from iiszoo_sam2.frame import CLAMP, PRIOR_LOGIT, prior_logits, to_frame
from iiszoo_sam2.model import Sam2, stability
from iiszoo_sam2.parts import SHAPES

Tensor = torch.Tensor
X = [torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0))]


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


class Fixed:
    """Encoder and decoder in one: flat candidates with these logits and predicted IoUs; what was asked is kept."""

    def __init__(self, logits: tuple[float, ...] = (1, 2, 3, 4), quality: tuple[float, ...] = (0.99, 0.5, 0.7, 0.6)):
        self.logits, self.quality = torch.tensor([*map(float, logits)]), torch.tensor(quality)
        self.encoded = 0
        self.asked: list[tuple[Tensor, ...]] = []

    def encode(self, frame: Tensor) -> tuple[Tensor, ...]:
        assert frame.shape == (1, 3, 1024, 1024)
        self.encoded += 1
        return tuple(torch.full((1, *shape), float(self.encoded)) for shape in SHAPES.values())

    def decode(self, *prompt: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append(prompt)
        n = len(prompt[0])
        return self.candidates().expand(n, 4, 256, 256).clone(), self.quality.expand(n, 4)

    def candidates(self) -> Tensor:
        return self.logits.reshape(1, 4, 1, 1)

    def model(self, rule: str = "default") -> Sam2:
        return Sam2(self.encode, self.decode, rule)


def clicked(*counts: int) -> tuple[Any, Any]:
    """One interaction in which element b makes counts[b] positive clicks."""
    return [[[(3, 4 + k) for k in range(n)] for n in counts]], [[[] for _ in counts]]


def test_an_image_is_encoded_once_for_all_its_clicks_and_objects() -> None:
    network = Fixed()
    model = network.model()
    start = model.init_z(X)
    for _ in range(2):  # two objects
        z = start
        for k in range(3):
            _, z = model(X, z, [[[(3, 3)]]] * (k + 1), [[[]]] * (k + 1))
    assert network.encoded == 1
    assert len(network.asked) == 6


def test_sessions_with_equally_many_points_share_a_call() -> None:
    """Of different images and sizes, with and without a mask."""
    network = Fixed()
    model = network.model()
    x = [torch.rand(3, *size) for size in ((40, 60), (30, 20), (1, 50), (40, 60), (9, 9))]
    y, z = model(x, model.init_z(x), *clicked(1, 2, 1, 2, 0))
    assert [len(asked[0]) for asked in network.asked] == [2, 2]
    assert [asked[0][:, 0, 0, 0].tolist() for asked in network.asked] == [[1, 3], [2, 4]]  # each has its own features
    protocol.check_output(y, x, "sam2")
    assert not y[4].any(), "without a click the previous output stays"
    assert z["answered"].tolist() == [True, True, True, True, False]


def test_clicks_are_points_of_the_squashed_frame() -> None:
    network = Fixed()
    model = network.model()
    model(X, model.init_z(X), [[[(10, 20)]], [[]]], [[[]], [[(39, 59)]]])
    points = network.asked[0][3]
    wanted = [[20 * 1024 / 60, 10 * 1024 / 40, 1], [59 * 1024 / 60, 39 * 1024 / 40, 0]]
    assert torch.allclose(points, torch.tensor([wanted]))


def test_only_what_is_fed_back_is_clamped() -> None:
    network = Fixed((50, 50, 50, 50))
    model = network.model()
    y, z = model(X, model.init_z(X), *clicked(1))
    assert (
        torch.equal(y, torch.sigmoid(torch.full((1, 1, 40, 60), 50.0))) if isinstance(y, Tensor) else y[0].eq(1).all()
    )
    assert z["low_res_logits"].eq(CLAMP).all()
    model(X, z, [[[(3, 3)]], [[(5, 5)]]], [[[]], [[]]])
    (*_, no_mask, without), (*_, mask, with_mask) = network.asked
    assert (without.tolist(), with_mask.tolist()) == ([0], [1])
    assert not no_mask.any()
    assert torch.equal(mask, z["low_res_logits"])


@pytest.mark.parametrize(("rule", "chosen"), [("default", [3, 1, 1]), ("segnext", [3, 3, 3]), ("single", [1, 1, 1])])
def test_rules_of_candidates(rule: str, chosen: list[int]) -> None:
    model = Fixed().model(rule)
    z = model.init_z(X)
    for k in range(3):
        y, z = model(X, z, [[[(3, 3)]]] * (k + 1), [[[]]] * (k + 1))
        assert round(float(torch.logit(y[0][0, 4, 4]))) == chosen[k]


@pytest.mark.parametrize("rule", ["default", "single"])
def test_an_unstable_single_mask_is_replaced_by_the_best_of_three(rule: str) -> None:
    """Candidate 0 is within the delta everywhere: all of it possible, nothing sure."""
    model = Fixed((0.04, 2, 3, 4)).model(rule)
    z = model.init_z(X)
    for k in range(2):
        y, z = model(X, z, [[[(3, 3)]]] * (k + 1), [[[]]] * (k + 1))
        assert round(float(torch.logit(y[0][0, 4, 4]))) == 3


def test_stability_counts_pixels() -> None:
    mask = torch.full((1, 256, 256), -1.0)
    mask[:, :100, :10] = 1
    mask[:, :20, 10] = -0.04
    assert stability(mask).item() == pytest.approx(1000 / 1020)
    assert stability(torch.full((1, 256, 256), -1.0)).item() == 1


@pytest.mark.parametrize(("rule", "wanted"), [("default", 2), ("segnext", 1), ("single", 0)])
def test_a_mask_to_start_from_picks_the_candidate_that_keeps_it(rule: str, wanted: int) -> None:
    """Candidate k covers the first k + 1 quarters of the frame; the initial mask the first three."""

    class Quarters(Fixed):
        def candidates(self) -> Tensor:
            covered = torch.stack([(torch.arange(256) < 64 * (k + 1)).float() for k in range(4)])
            return (8 * covered - 4)[None, :, None, :].expand(1, 4, 256, 256)

    network = Quarters(quality=(0.1, 0.9, 0.7, 0.6))
    model = network.model(rule)
    prior = torch.zeros(1, 40, 60)
    prior[..., :45] = 1
    y, z = model(X, {**model.init_z(X), "prev_output": [prior]}, *clicked(1))
    assert int((y[0][0, 20] > 0.5).sum()) == 15 * (wanted + 1)
    assert torch.equal(network.asked[0][4], prior_logits(prior)[None])
    assert network.asked[0][4].abs().max() == PRIOR_LOGIT
    model(X, z, [[[(3, 3)]], [[(4, 4)]]], [[[]], [[]]])
    assert torch.equal(network.asked[1][4], z["low_res_logits"]), "from then on its own logits"


@pytest.mark.parametrize("size", [(1, 7), (300, 1), (1, 1), (2000, 3)])
def test_images_of_any_shape_fill_the_frame(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    frame = to_frame(image)
    assert frame.shape == (3, 1024, 1024)
    assert torch.allclose(frame.mean(dim=(1, 2)), image.mean(dim=(1, 2)), atol=0.02)
    model = Fixed().model()
    y, _ = model([image], model.init_z([image]), [[[(size[0] - 1, size[1] - 1)]]], [[[]]])
    protocol.check_output(y, [image], "sam2")


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(BadOption, match=r"option rule=best is unknown; rules: default, segnext, single"):
        Fixed().model("best")
