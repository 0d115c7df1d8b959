"""The kit's own test: each check fails on exactly the model that breaks what it is there for."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import broken_models
import pytest
import torch
from broken_models import FAMILY, Disks, coarse, make, sound, sound_with_weights

import iiszoo
from iiszoo import plugins, registry, testing
from iiszoo.errors import BadOption, UnknownId
from iiszoo.protocol import as_model
from iiszoo.testing import CheckFailed
from iiszoo.testing._checks.devices import agrees_on
from iiszoo.testing.check import CHECKS, Broken
from iiszoo.testing.conformance import outcome, subject_of

ELSEWHERE = {"plugin_imports_lightly", "cuda_equals_cpu", "tf32_near_float32"}  # broken by tests of their own
COSTLY = {"rgb_order", "spawned_process"}  # seconds each


def failures(broken: str, names: set[str], timeout: float = 100) -> list[str]:
    subject = subject_of(FAMILY[broken], timeout=timeout)
    return [name for name in CHECKS if name in names and outcome(subject, name).status == "failed"]


def test_there_is_a_broken_model_for_each_check() -> None:
    assert FAMILY.keys() | ELSEWHERE == CHECKS.keys()


@pytest.mark.parametrize("broken", FAMILY)
def test_each_check_fails_on_its_own_broken_model(broken: str) -> None:
    timeout = 2 if broken == "dataloader_worker" else 100
    assert failures(broken, CHECKS.keys() - COSTLY | {broken}, timeout) == [broken]


@pytest.mark.slow
@pytest.mark.parametrize("broken", FAMILY)
def test_the_costly_checks_fail_on_their_own_broken_model_only(broken: str) -> None:
    assert failures(broken, COSTLY) == [broken] * (broken in COSTLY)


def test_a_sound_model_passes_and_what_is_skipped_is_said() -> None:
    subject = subject_of(sound)
    came = {name: outcome(subject, name) for name in CHECKS}
    assert {name for name, one in came.items() if one.status == "failed"} == set()
    skipped = {name: one.message for name, one in came.items() if one.status == "skipped"}
    if not torch.cuda.is_available():
        assert skipped.pop("cuda_equals_cpu") == "torch finds no CUDA device here"
    assert skipped == {
        "plugin_imports_lightly": "no installed plugin registers this card",
        "weights_missing_offline": "the card names no weights",
        "ragged": "the model is not declared ragged",
        "tf32_near_float32": "its card does not list tf32",
        "bfloat16_near_float32": "its card does not list bfloat16",
        "float16_near_float32": "its card does not list float16",
    }


def test_a_failure_says_what_was_promised_what_was_found_and_where_to_look() -> None:
    checks = dict(testing.checks(lambda: make(broken_models.Logits)))
    with pytest.raises(CheckFailed) as error:
        checks["output_format"]()
    assert str(error.value).endswith(
        "fails output_format: y is float32 (B, 1, H, W) in [0, 1] at the image's own size, but it broke that: it must "
        "answer with probabilities in [0, 1], not with values in [0, 2.2]; look at the end of the model, where logits "
        "become y"
    )
    assert checks["border_clicks"]() == "it is meaningless because output_format fails"


def test_what_a_model_raises_is_told_with_its_place() -> None:
    message = outcome(subject_of(FAMILY["many_clicks"]), "many_clicks").message
    line = Path(broken_models.__file__).read_text().splitlines().index("            room[n] = torch.tensor(click)") + 1
    assert "it raised IndexError: index 24 is out of bounds for dimension 0 with size 24 (" in message
    assert f"broken_models.py:{line}, in " in message
    assert "look at" not in message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x, z, pcs, ncs: None, "but it must return a torch tensor as y, not None"),
        (
            lambda x, z, pcs, ncs: torch.zeros(len(x), 1, *x.shape[-2:]).numpy(),
            "but it must return a torch tensor as y, not a numpy array (1, 1, 96, 128) "
            "(torch.from_numpy makes a tensor of it)",
        ),
    ],
)
def test_what_is_no_tensor_is_named_and_nothing_else_is_to_be_looked_at(answer, said) -> None:
    for check in ("output_format", "inputs_unchanged"):
        assert outcome(subject_of(answer), check).message.endswith(said)


def test_an_option_of_the_wrong_type_is_refused_before_any_check() -> None:
    with pytest.raises(BadOption, match="model smp/unet-lite0: option 'flip' must be true or false, not 'abc'"):
        subject_of("smp/unet-lite0?flip=abc")


def test_a_loop_over_the_checks_of_a_model_needs_no_try() -> None:
    checks = dict(testing.checks(sound))
    for name in checks.keys() - COSTLY - {"dataloader_worker"}:
        assert checks[name]() is None or isinstance(checks[name](), str)


def test_meaning_is_checked_where_weights_mean_something() -> None:
    tier_2 = {name for name, check in CHECKS.items() if check.tier == 2}
    assert tier_2 == {"positive_click_adds", "negative_click_removes", "rgb_order"}
    untrained, trained = subject_of(sound_with_weights), subject_of(sound_with_weights, trained=True)
    assert outcome(untrained, "positive_click_adds").message == (
        "it needs meaningful weights: --weights (trained=True) says that they are"
    )
    assert outcome(trained, "positive_click_adds").status == "passed"
    assert outcome(subject_of(sound, trained=False), "positive_click_adds").status == "skipped"


def test_absent_weights_skip_the_model_and_not_its_card() -> None:
    subject = subject_of("sam/vit-b")
    assert outcome(subject, "card_complete").status == "passed"
    assert outcome(subject, "plugin_imports_lightly").status == "passed"
    assert outcome(subject, "weights_missing_offline").status == "passed"
    message = "its weights are not in the cache (sam_vit_b_01ec64.pth): --weights (trained=True) fetches them"
    assert outcome(subject, "output_format").message.startswith(message)


def test_trained_weights_are_fetched_and_a_failure_to_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    came = outcome(subject_of("sam/vit-b", trained=True), "loads")
    assert came.status == "failed"
    assert "raised WeightsError: weights file sam_vit_b_01ec64.pth of sam/vit-b is not in the cache" in came.message


def test_models_functions_classes_and_factories() -> None:
    def function(x, z, pcs, ncs):
        return z["prev_output"]

    for given in (function, lambda: function, Disks, Disks(), as_model(function), "broken_models:sound", sound):
        assert outcome(subject_of(given), "output_format").status == "passed"
    assert outcome(subject_of(function), "card_json").message == "a bare function has no card"
    assert outcome(subject_of("broken_models:sound"), "card_json").status == "passed"
    with pytest.raises(BadOption, match=r"neither a model, called with \(x, z, pcs, ncs\), nor a factory"):
        _ = subject_of(lambda x, y: x).model
    with pytest.raises(UnknownId, match="nearest: classic/geocut"):
        subject_of("clasic/geocut")
    with pytest.raises(BadOption, match="so it takes no checkpoint"):
        _ = subject_of(function, checkpoint="weights.pth").model


def test_a_local_function_is_not_sent_to_another_process() -> None:
    def local():
        return Disks()

    message = outcome(subject_of(local), "spawned_process").message
    assert message.startswith("it cannot be sent to another process")
    assert message.endswith("give an id, or a function or factory of a module")


def test_a_module_that_another_process_cannot_import_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = str(Path(broken_models.__file__).parent)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != directory])
    came = outcome(subject_of(sound), "spawned_process")
    assert (came.status, came.message) == (
        "skipped",
        "another process cannot import it (ModuleNotFoundError: No module named 'broken_models'); put it in a module "
        "on sys.path",
    )


class Dies(Disks):
    def __call__(self, x, z, pcs, ncs):
        if multiprocessing_worker():
            import os

            os._exit(3)
        return super().__call__(x, z, pcs, ncs)


def multiprocessing_worker() -> bool:
    return torch.utils.data.get_worker_info() is not None


def test_a_worker_that_dies_is_told() -> None:
    came = outcome(subject_of(Dies, timeout=100), "dataloader_worker")
    assert came.status == "failed"
    assert "exited unexpectedly" in came.message


def test_the_tolerance_between_kernels_is_a_parameter() -> None:
    assert outcome(subject_of(FAMILY["batch_equals_single"], tolerance=0.1), "batch_equals_single").status == "passed"
    assert outcome(subject_of(FAMILY["batch_equals_single"]), "batch_equals_single").status == "failed"


def other_on_a_device(device: str = "cpu") -> object:
    return lambda x, z, pcs, ncs: z["prev_output"] + (0.5 if device == "cpu:0" else 0)


def test_answers_of_two_devices_are_compared() -> None:
    """`cuda_equals_cpu` with the CPU in CUDA's place, under the name of a second device."""
    agrees_on(subject_of(sound), "cpu")
    with pytest.raises(Broken, match=r"the answer on cpu:0 differs by 0.5 \(0.02 is allowed\)"):
        agrees_on(subject_of(other_on_a_device), "cpu:0")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
