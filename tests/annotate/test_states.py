"""States are exact: replayed, undone, evicted or moved to another process, an answer is what a session gives."""

from __future__ import annotations

import numpy as np
import painting_models
import pytest
import torch
from deeds import SIZE, WORK, can, event_of
from hypothesis import given, settings

from iiszoo import Session
from iiszoo.annotate import masks
from iiszoo.annotate.document import Click, History, Start, Stroke
from iiszoo.annotate.states import Moment, States, encode, next_moment
from iiszoo.annotate.strokes import covered
from iiszoo.errors import ModelError
from iiszoo.protocol import as_model, to_tensor

PIXELS = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
X = to_tensor(PIXELS)[None]
MODELS = {"one": as_model(painting_models.Remembering(), "one"), "two": as_model(painting_models.discs, "two")}
SAVED = {"start": masks.packed(np.random.default_rng(1).random(SIZE) > 0.5)}


def moment(states, steps, models=MODELS):
    """The moment after all steps, as the page computes it."""
    sights = {name: encode(model, X) for name, model in models.items()}
    reached = ()
    while reached != steps:
        reached, found = next_moment(states, 0, steps, SIZE, sights.__getitem__, SAVED.__getitem__)
    return found


def clicks(*at, model="one"):
    return tuple(Click(row, col, (row + col) % 3 > 0, model, n) for n, (row, col) in enumerate(at, 1))


def session_mask(steps, **given):
    session = Session(MODELS[steps[0].model], PIXELS, **given)
    for step in steps:
        session.click(step.row, step.col, step.positive)
    return session.mask


@pytest.mark.parametrize("model", MODELS)
def test_the_mask_is_that_of_a_session(model):
    steps = clicks((3, 4), (10, 20), (20, 8), (2, 2), model=model)
    for length in range(1, 5):
        np.testing.assert_array_equal(moment(States(), steps[:length]).mask, session_mask(steps[:length]))


def test_a_session_that_starts_from_a_mask():
    steps = clicks((3, 4), (10, 20))
    found = moment(States(), (Start("start"), *steps)).mask
    np.testing.assert_array_equal(found, session_mask(steps, initial_mask=SAVED["start"].mask()))


@settings(deadline=None, max_examples=40)
@given(WORK)
def test_undone_redone_replayed_or_evicted_the_mask_is_the_same(work):
    """States that keep everything, and states that keep only the newest, agree on every object at every moment."""
    rich, poor, history = States(), States(limit=0), History()
    n = 0
    for deed in work:
        asked = event_of(deed, history, mask="start")
        if asked is None or not can(history, *asked):
            continue
        n += 1
        history.add({"n": n, "at": 0.0, "do": asked[0], **asked[1]})
        current = history.document.worked_on
        if current is not None and current.steps:
            live = moment(rich, current.steps)
            torch.testing.assert_close(live.output, moment(poor, current.steps).output, rtol=0, atol=0)
    for found in history.document.objects:
        if found.steps:
            again = moment(States(), found.steps)
            torch.testing.assert_close(moment(rich, found.steps).output, again.output, rtol=0, atol=0)
    assert len(poor) <= 1


def test_a_removed_click_is_as_if_it_had_never_been_made():
    steps, states = clicks((3, 4), (10, 20), (20, 8)), States()
    moment(states, steps)
    without = (steps[0], steps[2])
    np.testing.assert_array_equal(moment(states, without).mask, session_mask(without))


def test_states_stay_within_their_memory_and_what_they_share_counts_once():
    feature = torch.zeros(1, 1000)
    outputs = [torch.zeros(1, 1, 10, 10) for _ in range(9)]
    states = States(limit=4000 + 3 * 400)
    for k, output in enumerate(outputs):
        z = {"prev_output": output, "feature": feature}
        states.keep(0, clicks(*[(k, k)] * (k + 1)), Moment(output, 0.5, [], [], "one", z))
        assert states.bytes == 4000 + 400 * min(k + 1, 3)
    assert len(states) == 3
    assert states.nearest(0, clicks(*[(8, 8)] * 12))[0] == 9


