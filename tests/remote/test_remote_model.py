"""A model in a worker of another interpreter is as one of this process: the standard format holds across the pipe."""

from __future__ import annotations

import ast
import copy
import gc
import os
import pickle
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch

from iiszoo import protocol as fmt
from iiszoo.errors import BadOption, ModelError, RunError, WorkerDied
from iiszoo.model_reference import resolve
from iiszoo.remote import Interpreter
from iiszoo.remote import worker as worker_file
from iiszoo.remote.model import DEATHS_IN_A_ROW

X = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
CLICK = [[[(3, 4)], [(5, 6)]]], [[[], []]]


@pytest.fixture
def remote(bare_python):
    """`remote(name)`: a model of array_models, in an interpreter with neither torch nor iiszoo; ended afterwards."""
    loaded = []

    def remote(name, timeout=60.0):
        loaded.append(resolve(f"array_models:{name}", interpreter=Interpreter(bare_python, timeout)).load())
        return loaded[-1]

    yield remote
    for model in loaded:
        if model.function._process is not None:
            model.function._process.end()


def kill_worker(model):
    process = model.function._process._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_answers_are_outputs_of_the_standard_format(remote):
    model = remote("discs")
    z = model.init_z(X)
    y, after = model(X, z, *CLICK)
    fmt.check_output(y, X, model.name)
    assert y[0, 0, 3, 4] == y[1, 0, 5, 6] == torch.tensor(0.9)
    assert y[0, 0, 8, 0] == 0
    assert after["prev_output"] is y
    assert torch.count_nonzero(z["prev_output"]) == 0


def test_calling_twice_gives_the_same_and_arguments_stay_as_they_were(remote):
    model = remote("Remembering")
    z = model.init_z(X)
    x, before = X.clone(), copy.deepcopy(z)
    (y, after), (again, after_again) = model(X, z, *CLICK), model(X, z, *CLICK)
    assert torch.equal(y, again)
    assert all(same(after[key], after_again[key]) for key in after)
    assert torch.equal(x, X)
    assert all(same(before[key], z[key]) for key in z)
    assert not same(z["turns"], after["turns"])
    assert z["mean"][0] is after["mean"][0]  # what the model passes through is not sent again


