"""SAM as a model of the standard format: pure, batched, ragged, one encoding per image; the candidate rules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from iiszoo import protocol
from iiszoo.errors import BadOption
from iiszoo_sam.model import Sam
from iiszoo_sam.prompts import prior_logits

Tensor = torch.Tensor
SIZES = [(40, 60), (70, 33), (40, 60)]
CLICKS = [[(10, 20)], [(30, 12), (5, 5)], [(39, 59)]]


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def images() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, *size, generator=generator) for size in SIZES]


class Recording:
    """A backend that records its calls."""

    device = "cpu"
    encodings = ("embedding",)

    def __init__(self, backend: Any) -> None:
        self.backend, self.encoded, self.asked = backend, 0, []

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        self.encoded += 1
        return self.backend.encode(frame)

    def decode(self, *prompt: Any) -> tuple[Tensor, Tensor]:
        self.asked.append(prompt)
        return self.backend.decode(*prompt)


def play(model: Any, x: Any, n: int, z: Any = None) -> list[Any]:
    """The outputs of `n` interactions: positive clicks, negative ones in the second, one element without clicks."""
    z = model.init_z(x) if z is None else z
    pcs: Any = []
    ncs: Any = []
    outputs = []
    for k in range(n):
        shifted = [[((r + 7 * k) % 30, (c + 5 * k) % 30) for r, c in CLICKS[b]] for b in range(len(x))]
        nothing: Any = [[] for _ in range(len(x))]
        pcs, ncs = ([*pcs, nothing], [*ncs, shifted]) if k == 1 else ([*pcs, shifted], [*ncs, nothing])
        y, z = model(x, z, pcs, ncs)
        outputs.append(y)
    return outputs


def test_outputs_are_probabilities_at_the_images_own_size(backend: Any, images: list[Tensor]) -> None:
    for y in play(Sam(backend), images, 3):
        protocol.check_output(y, images, "sam")
    x = torch.stack([images[0], images[2]])
    for y in play(Sam(backend), x, 2):
        protocol.check_output(y, x, "sam")
    assert y.std() > 0.05


def test_the_batch_does_not_matter(backend: Any, images: list[Tensor]) -> None:
    """Sessions of images of several sizes, with different numbers of clicks, in one call and alone."""
    model = Sam(backend)
    together = play(model, images, 3)
    for b in range(len(images)):
        one = [[CLICKS[b]]]
        z = model.init_z([images[b]])
        pcs: Any = []
        ncs: Any = []
        for k in range(3):
            shifted = [[((r + 7 * k) % 30, (c + 5 * k) % 30) for r, c in one[0][0]]]
            pcs, ncs = ([*pcs, [[]]], [*ncs, shifted]) if k == 1 else ([*pcs, shifted], [*ncs, [[]]])
            y, z = model([images[b]], z, pcs, ncs)
            assert torch.allclose(y[0], together[k][b], atol=1e-4)


def test_a_state_parts_and_joins(backend: Any, images: list[Tensor]) -> None:
    model = Sam(backend)
    z = model.init_z(images)
    _, z = model(images, z, [CLICKS], [[[], [], []]])
    again = protocol.stack(protocol.split(z))
    assert again.keys() == z.keys()
    pcs, ncs = [CLICKS, [[], [], []]], [[[], [], []], CLICKS]
    first, second = model(images, z, pcs, ncs)[0], model(images, again, pcs, ncs)[0]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_is_kept_and_nothing_is_changed(backend: Any, images: list[Tensor]) -> None:
    model = Sam(backend)
    z = model.init_z(images)
    pcs, ncs = [CLICKS], [[[], [], []]]
    before = copy.deepcopy((images, z, pcs, ncs))
    first, _ = model(images, z, pcs, ncs)
    model(
        images[:1], protocol.split(z)[1] | {"prev_output": [torch.ones(1, 40, 60)]}, [[[(1, 1)]]], [[[]]]
    )  # another session
    second, _ = model(images, z, pcs, ncs)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert str((images, z, pcs, ncs)) == str(before)


def test_an_image_is_encoded_once_for_all_its_clicks_and_objects(backend: Any, images: list[Tensor]) -> None:
    recording = Recording(backend)
    model = Sam(recording)
    z = model.init_z(images[:1])
    for _ in range(2):  # two objects
        play(model, images[:1], 3, z)
    assert recording.encoded == 1
    assert len(recording.asked) == 6


def test_without_clicks_the_previous_output_stays(backend: Any, images: list[Tensor]) -> None:
    model = Sam(backend)
    z = model.init_z(images)
    y, z = model(images, z, [], [])
    assert all(not mask.any() for mask in y)
    y, z = model(images, z, [[[], [(3, 3)], []]], [[[], [], []]])
    assert not y[0].any()
    assert y[1].any()
    assert z["answered"].tolist() == [False, True, False]


def test_all_clicks_so_far_and_the_last_logits_are_the_prompt(backend: Any, images: list[Tensor]) -> None:
    recording = Recording(backend)
    model = Sam(recording)
    z = model.init_z(images[:1])
    _, z = model(images[:1], z, [[[(10, 20)]]], [[[]]])
    _, after = model(images[:1], z, [[[(10, 20)]], [[]]], [[[]], [[(39, 59)]]])
    (_, coords, labels, masks), (_, more, both, fed) = recording.asked
    scale = 1024 / 60  # (40, 60) becomes (683, 1024) in the frame
    assert torch.allclose(coords, torch.tensor([[[20 * scale, 10 * 683 / 40]]]))
    assert labels.tolist() == [[1]]
    assert masks is None
    assert torch.allclose(more[0, 1], torch.tensor([59 * scale, 39 * 683 / 40]))
    assert both.tolist() == [[1, 0]]
    assert torch.equal(fed, z["low_res_logits"])
    assert not torch.equal(after["low_res_logits"], fed)


def test_a_mask_to_start_from_becomes_the_mask_prompt(backend: Any, images: list[Tensor]) -> None:
    recording = Recording(backend)
    model = Sam(recording)
    prior = torch.zeros(1, 1, 40, 60)
    prior[..., 10:30, 5:40] = 1
    z = {**model.init_z(images[:1]), "prev_output": prior}
    _, z = model(images[:1], z, [[[(10, 20)]]], [[[]]])
    assert torch.equal(recording.asked[0][3], prior_logits(prior[0])[None])
    _, later = model(images[:1], z, [[[(10, 20)]], [[(1, 1)]]], [[[]], [[]]])
    assert torch.equal(recording.asked[1][3], z["low_res_logits"])  # from then on the model's own
    z = {**later, "prev_output": prior}  # again an initial mask
    model(images[:1], z, [[[(10, 20)]], [[(1, 1)]], [[(2, 2)]]], [[[]], [[]], [[]]])
    assert torch.equal(recording.asked[2][3], prior_logits(prior[0])[None])


class Fixed:
    """A backend with four flat candidates: logits 1, 2, 3, 4, with these predicted IoUs."""

    device = "cpu"
    encodings = ("embedding",)

    def __init__(self, quality: list[float]) -> None:
        self.quality = torch.tensor(quality)

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        return {"embedding": torch.zeros(1, 256, 64, 64)}

    def decode(self, image: Any, coords: Tensor, *prompt: Any) -> tuple[Tensor, Tensor]:
        levels = torch.arange(1.0, 5).reshape(1, 4, 1, 1).expand(len(coords), 4, 256, 256)
        return levels, self.quality.expand(len(coords), 4)


@pytest.mark.parametrize(("rule", "chosen"), [("default", [3, 1, 1]), ("segnext", [3, 3, 3]), ("single", [1, 1, 1])])
def test_rules_of_candidates(rule: str, chosen: list[int]) -> None:
    model = Sam(Fixed([0.99, 0.5, 0.7, 0.6]), rule)
    x = [torch.rand(3, 20, 30)]
    outputs = play(model, x, 3)
    assert [round(float(torch.logit(y[0][0, 4, 4]))) for y in outputs] == chosen


@pytest.mark.parametrize(("rule", "wanted"), [("default", 2), ("segnext", 1), ("single", 0)])
def test_a_mask_to_start_from_picks_the_candidate_that_keeps_it(rule: str, wanted: int) -> None:
    """Candidate k covers the first k + 1 quarters of the frame; the initial mask the first three."""

    class Quarters(Fixed):
        def decode(self, image: Any, coords: Tensor, *prompt: Any) -> tuple[Tensor, Tensor]:
            columns = torch.arange(256)
            covered = torch.stack([(columns < 64 * (k + 1)).float() for k in range(4)])
            masks = (8 * covered - 4)[None, :, None, :].expand(len(coords), 4, 256, 256)
            return masks, self.quality.expand(len(coords), 4)

    x = [torch.rand(3, 40, 40)]
    prior = torch.zeros(1, 40, 40)
    prior[..., :30] = 1
    model = Sam(Quarters([0.1, 0.9, 0.7, 0.6]), rule)
    y, _ = model(x, {**model.init_z(x), "prev_output": [prior]}, [[[(3, 3)]]], [[[]]])
    assert int((y[0][0, 20] > 0.5).sum()) == 10 * (wanted + 1)


def test_an_unknown_rule_is_named(backend: Any) -> None:
    with pytest.raises(BadOption, match=r"option rule=best is unknown; rules: default, segnext, single"):
        Sam(backend, "best")