def test_cuda() -> None:
    assert outcome(subject_of("classic/grabcut"), "cuda_equals_cpu").status == "passed"


def test_what_a_precision_changes_is_told() -> None:
    message = outcome(subject_of(FAMILY["bfloat16_near_float32"]), "bfloat16_near_float32").message
    assert "but output 1 of session 1 in bfloat16 differs by 0.9 (0.2 is allowed)" in message


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("smp/unet-lite0?precision=float16", "its precision is chosen already; leave that option out"),
        ("smp/unet-lite0?runtime=onnx", "its runtime is chosen already; leave that option out"),
        (lambda: coarse("float16"), "takes no precision"),
        (coarse("float16"), "it is already loaded; give its id, or a factory that takes precision"),
        (lambda x, z, pcs, ncs: z["prev_output"], "a bare function has no card"),
    ],
)
def test_why_a_precision_is_not_compared_is_told(model, reason) -> None:
    if "onnx" in str(model):
        pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")
    came = outcome(subject_of(model), "bfloat16_near_float32")
    assert came.status == "skipped"
    assert came.message.endswith(reason)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a CUDA device here")
def test_tf32_needs_cuda() -> None:
    came = outcome(subject_of("smp/unet-lite0"), "tf32_near_float32")
    assert (came.status, came.message) == ("skipped", "torch finds no CUDA device here")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
