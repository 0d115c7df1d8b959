"""The pipeline: many sessions at a time, which must not differ from `run_session`."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import painting_models
import pytest
import torch

from iiszoo.clicking.loading import load_robot
from iiszoo.clicking.single_sample import single_sample
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.engine import inference, pipeline
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.trace import unpack_mask
from iiszoo.engine.session import run_session
from iiszoo.loading import load_dataset
from iiszoo.object_path import function_name
from iiszoo.protocol import as_model

RULES = ResolvedProtocol(max_clicks=8, target_iou=0.7, threshold=0.5)
MODELS = [
    painting_models.discs,
    painting_models.ragged_discs,
    painting_models.Remembering,
    painting_models.RaggedRemembering,
    painting_models.nothing,
]


@single_sample
def careless(target, prediction, ignore, clicks, rng):
    """A robot that clicks on any wrong pixel: all its choices are random."""
    wrong = np.argwhere(target != prediction)
    return [tuple(rng.choice(wrong))] if len(wrong) else []


def fresh(model):
    """The model as `load_model` gives it; a new one of a class."""
    return as_model(model() if isinstance(model, type) else model)


def sessions(model, robot, dataset, rules):
    """`run_session` of every sample: its clicks, IoUs and the last mask."""
    for sample in dataset:
        steps = list(
            run_session(
                fresh(model),
                robot,
                sample,
                max_clicks=rules.max_clicks,
                target_iou=rules.target_iou,
                threshold=rules.threshold,
                seed=rules.seed,
            )
        )
        clicks = [
            [[*click, 1] for click in step.positives] + [[*click, 0] for click in step.negatives] for step in steps
        ]
        yield clicks, [step.iou for step in steps], steps[-1].output[0, 0].numpy() > np.float32(rules.threshold)


def run(model, dataset, rules=RULES, robot=None, **how):
    """What the pipeline's traces hold, in the order of samples."""
    traces = []
    robot = robot or load_robot(rules.robot)
    pipeline.run(as_model(model), robot, dataset, by_image(dataset), rules, traces.append, **how)
    assert len({trace.sample for trace in traces}) == len(traces) == len(dataset)
    return sorted(traces, key=lambda trace: trace.index)


@pytest.fixture(params=["one size", "sizes in turn"])
def dataset(request, photos):
    """Five photographs with two objects each."""
    sizes = {"one size": [(40, 56)], "sizes in turn": [(40, 56), (33, 47), (40, 56), (64, 24)]}[request.param]
    return load_dataset(photos(5, sizes=sizes, objects=2))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_pipeline_gives_the_very_clicks_and_ious_of_run_session(model, dataset):
    plain = list(sessions(model, "ritm", dataset, RULES))
    for batch_size in (1, 2, 5):
        traces = run(fresh(model), dataset, batch_size=batch_size)
        for trace, (clicks, ious, mask) in zip(traces, plain, strict=True):
            assert trace.clicks == clicks
            assert trace.iou == ious
            np.testing.assert_array_equal(unpack_mask(trace.final_mask, trace.size), mask)
            assert len(trace.model_seconds) == len(trace.robot_seconds) == len(clicks)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_beside_a_gpu_several_threads_give_the_very_same(model, dataset, monkeypatch):
    plain = [trace.results() for trace in run(fresh(model), dataset)]
    monkeypatch.setattr(pipeline, "_WORTH_A_THREAD", 0)
    threads = pipeline.threads_for("cuda:0", 4)
    assert threads.robots > 1
    assert threads.ahead == 4
    traces = run(fresh(model), dataset, batch_size=4, threads=threads)
    assert [trace.results() for trace in traces] == plain


def test_the_models_answer_so_differently_that_the_comparison_means_something(dataset):
    runs = [run(fresh(model), dataset) for model in (painting_models.discs, painting_models.Remembering)]
    assert [t.clicks for t in runs[0]] != [t.clicks for t in runs[1]]
    lengths = {len(trace.clicks) for traces in runs for trace in traces}
    assert len(lengths) > 2  # sessions end at different times, so that batches are refilled


@pytest.mark.parametrize("batch_size", [1, 4])
def test_real_photographs(batch_size):
    dataset = load_dataset("demo")
    rules = replace(RULES, max_clicks=3)
    model = painting_models.RaggedRemembering
    plain = sessions(model, "ritm", dataset, rules)
    traces = run(fresh(model), dataset, rules, batch_size=batch_size)
    assert [(trace.clicks, trace.iou) for trace in traces] == [(clicks, ious) for clicks, ious, _ in plain]


def test_a_random_robots_clicks_depend_on_sample_robot_and_seed_alone(dataset):
    results = {}
    for seed in (0, 1):
        rules = replace(RULES, robot=function_name(careless), seed=seed, max_clicks=4)
        plain = list(sessions(painting_models.discs, careless, dataset, rules))
        for batch_size in (1, 3):
            traces = run(painting_models.discs, dataset, rules, careless, batch_size=batch_size)
            assert [trace.clicks for trace in traces] == [clicks for clicks, _, _ in plain]
        results[seed] = [clicks for clicks, _, _ in plain]
    assert results[0] != results[1]


