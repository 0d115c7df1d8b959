"""Campaigns: what each arm starts from, what M has seen, and that a stopped campaign goes on to the same end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from iiszoo.cards import ModelCard
from iiszoo.data.initial_masks import start_from
from iiszoo.engine import pipeline
from iiszoo.engine.campaign import arms, conduct, results, training
from iiszoo.engine.campaign.conduct import campaign
from iiszoo.engine.campaign.plan import Plan, folds, order
from iiszoo.engine.campaign.splits import Split
from iiszoo.engine.campaign.training import Recipe
from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.errors import BadOption, DatasetError, RunError
from iiszoo.loading import load_dataset
from iiszoo.model_reference import CardReference, resolve
from iiszoo.protocol import as_model

ENGINE_TESTS = Path(__file__).parents[1]
PLAN = Plan(Recipe("smp:unet/tu-test_efficientnet?size=32&weights=none", steps=20, lr=1e-2), "3,6", seeds=2, folds=2)
MODEL = "painting_models:discs"


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ENGINE_TESTS)


def run(concept: Path, out: Path, plan: Plan = PLAN, models=(MODEL,), **settings) -> Path:
    return campaign(f"folder:{concept}", models, plan, out=out, **{"max_clicks": 4, **settings})


def arm(place: Path, name: str, model: str = "painting_models-discs") -> dict[str, Trace]:
    (directory,) = [path for path in place.glob(f"{model}*/{name}") if path.is_dir()]
    return {trace.sample: trace for trace in store.read_traces(directory)}


@pytest.fixture(scope="module")
def finished(concept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ENGINE_TESTS)
        return run(concept, tmp_path_factory.mktemp("campaigns") / "whole")


def everything(place: Path) -> dict[str, list[dict]]:
    """What must not depend on the machine's speed: the results of every session of every arm."""
    found = {}
    for file in sorted(place.rglob("samples.jsonl")):
        found[str(file.relative_to(place))] = [trace.results() for trace in store.read_traces(file.parent)]
    return found


def test_every_arm_has_the_same_images(finished: Path) -> None:
    names = sorted(path.name for path in finished.glob("painting*/*"))
    assert names == ["continual-0", "continual-1", "cross-fitted", "scratch"]
    assert {frozenset(arm(finished, name)) for name in names} == {frozenset(f"p{n}" for n in range(10))}


def test_until_there_is_an_m_sessions_are_those_from_scratch_and_then_they_start_from_its_proposal(finished) -> None:
    scratch = arm(finished, "scratch")
    for seed in (0, 1):
        continual = arm(finished, f"continual-{seed}")
        ordered = [continual[f"p{i}"] for i in order(10, seed)]
        assert [trace.proposal is not None for trace in ordered] == [False] * 3 + [True] * 7
        for trace in ordered[:3]:
            assert trace.clicks == scratch[trace.sample].clicks
        assert [trace.proposal["n_images"] for trace in ordered[3:]] == [3] * 3 + [6] * 4
        assert len({trace.proposal["checkpoint"] for trace in ordered[3:]}) == 2
        assert any(trace.initial_iou > 0 for trace in ordered[3:])
    assert all(trace.initial_iou == 0 for trace in scratch.values())


def test_a_line_states_m_as_it_was(finished: Path) -> None:
    (directory,) = finished.glob("painting*/continual-0")
    last = list(directory.glob("segmenter-*.safetensors"))
    assert [file.name for file in last] == ["segmenter-6.safetensors"]
    hash_of_last = training.load(last[0]).sha256
    lines = [json.loads(line) for line in (directory / "samples.jsonl").read_text().splitlines()]
    assert lines[-1]["proposal"]["checkpoint"] == hash_of_last
    assert {"n_images", "confidence", "empty", "training_seconds", "predict_seconds"} <= lines[-1]["proposal"].keys()
    assert json.loads((directory / "summary.json").read_text())["provenance"]["environment"]["libraries"]["torch"]


