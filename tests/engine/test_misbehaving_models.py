"""Whatever a model does wrong costs the samples that it does it on, whoever shares a call with them, and no others."""

from __future__ import annotations

import logging
import sys

import numpy as np
import painting_models
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.clicking.loading import load_robot
from iiszoo.clicking.single_sample import single_sample
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.engine import inference, pipeline
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.errors import TEXT_LIMIT, ModelError, RobotError, one_line, text_of
from iiszoo.protocol import as_model

RULES = EvaluationProtocol(max_clicks=3, target_iou=0.99, threshold=0.5)
SIDES = 14, 18


class Squares(EvaluationDataset):
    """A dataset in memory: image i has the value i in all pixels, and a square to be segmented."""

    name = "squares"

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def sample(self, i):
        mask = np.zeros(SIDES, bool)
        mask[2 + i : 8 + i, 4:12] = True
        return Sample(f"s{i}", f"s{i}", (), lambda: np.full((*SIDES, 3), i, np.uint8), lambda: Target(mask, None))


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even this")

    __repr__ = __str__


class Wordless(Exception):
    def __str__(self):
        return 3  # noqa: PLE0307

    __repr__ = __str__


class Leaving(BaseException):
    pass


def raises(error):
    def misbehave(y, z):
        raise error

    return misbehave


def endless(y, z):
    return endless(y, z)


def emptied(y, z):
    z.clear()
    raise ValueError("and z is empty now")


def answers(change):
    return lambda y, z: (change(y), z)


def states(change):
    return lambda y, z: (y, change(y, z))


MISDEEDS = {
    "raises": raises(ValueError("no")),
    "raises without words": raises(ValueError()),
    "str() raises": raises(Unspeakable()),
    "str() is no text": raises(Wordless()),
    "a megabyte": raises(ValueError("x" * 1_000_000)),
    "surrogates and escapes": raises(ValueError("\ud800 \x1b[2J\x00")),
    "ModelError": raises(ModelError("not with me")),
    "ModelError of a megabyte": raises(ModelError("y" * 1_000_000)),
    "sys.exit": lambda y, z: sys.exit("needs a GPU"),
    "sys.exit(0)": lambda y, z: sys.exit(0),
    "exit": lambda y, z: exit(3),
    "GeneratorExit": raises(GeneratorExit()),
    "StopIteration": raises(StopIteration()),
    "BaseException": raises(Leaving("bye")),
    "MemoryError": raises(MemoryError()),
    "recursion": endless,
    "z emptied": emptied,
    "None": lambda y, z: None,
    "an empty tuple": lambda y, z: (),
    "three": lambda y, z: (y, z, 3),
    "a generator": lambda y, z: (part for part in y),
    "a string": lambda y, z: "mask",
    "numpy": answers(lambda y: y.numpy()),
    "a list": answers(list),
    "an empty list": answers(lambda y: []),
    "too few": answers(lambda y: y[:-1]),
    "too many": answers(lambda y: torch.cat([y, y])),
    "a scalar": answers(lambda y: y.sum()),
    "no channel": answers(lambda y: y[:, 0]),
    "two channels": answers(lambda y: torch.cat([y, y], 1)),
    "narrow": answers(lambda y: y[..., :-1]),
    "turned": answers(lambda y: y.transpose(2, 3)),
    "float64": answers(lambda y: y.double()),
    "float16": answers(lambda y: y.half()),
    "bfloat16": answers(lambda y: y.bfloat16()),
    "bool": answers(lambda y: y > 0.5),
    "uint8": answers(lambda y: (255 * y).byte()),
    "complex": answers(lambda y: y.to(torch.complex64)),
    "quantised": answers(lambda y: torch.quantize_per_tensor(y, 0.1, 0, torch.quint8)),
    "sparse": answers(lambda y: y.to_sparse()),
    "on meta": answers(lambda y: y.to("meta")),
    "NaN": answers(lambda y: y * float("nan")),
    "infinite": answers(lambda y: y + float("inf")),
    "above one": answers(lambda y: y + 1.5),
    "below zero": answers(lambda y: y - 1.5),
    "z of no entries": states(lambda y, z: {}),
    "z None": states(lambda y, z: None),
    "z a list": states(lambda y, z: [z]),
    "z with a number": states(lambda y, z: {**z, "n": 3}),
    "z with None": states(lambda y, z: {**z, "n": None}),
    "z with a string": states(lambda y, z: {**z, "n": "ab"}),
    "z with a tuple": states(lambda y, z: {**z, "n": tuple(range(len(y)))}),
    "z with a dict": states(lambda y, z: {**z, "n": {b: b for b in range(len(y))}}),
    "z with numpy": states(lambda y, z: {**z, "n": y.numpy()}),
    "z with a scalar": states(lambda y, z: {**z, "n": y.sum()}),
    "z with too few": states(lambda y, z: {**z, "n": y[1:]}),
    "z with too many": states(lambda y, z: {**z, "n": [0] * (len(y) + 1)}),
}
"""What a model may do in the place of an answer, given the right y and z."""