def test_generators_differ_by_sample_robot_and_seed_and_by_nothing_else():
    def drawn(*of):
        return inference.generator_for(*of).integers(1 << 60)

    assert drawn("a", "ritm", 0) == drawn("a", "ritm", 0)
    assert len({drawn(s, r, n) for s in ("a", "b") for r in ("ritm", "random") for n in (0, 1)}) == 8


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_init_z_runs_once_an_image_though_it_has_several_objects(dataset, batch_size):
    model = painting_models.Remembering()
    run(model, dataset, batch_size=batch_size)
    assert (len(dataset), model.encoded) == (10, 5)


def test_objects_of_one_image_start_from_the_same_state_and_do_not_see_each_other(dataset):
    together = run(painting_models.Remembering(), dataset, batch_size=2)
    for i in range(len(dataset)):
        alone = []
        pipeline.run(as_model(painting_models.Remembering()), load_robot("ritm"), dataset, [[i]], RULES, alone.append)
        assert alone[0].results() == together[i].results()


class Witness:
    """Checks that every call is one of the standard format, and that nothing it saw or said is changed afterwards."""

    def __init__(self, ragged):
        self.ragged = ragged
        self.seen = []
        self.sizes = set()
        self.last = {}  # by image and clicks: what was answered to this element last

    def init_z(self, x):
        assert isinstance(x, torch.Tensor)
        assert len(x) == 1
        z = {"features": x.mean(dim=(2, 3)), "names": [f"{float(x.sum())}"]}
        self._remember(x, z)
        return z

    def __call__(self, x, z, pcs, ncs):
        n = len(x)
        self.sizes.add(n)
        if isinstance(x, list):
            assert self.ragged
            assert len({image.shape for image in x}) > 1
        for image in x:
            assert image.dtype == torch.float32
            assert image.shape[0] == 3
            assert 0 <= image.min() <= image.max() <= 1
        assert isinstance(pcs, list)
        assert len(pcs) == len(ncs) > 0
        for interaction in (*pcs, *ncs):
            assert len(interaction) == n
        for value in z.values():
            assert len(value) == n
        for b, image in enumerate(x):
            height, width = image.shape[-2:]
            clicks = [(p[b], n_[b]) for p, n_ in zip(pcs, ncs, strict=True)]
            assert all(0 <= row < height and 0 <= col < width for p, n_ in clicks for row, col in (*p, *n_))
            assert [len(p) + len(n_) for p, n_ in clicks[-1:]] == [1]  # the newest interaction comes last
            made = [len(p) + len(n_) for p, n_ in clicks]
            assert made == sorted(made)  # no gap in a session's clicks
            assert z["names"][b] == f"{float(image.sum())}"
            assert torch.equal(z["features"][b], image.mean(dim=(1, 2)))
            before = z["prev_output"][b]
            assert before.shape == (1, height, width)
            earlier = str((z["names"][b], [pair for pair in clicks[:-1] if pair != ([], [])]))
            if earlier in self.last:
                assert any(torch.equal(before, answered) for answered in self.last[earlier])
            else:
                assert sum(made) == 1
                assert not before.any()
        y = painting_models.discs(x, z, pcs, ncs)
        for b in range(n):
            clicks = [(p[b], n_[b]) for p, n_ in zip(pcs, ncs, strict=True) if p[b] or n_[b]]
            self.last.setdefault(str((z["names"][b], clicks)), []).append(y[b].clone())
        z = {**z, "prev_output": y}
        self._remember(x, z, pcs, ncs, y)
        return y, z

    def _remember(self, *values):
        self.seen.append((values, copy.deepcopy(values)))

    def check_unchanged(self):
        for now, then in self.seen:
            assert equal(now, then)


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_model_sees_what_the_standard_format_promises_and_nobody_touches_it(dataset, ragged, batch_size):
    witness = Witness(ragged)
    traces = run(witness, dataset, batch_size=batch_size)
    assert not any(trace.error for trace in traces), traces
    assert max(witness.sizes) > 1 or batch_size == 1
    witness.check_unchanged()


class Photograph(EvaluationDataset):
    """A dataset of one sample, in memory."""

    name = "one"

    def __init__(self, image, target, ignore=None, initial_mask=None):
        self.image, self.target, self.initial_mask = image, Target(target, ignore), initial_mask

    def __len__(self):
        return 1

    def sample(self, i):
        return Sample("only", "only", (), lambda: self.image, lambda: self.target, lambda: self.initial_mask)


def square(size=12, begin=3, end=9):
    mask = np.zeros((size, size), bool)
    mask[begin:end, begin:end] = True
    return mask


def starting_from(initial, answer):
    """A model whose state starts from the mask `initial` and that always answers `answer`, both (H, W)."""

    class Correcting:
        def init_z(self, x):
            return {"prev_output": torch.from_numpy(initial.astype(np.float32))[None, None]}

        def __call__(self, x, z, pcs, ncs):
            return torch.from_numpy(answer.astype(np.float32))[None, None]

    return Correcting()


def one(image_shape=(12, 12)):
    return np.zeros((*image_shape, 3), np.uint8)