def test_tf32() -> None:
    assert outcome(subject_of("smp/unet-lite0"), "tf32_near_float32").status == "passed"


def test_the_default_stands_its_precisions() -> None:
    subject = subject_of("smp/unet-lite0")
    for name in ("bfloat16_near_float32", "float16_near_float32"):
        assert outcome(subject, name).status == "passed"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`plugin(imports)`: install a plugin `light` in this process, its module beginning with these lines."""

    def install(imports: str) -> None:
        (tmp_path / "iiszoo_light.py").write_text(
            f"{imports}\nimport iiszoo\nfrom iiszoo.cards import ModelCard\n\napi_version = 1\n"
            "card = ModelCard('light/one', 'broken_models:load', summary='s', licence='MIT', paper='p')\n\n\n"
            "@iiszoo.hookimpl\ndef iiszoo_register_models(register):\n    register(card)\n"
        )
        info = tmp_path / "iiszoo_light-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iiszoo-light\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[iiszoo]\nlight = iiszoo_light\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("IISZOO_PLUGINS", "light")
        sys.modules.pop("iiszoo_light", None)
        plugins.installed.cache_clear()
        registry.registry.cache_clear()

    yield install
    sys.modules.pop("iiszoo_light", None)
    plugins.installed.cache_clear()
    registry.registry.cache_clear()


@pytest.mark.parametrize(("imports", "status"), [("import json", "passed"), ("import torch.nn", "failed")])
def test_a_plugin_that_imports_torch_is_told(plugin, imports: str, status: str) -> None:
    plugin(imports)
    came = outcome(subject_of("light/one"), "plugin_imports_lightly")
    assert came.status == status
    assert ("importing iiszoo_light imports numpy, torch;" in came.message) == (status == "failed")
    others = CHECKS.keys() - COSTLY - {"plugin_imports_lightly", "dataloader_worker"}
    assert not [name for name in others if outcome(subject_of("light/one"), name).status == "failed"]


def test_importing_the_kit_imports_neither_torch_nor_pytest() -> None:
    program = (
        "import sys, iiszoo.testing\ndir(iiszoo.testing)\n"
        "assert not {'torch', 'numpy', 'pytest'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
    assert {name for name in testing.__all__ if not hasattr(testing, name)} == set()


def test_a_subject_lets_go_of_its_model() -> None:
    subject = subject_of(sound)
    first = subject.model
    outcome(subject, "output_format")
    subject.release()
    assert subject.model is not first
    assert outcome(subject, "output_format").status == "passed"
    assert pickle.loads(pickle.dumps(subject.origin)) == subject.origin


def test_the_page_names_every_check_with_its_promise_and_its_defect() -> None:
    page = (Path(iiszoo.__file__).parents[1] / "docs" / "conformance.md").read_text()
    page = page.partition("## The checks")[2].partition("## Of a dataset")[0]
    rows = [f"| `{check.name}` | {check.tier} | {check.promise} | {check.catches} |" for check in CHECKS.values()]
    assert [row for row in page.splitlines() if row.startswith("| `")] == rows


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("error", [SystemExit("no GPU"), GeneratorExit(), Unspeakable(), ValueError("x" * 1_000_000)])
@pytest.mark.parametrize("where", ["call", "init_z", "ragged", "made"])
def test_whatever_a_model_raises_is_a_failed_check(error: BaseException, where: str) -> None:
    def refuse(*_: object) -> Any:
        raise error

    class Fragile:
        def __init__(self) -> None:
            if where == "made":
                refuse()

        def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
            return refuse() if where == "call" else x[:, :1]

    if where == "init_z":
        Fragile.init_z = refuse  # type: ignore[attr-defined]
    if where == "ragged":
        Fragile.ragged = property(refuse)  # type: ignore[attr-defined]
    subject = subject_of(Fragile)
    came = [outcome(subject, name) for name in ("loads", "output_format", "threads")]
    failed = [one for one in came if one.status == "failed"]
    assert failed or where == "ragged"  # no check asks whether it is ragged
    for one in failed:
        assert len(one.message) < 3000
        assert "\n" not in one.message
