"""Clicks and masks as prompts of SAM and its successors."""

from __future__ import annotations

import pytest
import torch

from iiszoo.models.candidate_rule import chosen
from iiszoo.models.click_model import of_group
from iiszoo.models.point_prompts import Prompt, before_any_answer, clicked_alike, points, prompts_of


def test_points_are_in_the_order_of_the_clicks_and_scaled_by_axis() -> None:
    pcs = [[[], [(1, 2)]], [[(9, 9)], [(3, 4), (5, 6)]]]
    ncs = [[[], [(7, 8)]], [[], []]]
    found = points(pcs, ncs, 1, down=2, across=10)
    assert found.tolist() == [[20, 2, 1], [80, 14, 0], [40, 6, 1], [60, 10, 1]]
    assert points([[[]]], [[[]]], 0, 1, 1).shape == (0, 3)


def test_a_mask_from_outside_is_told_from_the_models_own_answer() -> None:
    def prior_logits(mask: torch.Tensor) -> torch.Tensor:
        return mask + 5

    x = torch.rand(2, 3, 8, 9)
    z = before_any_answer(x, 4)
    clicks = torch.zeros(1, 3), torch.ones(2, 3)
    assert prompts_of(z, clicks, prior_logits) == [Prompt(points, None, initial=False) for points in clicks]
    y = torch.rand(2, 1, 8, 9)
    answered = {"answered": torch.tensor([True, False]), "low_res_logits": torch.rand(2, 1, 4, 4)}
    z = {**z, **answered, "own_output": y, "prev_output": y}
    own, new = prompts_of(z, clicks, prior_logits)
    assert not own.initial
    assert torch.equal(own.mask, z["low_res_logits"][0])
    assert new.mask is None
    z["prev_output"] = torch.stack([y[0], torch.ones(1, 8, 9)])
    own, given = prompts_of(z, clicks, prior_logits)
    assert not own.initial
    assert given.initial
    assert given.mask.eq(6).all()


def test_who_has_clicks_is_grouped() -> None:
    prompts = [Prompt(torch.zeros(n, 3), None, initial=False) for n in (1, 0, 2, 1)]
    assert clicked_alike(prompts, lambda prompt: len(prompt.points)) == [[0, 3], [2]]
    values = torch.arange(4)
    assert of_group(values, [0, 3]).tolist() == [0, 3]
    assert of_group(values, [0, 1, 2, 3]) is values


@pytest.mark.parametrize(
    ("rule", "wanted"), [("default", [3, 0, 0, 2, 3]), ("segnext", [3, 3, 3, 3, 3]), ("single", [0, 0, 0, 0, 3])]
)
def test_the_candidate_that_answers(rule: str, wanted: list[int]) -> None:
    """Of one click; of two; of one with the last answer; of one with an initial mask; and where the single is unsure.

    Candidate k covers k + 1 of 4 columns, the masks the first three; candidate 3 has the highest predicted IoU.
    """
    covered = torch.ones(4, 4).tril().bool()
    masks = torch.where(covered, 1.0, -1.0)[None, :, None, :].expand(5, 4, 4, 4)
    mask = masks[0, 2:3]
    kinds = [(1, None, False), (2, None, False), (1, mask, False), (1, mask, True), (2, None, False)]
    prompts = [Prompt(torch.zeros(n, 3), given, initial) for n, given, initial in kinds]
    quality = torch.tensor([0.99, 0.2, 0.1, 0.4]).expand(5, 4)
    unsure = torch.tensor([False] * 4 + [True])
    assert chosen(rule, prompts, masks, quality, unsure).tolist() == wanted
