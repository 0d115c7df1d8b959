"""A session clicked by hand, and `run_session`, which must not differ from the loop of the design page."""

from __future__ import annotations

import numpy as np
import painting_models
import pytest
import torch

import iiszoo
from iiszoo import Session, run_session
from iiszoo.clicking.loading import load_robot
from iiszoo.errors import BadOption, ModelError
from iiszoo.loading import load_dataset
from iiszoo.protocol import as_model
from iiszoo.seeding import generator_for

MODELS = [painting_models.discs, painting_models.ragged_discs, painting_models.Remembering, painting_models.nothing]
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def plain_loop(model, dataset, *, max_clicks, target_iou, threshold):
    """Section 2 of the design page, one sample at a time: per sample its clicks, IoUs and the last mask."""
    plain, robot = [], load_robot("ritm")
    for i in range(len(dataset)):
        x = torch.from_numpy(dataset[i].read_image().transpose(2, 0, 1).copy())[None].float() / 255
        target, ignore = dataset[i].read_target()
        valid = np.ones_like(target) if ignore is None else ~ignore
        target_tensor = torch.from_numpy(target)[None, None]
        generators = [generator_for(dataset[i].id, "ritm", 0)]
        z = model.init_z(x)
        y = z["prev_output"]
        pcs, ncs, clicks, ious = [], [], [], []
        for _ in range(max_clicks):
            pcs, ncs = robot(y, target_tensor, pcs, ncs, generators=generators, threshold=threshold)
            if not pcs[-1][0] and not ncs[-1][0]:
                break
            clicks.append([[*click, 1] for click in pcs[-1][0]] + [[*click, 0] for click in ncs[-1][0]])
            y, z = model(x, z, pcs, ncs)
            mask = y[0, 0].numpy() > np.float32(threshold)
            ious.append((mask & target & valid).sum() / ((mask | target) & valid).sum())
            if ious[-1] >= target_iou:
                break
        plain.append((clicks, ious, y[0, 0].numpy() > np.float32(threshold)))
    return plain


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_run_session_is_the_loop_of_the_design_page(model, photos):
    dataset = load_dataset(photos(5, sizes=[(40, 56), (33, 47)], objects=2))
    rules = {"max_clicks": 8, "target_iou": 0.7, "threshold": 0.4}
    loaded = as_model(model() if isinstance(model, type) else model)
    plain = plain_loop(loaded, dataset, **rules)
    for sample, (clicks, ious, mask) in zip(dataset, plain, strict=True):
        steps = list(run_session(loaded, "ritm", sample, **rules))
        assert [[[*c, 1] for c in s.positives] + [[*c, 0] for c in s.negatives] for s in steps] == clicks
        assert [step.iou for step in steps] == ious
        np.testing.assert_array_equal(steps[-1].output[0, 0].numpy() > np.float32(0.4), mask)


def test_run_session_starts_from_the_samples_initial_mask(photos):
    (sample, *_) = load_dataset(f"{photos(1)}?initial=perturb:seed=0,iou=0.75-0.85")
    assert list(run_session(painting_models.discs, "ritm", sample, target_iou=0.7)) == [], "it is good enough already"
    assert len(list(run_session(painting_models.nothing, "ritm", sample, max_clicks=3))) == 3


def test_a_robot_learns_which_sample_it_clicks_on(photos):
    seen = []

    def recorded(outputs, targets, pcs, ncs, n_points=1, *, samples=None, **rest):
        seen.extend(samples)
        return [*pcs, [[]]], [*ncs, [[]]]

    dataset = load_dataset(photos(3))
    for sample in dataset:
        assert list(run_session(painting_models.discs, recorded, sample)) == []
    assert seen == [sample.id for sample in dataset]


def test_a_session_is_clicked_and_undone():
    session = Session(painting_models.Remembering(), IMAGE)
    assert not session.mask.any()
    first = session.click(10, 20)
    assert first[10, 20]
    before = session.state
    second = session.click(30, 40, positive=False)
    assert (session.pcs, session.ncs) == ([[[(10, 20)]], [[]]], [[[]], [[(30, 40)]]])
    assert session.probabilities.shape == session.mask.shape == (40, 56)
    assert session.probabilities.dtype == np.float32
    np.testing.assert_array_equal(session.undo(), first)
    assert session.state is before
    np.testing.assert_array_equal(session.click(30, 40, positive=False), second)
    session.undo()
    session.undo()
    assert not session.mask.any()
    with pytest.raises(BadOption, match="there is no click to undo"):
        session.undo()


def test_objects_of_one_image_share_its_encoding():
    model = painting_models.Remembering()
    session = Session(model, IMAGE)
    session.click(10, 20)
    other = session.restart()
    assert (len(other.pcs), model.encoded) == (0, 1)
    np.testing.assert_array_equal(other.click(10, 20), session.mask)


def test_a_session_corrects_a_mask():
    mask = np.zeros((40, 56), bool)
    mask[5:20, 5:20] = True
    for start in (mask, mask.astype(np.float32) * 0.75):
        session = Session(painting_models.nothing, IMAGE, initial_mask=start)
        np.testing.assert_array_equal(session.mask, mask)
    assert Session(painting_models.nothing, IMAGE, initial_mask=mask * np.float32(0.4), threshold=0.3).mask.any()


def test_a_session_takes_whatever_names_a_model():
    session = Session("classic", IMAGE)
    assert session.model.name == "classic/geocut"
    assert session.click(20, 30).shape == (40, 56)
    assert iiszoo.Session is Session


def test_what_a_session_cannot_use_is_named():
    session = Session(painting_models.discs, IMAGE)
    for row, col in ((-1, 0), (40, 0), (0, 56)):
        with pytest.raises(BadOption, match=rf"click \({row}, {col}\) lies outside the image of 40 rows"):
            session.click(row, col)
    with pytest.raises(BadOption, match=r"the mask has the shape \(4, 5\), but the image 40 rows and 56 columns"):
        Session(painting_models.discs, IMAGE, initial_mask=np.zeros((4, 5), bool))
    with pytest.raises(ModelError, match="must answer with probabilities"):
        Session(lambda x, z, pcs, ncs: x[:, :1] * 9 + 1, IMAGE).click(1, 1)
    assert session.pcs == []
