"""Whole sessions against upstream's recorded ones, with the synthetic weights of the shared fixtures: each region and
input size exactly, probabilities after each click, and the evaluation with its robot.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo import Session, load_model, load_robot
from iiszoo.engine.metrics.definitions import iou
from iiszoo.models.zoom import from_inclusive, read_boxes
from iiszoo.protocol import Clicks, Model, to_tensor

NOISE = 2e-3
"""For a probability; other CPU kernels change up to 3e-4 (measured by the fixtures)."""
MODELS = {"ritm_h18s_itermask": "ritm/h18s", "ritm_h18_itermask": "ritm/h18", "ritm_h32_itermask": "ritm/h32"}
MODELS["ritm_h18_baseline"] = "ritm/h18-baseline"

Load = Callable[..., Model]


@pytest.fixture(scope="module")
def load(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """`load(stored, **options)`: the model of a fixture from a checkpoint in the official form, with its weights."""
    recipe = runpy.run_path(str(shared / "parity" / "recipe.py"))
    folder = tmp_path_factory.mktemp("checkpoints")

    def loader(stored: Any, **options: Any) -> Model:
        config = meta(stored)["config"]
        file = folder / f"{config}.pth"
        if not file.exists():
            weights = {name: torch.from_numpy(value) for name, value in recipe["from_parity"](stored).items()}
            torch.save({"state_dict": weights, "config": {"class": meta(stored)["upstream_class"]}}, file)
        return load_model(MODELS[config], checkpoint=file, **options)

    return loader


def meta(stored: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(stored["meta_json"]))
    return found


def options_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """The options that correspond to a recorded variant's settings."""
    options: dict[str, Any] = {}
    if "zoom" in arguments:
        size = (arguments["zoom"] or {}).get("target_size")
        if arguments["zoom"] is None:
            options["zoom"] = False
        else:
            options["size"] = "x".join(map(str, size)) if isinstance(size, list) else size
    if "flip" in arguments:
        options["flip"] = arguments["flip"]
    if "limit" in arguments:
        options["click_limit"] = arguments["limit"]
    return options


def session(model: Model, stored: Any, rois: list[Any], shapes: list[Any], initial: Any = None) -> list[torch.Tensor]:
    """Give the recorded clicks; regions and input sizes are compared, the outputs (H, W) returned."""
    seen: list[tuple[int, ...]] = []
    network = model.function.network  # type: ignore[attr-defined]

    def watched(pictures: torch.Tensor, positives: Any, negatives: Any) -> Any:
        seen.append(tuple(pictures.shape))
        return network(pictures, positives, negatives)

    model.function.network = watched  # type: ignore[attr-defined]
    start = None if initial is None else initial.astype(np.float32) / 255
    session, outputs = Session(model, stored["image"], initial_mask=start), []
    for click, roi in zip(stored["clicks"].tolist(), rois, strict=True):
        session.click(*click)
        assert read_boxes(session.state["roi"])[0] == (None if roi is None else from_inclusive(roi))
        outputs.append(session.output[0, 0])
    assert seen == [tuple(shape) for shape in shapes]
    return outputs


def to_x(image: Any) -> torch.Tensor:
    return to_tensor(image)[None]


def assert_close(outputs: list[torch.Tensor], expected: Any, positions: Any) -> None:
    ours = np.stack([output.flatten().numpy()[positions] for output in outputs])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=NOISE)


@pytest.mark.parametrize(
    "name",
    [
        "ritm_h18s_itermask__sheep",
        pytest.param("ritm_h32_itermask__person1", marks=pytest.mark.slow),
    ],
)
def test_a_session_is_upstreams(shared: Path, load: Load, runtime: str, name: str) -> None:
    stored = np.load(shared / "parity" / f"{name}.npz")
    facts = meta(stored)
    outputs = session(load(stored, runtime=runtime), stored, facts["rois"], [shape for shape, _ in facts["net_inputs"]])
    assert_close(outputs, stored["probs_sample_f32"], stored["probs_sample_idx"])
    np.testing.assert_allclose(torch.stack(outputs).numpy(), stored["probs_f16"].astype(np.float32), atol=NOISE)


@pytest.mark.parametrize("runtime", ["torch", pytest.param("onnx", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize(
    "variant",
    [
        "init_mask",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("davis600", "fixed400", "nozoom_noflip", "nozoom_flip", "limit3")
        ),
    ],
)
def test_a_session_under_other_settings_is_upstreams(shared: Path, load: Load, runtime: str, variant: str) -> None:
    stored = np.load(shared / "parity" / "ritm_h18s_itermask__sheep.npz")
    facts = meta(stored)["variants"][variant]
    model = load(stored, runtime=runtime, **options_of(facts["args"]))
    initial = stored["init_mask_u8"] if "init" in facts["args"] else None
    outputs = session(model, stored, facts["rois"], facts["net_input_shapes"], initial)
    assert_close(outputs, stored[f"var_{variant}_sample_f32"], stored["probs_sample_idx"][::4])


def test_the_davis_preset_is_its_published_size(shared: Path, load: Load) -> None:
    stored = np.load(shared / "parity" / "ritm_h18s_itermask__sheep.npz")
    preset, size = load(stored, preset="davis").function.zoom, load(stored, size=600).function.zoom
    assert preset == size
    assert preset.target == 600


@pytest.mark.parametrize("which", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_evaluation_is_upstreams(shared: Path, load: Load, which: int) -> None:
    """Model, robot and score together: the same clicks, the same IoU after each."""
    evaluation = np.load(shared / "parity" / "evaluate_ritm_h18s.npz")
    facts = meta(evaluation)
    sequence = facts["seqs"][which]
    model = load(np.load(shared / "parity" / "ritm_h18s_itermask__sheep.npz"))
    robot = load_robot("ritm")
    positions = runpy.run_path(str(shared / "parity" / "recipe.py"))["sample_positions"]

    x, annotation = to_x(evaluation[f"image::{sequence['image']}"]), evaluation[f"gt::{sequence['image']}"]
    target, ignore = (torch.from_numpy(annotation == label)[None, None] for label in (1, -1))
    z = model.init_z(x)
    y = z["prev_output"]
    pcs: Clicks = []
    ncs: Clicks = []
    ious = []
    for k in range(len(sequence["clicks"])):
        pcs, ncs = robot(y, target.float(), pcs, ncs, ignore=ignore, threshold=facts["pred_thr"])
        row, col, positive = sequence["clicks"][k]
        assert (pcs[-1], ncs[-1]) == (([[(row, col)]], [[]]) if positive else ([[]], [[(row, col)]]))
        with torch.no_grad():
            y, z = model(x, z, pcs, ncs)
        expected = evaluation[f"probs::{sequence['image']}"][k]
        assert_close([y[0, 0]], expected[None], positions(*annotation.shape, 3000))
        ious.append(iou((y > facts["pred_thr"]).numpy()[0, 0], annotation == 1, annotation == -1))
    np.testing.assert_allclose(ious, sequence["ious"], atol=1e-3)