ODD_BUT_SOUND = {
    "requires grad": answers(lambda y: y.clone().requires_grad_()),
    "a graph": answers(lambda y: torch.enable_grad()(lambda: y.clone().requires_grad_() * 1)()),
    "a Parameter": answers(torch.nn.Parameter),
    "inference mode": answers(lambda y: torch.inference_mode()(lambda: y * 1)()),
    "not contiguous": answers(lambda y: y.transpose(2, 3).contiguous().transpose(2, 3)),
    "negative bit": answers(lambda y: torch.complex(y, -y).conj().imag),
    "z requires grad": states(lambda y, z: {**z, "n": y.clone().requires_grad_()}),
    "z sparse": states(lambda y, z: {**z, "n": y.to_sparse()}),
    "z on meta": states(lambda y, z: {**z, "n": y.to("meta") if len(y) % 2 else y}),
    "z of objects": states(lambda y, z: {**z, "n": [object() for _ in y]}),
    "z without prev_output": states(lambda y, z: {"n": y}),
}


class Misbehaving:
    """Sound but on the images `on`, at click `at`; there the whole batch is answered by `misdeed`."""

    def __init__(self, misdeed, on, at, ragged=False):
        self.misdeed, self.on, self.at, self.ragged = misdeed, on, at, ragged

    def __call__(self, x, z, pcs, ncs):
        before = z.get("prev_output", torch.zeros(len(x), 1, *SIDES))
        y = painting_models.discs(x, {"prev_output": before}, pcs, ncs)
        y, z = torch.stack(list(y)), {**z, "prev_output": y}
        for b, image in enumerate(x):
            n = sum(bool(p[b] or n[b]) for p, n in zip(pcs, ncs, strict=True))
            if n == self.at and round(255 * float(image[0, 0, 0])) in self.on:
                return self.misdeed(y, z)
        return y, z


def run(model, n=6, batch_size=1, robot=None, keep_going=True, threads=None):
    traces = []
    dataset = Squares(n)
    robot = robot or load_robot("ritm")
    pipeline.run(
        as_model(model, "mine"), robot, dataset, by_image(dataset), RULES, traces.append, batch_size=batch_size,
        keep_going=keep_going, threads=threads,
    )  # fmt: skip
    assert sorted(trace.sample for trace in traces) == [f"s{i}" for i in range(n)]
    return {trace.index: trace for trace in traces}


def failing(traces):
    return {i for i, trace in traces.items() if trace.error is not None}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_the_samples_that_fail_do_not_depend_on_the_batch(misdeed):
    for batch_size in (1, 2, 5):
        traces = run(Misbehaving(MISDEEDS[misdeed], {1, 4}, at=2), batch_size=batch_size)
        assert failing(traces) == {1, 4}
        for i in (1, 4):
            assert "model mine" in traces[i].error
            assert f"sample 's{i}' at click 2" in traces[i].error
            assert len(traces[i].error) < 5 * TEXT_LIMIT
            assert len(traces[i].to_line()) < 40_000
            assert traces[i].error.isprintable()


@pytest.mark.parametrize("misdeed", ODD_BUT_SOUND)
def test_what_is_odd_but_sound_is_taken(misdeed):
    plain = run(Misbehaving(None, set(), at=2))
    for batch_size in (1, 2, 5):
        traces = run(Misbehaving(ODD_BUT_SOUND[misdeed], {1, 4}, at=2), batch_size=batch_size)
        assert not failing(traces), traces[1].error
        if misdeed != "z without prev_output":
            assert [traces[i].results() for i in range(6)] == [plain[i].results() for i in range(6)]


@given(
    misdeed=st.sampled_from(sorted(MISDEEDS)),
    on=st.sets(st.integers(0, 5)),
    at=st.integers(1, 3),
    batch_size=st.integers(2, 7),
    ragged=st.booleans(),
    threads=st.sampled_from([None, pipeline.Threads(2, 2, ahead=3)]),
)
@settings(max_examples=40, deadline=None)
def test_any_misdeed_on_any_samples_at_any_click(misdeed, on, at, batch_size, ragged, threads):
    model = Misbehaving(MISDEEDS[misdeed], on, at, ragged)
    alone, together = run(model), run(model, batch_size=batch_size, threads=threads)
    assert failing(alone) == failing(together) == on
    assert [alone[i].results()["iou"] for i in range(6)] == [together[i].results()["iou"] for i in range(6)]