def test_an_initial_mask_that_is_good_enough_is_left_alone():
    dataset = Photograph(one(), square())
    (trace,) = run(starting_from(square(), square()), dataset)
    assert (trace.initial_iou, trace.clicks, trace.iou, trace.error) == (1.0, [], [], None)
    np.testing.assert_array_equal(unpack_mask(trace.final_mask, trace.size), square())


def test_the_first_click_corrects_the_initial_mask():
    dataset = Photograph(one(), square())
    too_large = square(end=12)
    (trace,) = run(starting_from(too_large, square()), dataset)
    assert trace.initial_iou == 36 / 81
    ((click,),) = trace.clicks
    assert click[2] == 0
    assert too_large[click[0], click[1]]
    assert not square()[click[0], click[1]]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_session_starts_from_the_mask_that_the_dataset_gives(batch_size):
    too_large = square(end=12)
    dataset = Photograph(one(), square(), initial_mask=too_large)
    (trace,) = run(painting_models.discs, dataset, batch_size=batch_size)
    assert trace.initial_iou == 36 / 81
    ((first,), *_) = trace.clicks
    assert first[2] == 0
    assert too_large[first[0], first[1]]
    assert trace.iou[0] > 36 / 81  # the model painted its first click onto that mask
    (trace,) = run(painting_models.discs, Photograph(one(), square(), initial_mask=square()))
    assert (trace.initial_iou, trace.clicks) == (1.0, [])


def test_a_session_ends_where_nothing_is_left_to_click():
    """The only wrong pixel was clicked, and the model does not listen."""
    target = np.zeros((12, 12), bool)
    target[5, 5] = True
    (trace,) = run(painting_models.nothing, Photograph(one(), target))
    assert trace.clicks == [[[5, 5, 1]]]
    assert trace.iou == [0.0]


def test_ignored_pixels_are_neither_clicked_nor_scored():
    target = square()
    ignore = np.zeros_like(target)
    ignore[:, 6:] = True
    half = target & ~ignore
    (trace,) = run(starting_from(np.zeros((12, 12)), half), Photograph(one(), target, ignore))
    assert trace.iou == [1.0]
    ((click,),) = trace.clicks
    assert click[1] < 6


@pytest.mark.parametrize("threshold", [0.49, 0.5])
def test_one_threshold_for_robot_score_and_kept_mask(threshold):
    """A probability that is exactly the threshold, in float32, is background for all three."""
    answer = np.where(square(), np.float32(threshold), np.float32(0))
    rules = replace(RULES, threshold=threshold, max_clicks=2)
    (trace,) = run(starting_from(np.zeros((12, 12)), answer), Photograph(one(), square()), rules)
    assert trace.iou == [0.0, 0.0]
    assert [click[2] for (click,) in trace.clicks] == [1, 1]
    assert not unpack_mask(trace.final_mask, trace.size).any()


def test_the_robot_sees_the_mask_that_is_scored():
    """A probability between the threshold and a half is object, so what is too much of it is clicked away."""
    too_much = np.where(square(begin=0), np.float32(0.495), np.float32(0))
    rules = replace(RULES, threshold=0.49, max_clicks=2)
    (trace,) = run(starting_from(np.zeros((12, 12)), too_much), Photograph(one(), square()), rules)
    assert trace.iou == [36 / 81, 36 / 81]
    assert [click[2] for (click,) in trace.clicks] == [1, 0]


@pytest.mark.parametrize("initial", [False, True])
def test_an_iou_that_is_exactly_the_target_is_good_enough(initial):
    half = square()
    half[:, 6:] = False
    rules = replace(RULES, target_iou=0.5)
    (trace,) = run(starting_from(half & initial, half), Photograph(one(), square()), rules)
    assert (trace.initial_iou, trace.iou) == ((0.5, []) if initial else (0.0, [0.5]))


def test_what_the_dataset_gave_is_not_changed():
    image = np.random.default_rng(0).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    target, ignore = square(), ~square(begin=1, end=11)
    given = image.copy(), target.copy(), ignore.copy()
    run(painting_models.discs, Photograph(image, target, ignore))
    for now, then in zip((image, target, ignore), given, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_model_may_put_more_into_z_when_it_first_answers(photos, batch_size):
    """DESIGN 2: the harness can put any running sessions into one call, also old ones with new ones."""
    dataset = load_dataset(photos(4, objects=2))
    plain = list(sessions(painting_models.growing_z, "ritm", dataset, RULES))
    traces = run(painting_models.growing_z, dataset, batch_size=batch_size)
    assert [(trace.clicks, trace.iou) for trace in traces] == [(clicks, ious) for clicks, ious, _ in plain]


def test_sessions_in_flight_fill_the_model_call(dataset):
    """Two lanes of `batch_size` sessions: as long as there are enough samples every call is full."""
    sizes = []

    def counting(x, z, pcs, ncs):
        sizes.append(len(x))
        return painting_models.ragged_discs(x, z, pcs, ncs)

    counting.ragged = True
    run(counting, dataset, batch_size=3)
    assert max(sizes) == 3
    assert sizes[:2] == [3, 3]