def same(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_interleaved_sessions_do_not_mix_and_old_states_stay_valid(remote):
    model = remote("Remembering")

    def session(x, n, beside=None):
        z, outputs = model.init_z(x), []
        for _ in range(n):
            y, z = model(x, z, [[[(1, 1)]]], [[[]]])
            outputs.append(y)
            if beside is not None:
                _, beside = model(X[1:], beside, [[[(1, 1)]]], [[[]]])
        return outputs

    alone = session(X[:1], 3)
    assert all(map(torch.equal, alone, session(X[:1], 3, beside=model.init_z(X[1:]))))
    first = model.init_z(X[:1])
    _, second = model(X[:1], first, [[[(1, 1)]]], [[[]]])
    model(X[:1], second, [[[(1, 1)]]], [[[]]])
    assert torch.equal(model(X[:1], first, [[[(1, 1)]]], [[[]]])[0], alone[0])


def test_a_batch_equals_its_elements_and_states_can_be_split_and_stacked(remote):
    model = remote("Remembering")
    _, z = model(X, model.init_z(X), *CLICK)
    parts = fmt.split(z)
    fmt.check_state(z, 2)
    joined, _ = model(X, fmt.stack(parts), *CLICK)
    for b in range(2):
        own, _ = model(X[b : b + 1], parts[b], [[CLICK[0][0][b]]], [[[]]])
        assert torch.equal(own[0], joined[b])
    assert torch.equal(joined, model(X, z, *CLICK)[0])


def test_a_mask_put_into_prev_output_reaches_the_model(remote):
    model = remote("discs")
    mask = torch.zeros(2, 1, 9, 11)
    mask[:, :, 7:] = 1
    y, _ = model(X, {**model.init_z(X), "prev_output": mask}, *CLICK)
    assert torch.equal(y[:, :, 8], mask[:, :, 8])


def test_images_of_different_sizes_travel_as_a_list(remote):
    model = remote("ragged_means")
    assert model.ragged
    x = [X[0], X[1, :, :7, :9]]
    y, _ = model(x, model.init_z(x), *CLICK)
    fmt.check_output(y, x, model.name)
    assert [float(one[0, 0, 0]) for one in y] == pytest.approx([float(image.mean()) for image in x], abs=1e-6)


def test_the_other_side_forgets_states_that_are_garbage_here(remote):
    model = remote("Counting")

    def n_there(keep):
        zs = [model.init_z(X[:1])]
        for _ in range(5):
            y, z = model(X[:1], zs[-1], [[[(1, 1)]]], [[[]]])
            zs = [*zs, z] if keep else [z]
        return round(float(y[0, 0, 0, 0]) * 100)

    assert n_there(keep=True) == 5
    gc.collect()
    assert n_there(keep=False) == 1  # the one that the last call was given


def test_what_the_model_prints_is_no_part_of_the_talk(remote):
    model = remote("prints")
    y, _ = model(X, model.init_z(X), *CLICK)
    assert torch.equal(y, remote("discs")(X, fmt.as_model(len).init_z(X), *CLICK)[0])


def test_states_outlive_the_worker_that_made_them(remote):
    model = remote("Remembering")
    _, z = model(X, model.init_z(X), *CLICK)
    expected, _ = model(X, z, *CLICK)
    first = model.function._process
    kill_worker(model)
    with pytest.raises(
        WorkerDied, match=r"array_models:Remembering \(.*python\) was killed by SIGKILL, often for lack"
    ):
        model(X, z, *CLICK)
    assert torch.equal(model(X, z, *CLICK)[0], expected)
    assert model.function._process is not first


def test_a_state_that_cannot_be_pickled_is_lost_with_its_worker_and_said_so(remote):
    model = remote("Unpicklable")
    z = model.init_z(X)
    model(X, z, *CLICK)
    kill_worker(model)
    with pytest.raises(WorkerDied):
        model(X, z, *CLICK)
    with pytest.raises(ModelError, match="was in a worker of model array_models:Unpicklable that died"):
        model(X, z, *CLICK)
    model(X, model.init_z(X), *CLICK)


def test_a_worker_that_only_dies_ends_the_run(remote):
    model = remote("dies_always")
    z = fmt.as_model(len).init_z(X)
    for _ in range(DEATHS_IN_A_ROW - 1):
        with pytest.raises(WorkerDied, match="ended with exit code 1"):
            model(X, z, *CLICK)
    with pytest.raises(RunError, match=f"{DEATHS_IN_A_ROW}th death without an answered click in between"):
        model(X, z, *CLICK)


def test_an_interrupted_call_leaves_no_answer_behind_for_the_next(remote, monkeypatch):
    model = remote("Remembering")
    z = model.init_z(X)
    expected, _ = model(X, z, *CLICK)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(model.function._process, "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model(X, z, *CLICK)
    assert torch.equal(model(X, z, *CLICK)[0], expected)


def test_threads_take_turns(remote):
    model = remote("Remembering")
    z = model.init_z(X)
    expected, _ = model(X, z, *CLICK)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(model(X, z, *CLICK)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(torch.equal(answer, expected) for answer in answers)


def test_a_pickled_model_has_a_worker_of_its_own_and_takes_the_states_along(remote):
    model = remote("Remembering")
    _, z = model(X, model.init_z(X), *CLICK)
    other, z_there = pickle.loads(pickle.dumps((model, z)))
    try:
        assert torch.equal(other(X, z_there, *CLICK)[0], model(X, z, *CLICK)[0])
        assert other.function._process is not model.function._process
    finally:
        other.function._process.end()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_a_worker_of_its_own(remote):
    model = remote("Remembering")
    z = model.init_z(X)
    expected, _ = model(X, z, *CLICK)
    process = model.function._process
    child = os.fork()
    if child == 0:
        same_there = torch.equal(model(X, z, *CLICK)[0], expected)
        own = model.function._process is not process
        if own:
            model.function._process.end()
        os._exit(0 if same_there and own else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert torch.equal(model(X, z, *CLICK)[0], expected)


def test_a_state_of_another_origin_is_refused_by_name(remote):
    model = remote("discs")
    with pytest.raises(ModelError, match=r"z\['embedding'\] does not come from it"):
        model(X, {**model.init_z(X), "embedding": torch.zeros(2)}, *CLICK)


def test_where_torch_is_installed_the_model_gets_tensors():
    model = resolve("painting_models:Remembering", interpreter=Interpreter(sys.executable)).load()
    here = fmt.as_model(__import__("painting_models").Remembering())
    z, z_here = model.init_z(X), here.init_z(X)
    for _ in range(2):
        (y, z), (y_here, z_here) = model(X, z, *CLICK), here(X, z_here, *CLICK)
        assert torch.equal(y, y_here)
    kill_worker(model)
    with pytest.raises(WorkerDied):
        model(X, z, *CLICK)
    assert torch.equal(model(X, z, *CLICK)[0], here(X, z_here, *CLICK)[0])
    assert model.function.report["libraries"]["torch"] == torch.__version__.split("+")[0]


def test_a_device_that_is_not_there_is_known_before_anything_runs(bare_python):
    with pytest.raises(BadOption, match="device 'cuda' needs torch, which is not installed there"):
        resolve("array_models:discs", interpreter=Interpreter(bare_python)).load("cuda")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:model", "No module named 'no_such_module'"),
        ("array_models:no_such_model", "has no attribute 'no_such_model'"),
        ("array_models:not_callable", "TypeError: array_models:not_callable is not callable"),
        (
            "classic/geocut",
            "has no iiszoo; install iiszoo and the plugin there, or name a function as module:function",
        ),
    ],
)
def test_a_model_that_is_not_there_is_named(bare_python, name, said):
    with pytest.raises(BadOption, match=said) as raised:
        resolve(name, interpreter=Interpreter(bare_python)).load()
    assert bare_python in str(raised.value)


def test_interpreters_that_cannot_be_used(empty_python, tmp_path):
    with pytest.raises(BadOption, match=r"it needs Python >= 3\.7 and numpy, but it .*No module named 'numpy'"):
        resolve("array_models:discs", interpreter=Interpreter(empty_python)).load()
    with pytest.raises(BadOption, match=r"there is no such program; give the path of a Python interpreter"):
        Interpreter(str(tmp_path / "python"))
    odd = tmp_path / "odd"
    odd.write_text("no program")
    odd.chmod(0o755)
    with pytest.raises(BadOption, match="odd cannot be run"):
        resolve("array_models:discs", interpreter=Interpreter(str(odd))).load()
    with pytest.raises(BadOption, match="must be above 0, not 0"):
        Interpreter(sys.executable, 0)
    with pytest.raises(BadOption, match="must be given by name: module:function, or an id"):
        resolve(len, interpreter=Interpreter(sys.executable))
    with pytest.raises(BadOption, match="no checkpoint and no options"):
        resolve("array_models:discs", "own.pth", interpreter=Interpreter(sys.executable))


def test_a_worker_of_another_version_of_the_protocol_is_refused(bare_python, monkeypatch):
    monkeypatch.setattr(worker_file, "PROTOCOL", 4)
    with pytest.raises(BadOption, match="uses version 3 of the protocol, not 4"):
        resolve("array_models:discs", interpreter=Interpreter(bare_python)).load()


def test_the_workers_file_is_python_3_7():
    ast.parse(Path(worker_file.__file__).read_text("utf-8"), feature_version=(3, 7))