class MisbehavingOnBatches(Misbehaving):
    def __call__(self, x, z, pcs, ncs):
        y, z = super().__call__(x, z, pcs, ncs)
        return (y, z) if len(x) == 1 else self.misdeed(y, z)


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_model_for_single_samples_is_named_as_one_or_asked_for_single_samples(misdeed, caplog):
    sound = run(Misbehaving(None, set(), 0))
    model = MisbehavingOnBatches(MISDEEDS[misdeed], set(), 0)
    with pytest.raises(ModelError, match=r"model mine.* on a batch of 2 samples \(s0, s1\), .*--batch-size 1$"):
        run(model, batch_size=2, keep_going=False)
    with caplog.at_level(logging.WARNING):
        traces = run(model, batch_size=3)
    assert [traces[i].results() for i in range(6)] == [sound[i].results() for i in range(6)]
    assert len([r for r in caplog.records if "one sample at a time" in r.getMessage()]) == 1


@pytest.mark.parametrize("misdeed", sorted({*MISDEEDS} - {"a list"}))  # a list of outputs is a sound entry of z
def test_init_z_too(misdeed):
    class Starting:
        def init_z(self, x):
            sound = {"prev_output": torch.zeros(len(x), 1, *SIDES)}
            if round(255 * float(x[0, 0, 0, 0])) != 1:
                return sound
            answer = MISDEEDS[misdeed](sound["prev_output"], sound)
            if not isinstance(answer, tuple) or len(answer) != 2:
                return answer
            y, z = answer
            return {**z, "prev_output": y} if isinstance(z, dict) and z else {"prev_output": 3}

        __call__ = staticmethod(painting_models.discs)

    for batch_size in (1, 3):
        traces = run(Starting(), n=4, batch_size=batch_size)
        assert failing(traces) == {1}
        assert "sample 's1'" in traces[1].error
        assert len(traces[1].error) < 5 * TEXT_LIMIT


def test_ctrl_c_in_a_model_ends_the_run():
    with pytest.raises(KeyboardInterrupt):
        run(Misbehaving(raises(KeyboardInterrupt()), {1}, at=1))


@pytest.mark.parametrize("error", [SystemExit("no"), GeneratorExit(), Unspeakable(), RecursionError()])
@pytest.mark.parametrize("name", ["ragged", "init_z"])
def test_attributes_that_raise(error, name):
    class Fragile:
        __call__ = staticmethod(painting_models.discs)

    def refuse(self):
        raise error

    setattr(Fragile, name, property(refuse))
    if name == "init_z":
        assert failing(run(Fragile(), n=2)) == {0, 1}
    else:
        with pytest.raises(ModelError, match="model mine: its attribute ragged cannot be read"):
            run(Fragile(), n=2)


def robot_that(act):
    @single_sample
    def robot(target, prediction, ignore, clicks, rng):
        return act()

    return robot


ROBOTS = {
    "sys.exit": robot_that(lambda: sys.exit(0)),
    "GeneratorExit": lambda *a, **k: raises(GeneratorExit())(0, 0),
    "str() raises": lambda *a, **k: raises(Unspeakable())(0, 0),
    "BaseException": lambda *a, **k: raises(Leaving())(0, 0),
    "None": lambda *a, **k: None,
    "three": lambda y, t, p, n, **k: (p, n, 3),
    "no interaction": lambda y, t, p, n, **k: (p, n),
    "no element": lambda y, t, p, n, **k: ([*p, []], [*n, []]),
    "clicks of words": lambda y, t, p, n, **k: ([*p, [["ab"]]], [*n, [[]]]),
    "clicks of three": lambda y, t, p, n, **k: ([*p, [[(1, 2, 3)]]], [*n, [[]]]),
    "NaN": lambda y, t, p, n, **k: ([*p, [[(float("nan"), 1)]]], [*n, [[]]]),
    "a number": lambda y, t, p, n, **k: ([*p, [3]], [*n, [[]]]),
}


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_that_misbehaves_is_named(robot):
    with pytest.raises(RobotError, match=r"robot ritm raised .*[(; ]on sample 's0' at click 0\)"):
        run(painting_models.discs, n=2, robot=ROBOTS[robot])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (ValueError(), "ValueError"),
        (Unspeakable(), "Unspeakable: (no text: its str() raises RuntimeError)"),
        (Wordless(), "Wordless: (no text: its str() raises TypeError)"),
        (ValueError("\x1b[31mred\x00\ud800"), "ValueError: \\x1b[31mred\\x00\\ud800"),
        (ValueError("größer, 大"), "ValueError: größer, 大"),
        (ValueError("x" * 501), f"ValueError: {'x' * 500} ... (1 more characters)"),
    ],
)
def test_an_exception_on_one_line(error, said):
    assert one_line(error) == said


@given(st.text(max_size=3000))
@settings(max_examples=50, deadline=None)
def test_text_of_an_exception_is_bounded_and_printable(text):
    said = text_of(ValueError(text), 50)
    assert said.isprintable()
    assert len(said) <= 10 * 50 + 40


def test_the_failure_of_a_batch_is_of_the_kinds_that_a_user_may_see():
    assert issubclass(inference.BatchFailed, ModelError)