def test_the_least_recently_used_state_goes_first():
    states = States(limit=2 * 400)
    a, b, c = ((Start(name),) for name in "abc")
    for steps in (a, b):
        states.keep(0, steps, Moment(torch.zeros(1, 1, 10, 10), 0.5, [], []))
    assert states.get(0, a) is not None
    states.keep(0, c, Moment(torch.zeros(1, 1, 10, 10), 0.5, [], []))
    assert states.get(0, b) is None
    assert states.get(0, a) is not None


def test_a_stroke_is_in_the_mask_and_the_next_click_goes_on_from_it():
    seen = {}

    def looks(x, z, pcs, ncs):
        seen.update(previous=z["prev_output"].clone(), pcs=pcs)
        return painting_models.discs(x, z, pcs, ncs)

    models = {"one": as_model(looks, "one")}
    stroke, eraser = Stroke(((12, 4), (12, 28)), 5, False), Stroke(((12, 16),), 3, True)
    (first, second), states = clicks((3, 4), (20, 20)), States()
    painted = moment(states, (first, stroke, eraser), models).mask
    assert painted[10:15, 4].all()
    assert not painted[12, 16]
    moment(states, (first, stroke, eraser, second), models)
    np.testing.assert_array_equal(seen["previous"][0, 0].numpy() > 0.5, painted)
    assert len(seen["pcs"]) == 2, "the model gets the clicks before the stroke too"


def test_another_model_goes_on_from_the_mask_and_all_clicks():
    seen = {}

    class Looks(painting_models.Remembering):
        def __call__(self, x, z, pcs, ncs):
            seen.update(z=z, pcs=pcs)
            return super().__call__(x, z, pcs, ncs)

    models = {"one": MODELS["two"], "two": as_model(Looks(), "two")}
    steps = (*clicks((3, 4), (10, 20)), Click(20, 8, True, "two"))
    before = moment(States(), steps[:2], models)
    moment(States(), steps, models)
    assert seen["z"]["turns"] == [0]
    torch.testing.assert_close(seen["z"]["prev_output"], before.output)
    assert len(seen["pcs"]) == 3


def test_a_faulty_model_is_named():
    def breaks(x, z, pcs, ncs):
        raise ValueError("no")

    with pytest.raises(ModelError, match="model broken raised ValueError: no"):
        moment(States(), clicks((1, 1)), {"one": as_model(breaks, "broken")})
    with pytest.raises(ModelError, match="must answer with shape"):
        moment(States(), clicks((1, 1)), {"one": as_model(lambda x, z, p, n: x[:, :1, 1:], "flat")})


@pytest.mark.parametrize("size", [1, 2, 3, 8, 15])
def test_a_dab_is_a_disc_as_wide_as_the_brush(size):
    rows, cols, part = covered(Stroke(((20, 20),), size, False), (40, 40))
    found = np.zeros((40, 40), bool)
    found[rows, cols] = part
    at = np.arange(40) - 20
    np.testing.assert_array_equal(found, at[:, None] ** 2 + at**2 <= (size / 2) ** 2)


@pytest.mark.parametrize(
    "points", [((0, 0), (0, 39)), ((39, 39),), ((5, 5), (30, 8), (2, 38)), ((60, 60),), ((0, 70),)]
)
def test_strokes_over_the_border_are_cut(points):
    rows, cols, part = covered(Stroke(points, 9, False), (40, 40))
    found = np.zeros((40, 40), bool)
    found[rows, cols] = part
    for row, col in points:
        if row < 40 and col < 40:
            assert found[row, col]


def test_a_stroke_has_no_gaps_and_the_right_width():
    _, _, part = covered(Stroke(((20, 5), (20, 35)), 7, False), (40, 40))
    assert part[:, part.shape[1] // 2].sum() == 7
    assert part[part.shape[0] // 2].all()