def test_m_learns_from_the_campaign_s_own_masks_and_the_cross_fitted_one_from_the_targets_of_other_folds(
    concept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = training.train

    def spy(recipe, pictures, seed, path, facts, **more):
        seen.append((path.name, {p.sample.id: p.read_target().object for p in pictures}))
        return real(recipe, pictures, seed, path, facts, **more)

    monkeypatch.setattr(arms.training, "train", spy)
    place = run(concept, tmp_path / "c", replace(PLAN, seeds=1))
    targets = {sample.id: sample.read_target().object for sample in load_dataset(f"folder:{concept}")}
    trained = dict(seen)
    continual = arm(place, "continual-0")
    assert list(trained["segmenter-3.safetensors"]) == [f"p{i}" for i in order(10, 0)[:3]]
    for id, mask in trained["segmenter-6.safetensors"].items():
        assert np.array_equal(mask, unpack_mask(continual[id].final_mask, continual[id].size))
    assert any(not np.array_equal(mask, targets[id]) for id, mask in trained["segmenter-6.safetensors"].items())
    fold_of = folds(10, 2)
    for k in (0, 1):
        masks = trained[f"fold-{k}.safetensors"]
        assert set(masks) == {f"p{i}" for i in range(10) if fold_of[i] != k}
        assert all(np.array_equal(mask, targets[id]) for id, mask in masks.items())


def test_the_same_seeds_are_the_same_campaign(concept: Path, finished: Path, tmp_path: Path) -> None:
    assert everything(run(concept, tmp_path / "again", batch_size=3)) == everything(finished)


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_campaign_that_was_stopped_goes_on_to_the_same_end(concept, finished, tmp_path, fine_tune) -> None:
    plan = replace(PLAN, fine_tune=fine_tune, folds=0, seeds=1)
    whole = run(concept, tmp_path / "whole", plan)
    for kept, segmenter in ((2, False), (4, True), (7, False)):
        part = tmp_path / f"part{kept}"
        shutil.copytree(whole, part)
        (directory,) = part.glob("painting*/continual-0")
        lines = (directory / "samples.jsonl").read_bytes().splitlines(keepends=True)
        (directory / "samples.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
        if not segmenter:
            (directory / "segmenter-6.safetensors").unlink()
        run(concept, part, plan)
        assert everything(part) == everything(whole)


def test_a_finished_campaign_computes_nothing_and_models_and_seeds_can_be_added(
    concept, finished, tmp_path, monkeypatch
) -> None:
    place = tmp_path / "more"
    shutil.copytree(finished, place)
    before = everything(place)
    with monkeypatch.context() as patch:
        patch.setattr(arms.training, "train", None)
        patch.setattr(pipeline, "run", None)
        run(concept, place)
    run(concept, place, replace(PLAN, seeds=3), (MODEL, "painting_models:nothing"))
    after = everything(place)
    assert before.items() <= after.items()
    found = results.read(place)
    assert [each.model for each in found.models] == [MODEL, "painting_models:nothing"]
    assert found.seeds == 3


def test_a_directory_of_another_campaign_is_refused_and_nothing_is_lost(concept, finished, tmp_path) -> None:
    place = tmp_path / "c"
    shutil.copytree(finished, place)
    for change, fault in (
        ({"plan": replace(PLAN, schedule="4")}, r'plan.schedule: "3,6" there, "4" now'),
        ({"plan": replace(PLAN, probabilities=True)}, r"plan.probabilities"),
        ({"max_clicks": 5}, r"protocol.max_clicks: 4 there, 5 now"),
        ({"limit": 8}, r"dataset.n_samples: 10 there, 8 now"),
    ):
        with pytest.raises(RunError, match=fault):
            run(concept, place, **change)
    assert everything(place) == everything(finished)


def test_overwrite_starts_over(concept: Path, finished: Path, tmp_path: Path) -> None:
    place = tmp_path / "c"
    shutil.copytree(finished, place)
    plan = replace(PLAN, schedule="4", folds=0, seeds=1)
    run(concept, place, plan, overwrite=True)
    assert results.read(place).statement["plan"]["schedule"] == "4"


def test_proposals_enter_as_probabilities_or_as_masks(concept: Path, tmp_path: Path, monkeypatch) -> None:
    import painting_models

    values: list[set[float]] = []

    def discs(x, z, pcs, ncs):
        if len(pcs) == 1:
            values.append(set(np.unique(z["prev_output"].numpy()).tolist()))
        return painting_models.discs(x, z, pcs, ncs)

    for probabilities in (False, True):
        values.clear()
        plan = replace(PLAN, folds=2, seeds=1, schedule="9", probabilities=probabilities)
        campaign(f"folder:{concept}", [discs], plan, out=tmp_path / str(probabilities), max_clicks=1)
        graded = any(0 < value < 1 for found in values for value in found)
        assert graded is probabilities


def test_masks_of_another_origin_are_an_arm_of_their_own(concept: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, folds=0, seeds=1, schedule="9", initial="perturb:seed=0,iou=0.7-0.8")
    place = run(concept, tmp_path / "c", plan)
    assert all(0.7 <= trace.initial_iou <= 0.8 for trace in arm(place, "given").values())
    assert all(trace.proposal["confidence"] is None for trace in arm(place, "given").values())
    assert all(trace.initial_iou == 0 for trace in arm(place, "scratch").values())


def test_masks_that_belong_to_the_dataset_are_not_corrected_from_scratch(concept, tmp_path, monkeypatch) -> None:
    own = start_from(load_dataset(f"folder:{concept}"), "perturb:seed=0,iou=0.7-0.8")
    monkeypatch.setattr(conduct, "split", lambda *arguments: Split(own, None, "all of it"))
    place = run(concept, tmp_path / "c", replace(PLAN, folds=0, seeds=1, schedule="9"))
    assert all(trace.initial_iou == 0 for trace in arm(place, "scratch").values())


def test_given_masks_that_are_missing_or_of_another_size_are_named_before_anything_runs(concept, tmp_path) -> None:
    masks = tmp_path / "masks"
    shutil.copytree(concept / "masks", masks)
    (masks / "p3.png").unlink()
    plan = replace(PLAN, initial=f"masks:{masks}")
    with pytest.raises(DatasetError, match=r"'p3' has no initial mask"):
        run(concept, tmp_path / "c", plan)
    cv2.imwrite(str(masks / "p3.png"), np.full((9, 9), 255, np.uint8))
    with pytest.raises(DatasetError, match=r"p3.*9"):
        run(concept, tmp_path / "c", plan)
    assert not (tmp_path / "c").exists()


def test_an_image_without_an_object_is_named(concept: Path, tmp_path: Path) -> None:
    shutil.copytree(concept, tmp_path / "data")
    cv2.imwrite(str(tmp_path / "data/masks/p0.png"), np.zeros((40, 48), np.uint8))
    with pytest.raises(DatasetError, match=r"p0.png"):
        run(tmp_path / "data", tmp_path / "c")
    place = run(tmp_path / "data", tmp_path / "c", replace(PLAN, folds=0, seeds=1), skip_broken=True)
    assert len(arm(place, "continual-0")) == 9
    assert results.read(place).models[0].results["arms"]["scratch"]["clicks"] > 0


def test_a_model_that_finds_nothing_trains_no_m_and_that_is_said(concept: Path, tmp_path: Path) -> None:
    said: list[str] = []
    place = run(concept, tmp_path / "c", replace(PLAN, folds=0, seeds=1), ("painting_models:nothing",), say=said.append)
    assert any("of 3 images 0 have a mask with an object, too few to train M" in line for line in said)
    (found,) = results.read(place).models
    assert found.results["answer"].endswith("the campaign ended before M was trained")
    assert found.results["arms"]["scratch"]["at_target"] == 0


def test_a_model_that_takes_no_masks_is_refused_unless_a_merge_keeps_them() -> None:
    card = ModelCard(id="blind/one", loader="a:b", summary="-", licence="MIT", prompts=("clicks",))
    model = as_model(lambda x, z, pcs, ncs: z["prev_output"], card=card)
    for blind in (CardReference(card), resolve(model)):
        with pytest.raises(BadOption, match=r"blind/one takes no masks.*--progressive-merge"):
            conduct._check_takes_masks(blind)
    conduct._check_takes_masks(CardReference(card, {"progressive_merge": "fixed"}))


def test_other_bad_input_is_one_sentence_and_writes_nothing(concept: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    for fault, change in (
        (r"several objects in one image", {"dataset": "demo"}),
        (r"give --model ID", {"models": ()}),
        (r"each given once", {"models": (MODEL, MODEL)}),
        (r"too short for 20 folds", {"plan": replace(PLAN, folds=20)}),
        (r"has no architecture", {"plan": replace(PLAN, recipe=Recipe("smp:none/resnet18?weights=none"))}),
        (r"initial masks are given twice", {
            "dataset": f"folder:{concept}?initial=perturb:seed=0,iou=0.7-0.8",
            "plan": replace(PLAN, initial="perturb:seed=1,iou=0.7-0.8"),
        }),
    ):  # fmt: skip
        settings = {"dataset": f"folder:{concept}", "models": (MODEL,), "plan": PLAN, **change}
        with pytest.raises(BadOption, match=fault):
            campaign(settings["dataset"], settings["models"], settings["plan"], out=out)
    assert not out.exists()


def test_results_of_an_unfinished_campaign_say_what_is_missing(finished: Path, tmp_path: Path) -> None:
    place = tmp_path / "c"
    shutil.copytree(finished, place)
    (directory,) = place.glob("painting*/continual-1")
    lines = (directory / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (directory / "samples.jsonl").write_bytes(b"".join(lines[:4]))
    with pytest.raises(RunError, match=r"not finished: .*continual-1: 4 of 10 images; run the same command again"):
        results.read(place)


def test_m_is_tested_after_each_training_if_there_is_a_test_split(dolphins: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, folds=0, seeds=1)
    place = campaign("ndd20-below", [MODEL], plan, out=tmp_path / "c", root=dolphins, max_clicks=3)
    (found,) = results.read(place).models
    rows = found.results["segmenter"]["proposals"]
    assert [row["trained_on"] for row in rows] == [3, 6]
    assert all(0 <= row["test_iou"] <= 1 for row in rows)
    assert len(arm(place, "scratch")) == 8


def test_results_add_up(finished: Path) -> None:
    (found,) = results.read(finished).models
    figures, curves = found.results["arms"], found.results["curves"]
    for name, values in figures.items():
        assert curves[name]["clicks"]["mean"][-1] == pytest.approx(10 * values["clicks"], abs=0.01)
        assert curves[name]["at_target"]["mean"][-1] == pytest.approx(10 * values["at_target"], abs=0.01)
        total = values["seconds"] + values["wait_seconds"]
        assert curves[name]["seconds"]["mean"][-1] == pytest.approx(10 * total, abs=0.02)
    clicks = sum(len(trace.clicks) for trace in arm(finished, "scratch").values())
    assert figures["scratch"]["clicks"] == pytest.approx(clicks / 10)
    assert json.loads(json.dumps(results.read(finished).as_json()))["seeds"] == 2


@pytest.mark.slow
def test_a_campaign_that_is_killed_goes_on_to_the_same_end(concept: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "iiszoo", "campaign", "-d", f"folder:{concept}", "-m", MODEL,
        "--segmenter", PLAN.recipe.segmenter, "--steps", "20", "--schedule", "3,6", "--seeds", "1",
        "--folds", "2", "--max-clicks", "3",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ENGINE_TESTS, ENGINE_TESTS.parents[1])))}

    def to_its_end(out: str) -> None:
        ran = subprocess.run([*command, "--out", out], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    to_its_end("whole")
    for wanted in ("scratch", "continual-0"):
        part = tmp_path / f"part-{wanted}"
        process = subprocess.Popen([*command, "--out", part], cwd=tmp_path, env=env, stdout=-3, stderr=-3)
        while process.poll() is None and not [*part.glob(f"*/{wanted}/samples.jsonl")]:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        to_its_end(part.name)
        assert everything(part) == everything(tmp_path / "whole")
