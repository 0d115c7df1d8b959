"""The supervised baseline: trained on one split, tested on the other, at each image's own size."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from iiszoo.engine.campaign import baseline as module
from iiszoo.engine.campaign import training
from iiszoo.engine.campaign.baseline import baseline, figures_of
from iiszoo.engine.campaign.pictures import Pictures, with_own_targets
from iiszoo.engine.campaign.segmenter_file import Trained, load
from iiszoo.engine.campaign.training import Recipe
from iiszoo.errors import BadOption, DatasetError, ModelError, RunError, WeightsError
from iiszoo.loading import load_dataset
from iiszoo.models.supervised import SegmenterDescription

TINY = Recipe("smp:unet/tu-test_efficientnet?size=32&weights=none", steps=2)


def test_ndd20_is_trained_on_its_first_four_fifths_and_tested_on_the_rest(dolphins: Path, tmp_path: Path) -> None:
    result = baseline("ndd20-below", TINY, root=dolphins, out=tmp_path / "b")
    assert result["identity"]["train"] | {"fingerprint": ""} == {
        "id": "ndd20-below-train", "n_samples": 8, "n_broken": 0, "fingerprint": "",
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "b/images.csv").open()))
    assert [row["sample"] for row in rows] == ["8__1", "9__1"]
    assert result["figures"]["iou"] == pytest.approx(np.mean([float(row["iou"]) for row in rows]))
    assert result["start"].startswith("none")
    saved = load(tmp_path / "b/segmenter.safetensors")
    assert (saved.facts["n_images"], saved.sha256) == (8, result["sha256"])


def test_training_makes_it_better(concept: Path, tmp_path: Path) -> None:
    recipe = Recipe(TINY.segmenter, steps=60, lr=1e-2)
    before, after = (
        baseline(f"folder:{concept}", each, test_share=0.2, out=tmp_path / name)["figures"]
        for name, each in (("a", TINY), ("b", recipe))
    )
    assert after["focal_loss"] < before["focal_loss"]
    assert after["mse"] < before["mse"]
    assert after["iou"] > 0.5


def test_the_same_seed_is_the_same_network_and_another_is_another(concept: Path, tmp_path: Path) -> None:
    pictures = with_own_targets(list(load_dataset(f"folder:{concept}")))
    made = [training.train(TINY, pictures, seed, tmp_path / f"{n}", {}) for n, seed in enumerate((5, 5, 6))]
    states = [each.network.state_dict() for each in made]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_an_incomplete_last_batch_is_dropped_and_few_images_are_one_batch(concept, tmp_path, monkeypatch) -> None:
    pictures = with_own_targets(list(load_dataset(f"folder:{concept}")))
    seen: list[int] = []
    from iiszoo.models.lightning import SupervisedTraining

    step = SupervisedTraining.training_step
    monkeypatch.setattr(
        SupervisedTraining, "training_step", lambda self, batch, i: seen.append(len(batch[0])) or step(self, batch, i)
    )
    training.train(Recipe(TINY.segmenter, steps=5, batch=4), pictures, 0, tmp_path / "a", {})
    training.train(Recipe(TINY.segmenter, steps=2), pictures[:3], 0, tmp_path / "b", {})
    assert seen == [4, 4, 4, 4, 4, 3, 3]


@pytest.mark.parametrize(("sound_steps", "told_at"), [(0, 0), (1, 4), (3, 4)])
def test_a_segmenter_whose_loss_is_no_number_any_more_is_not_saved(
    concept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound_steps: int, told_at: int
) -> None:
    from iiszoo.models import lightning

    pictures = with_own_targets(list(load_dataset(f"folder:{concept}")))
    losses, focal = iter([1.0] * sound_steps + [float("nan")] * 9), lightning.focal
    monkeypatch.setattr(lightning, "focal", lambda *given: focal(*given) * next(losses))
    with pytest.raises(ModelError, match=f"the segmenter's loss is nan at step {told_at}; its masks or weights are"):
        training.train(Recipe(TINY.segmenter, steps=4), pictures, 0, tmp_path / "a", {})
    assert not (tmp_path / "a").exists()


class Bright(nn.Module):
    """Logits of +4 where the red is bright."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 8 * (image[:, :1] > 0.5).float() - 4


def test_figures_are_at_the_image_s_own_size_and_of_probabilities(concept: Path) -> None:
    sample = load_dataset(f"folder:{concept}")[0]
    trained = Trained(Bright(), SegmenterDescription(size=32), "", {}, Path())
    found = figures_of(trained, sample, "cpu")
    p = 1 / (1 + np.exp(-4.0))
    assert 0.8 < found.iou < 1  # the square's border is blurred by 32 pixels for 48
    assert found.mae == pytest.approx(1 - p, abs=0.06)
    assert found.mse < found.mae
    assert found.dice == pytest.approx(2 * found.iou / (1 + found.iou))


def test_masks_and_images_are_resized_to_the_network_and_ignored_pixels_are_not_valid(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.full((64, 96, 3), 9, np.uint8))
    mask = np.zeros((64, 96), np.uint8)
    mask[:32], mask[:, :48] = 255, 128
    cv2.imwrite(str(tmp_path / "masks/a.png"), mask)
    image, target, valid = Pictures(with_own_targets([load_dataset(f"folder:{tmp_path}")[0]]), 32)[0]
    assert (image.shape, image.dtype, target.shape) == ((32, 32, 3), torch.uint8, (1, 32, 32))
    assert not valid[0, :, :16].any()
    assert valid[0, :, 16:].all()
    assert target[0, :16, 16:].all()
    assert not target[0, 16:, 16:].any()


def test_a_finished_baseline_is_not_run_again_and_another_is_refused(concept, tmp_path, monkeypatch) -> None:
    out = tmp_path / "b"
    first = baseline(f"folder:{concept}", TINY, test_share=0.2, out=out)
    monkeypatch.setattr(module.training, "train", None)
    again = baseline(f"folder:{concept}", TINY, test_share=0.2, out=out)
    assert again == json.loads(json.dumps(first))
    with pytest.raises(RunError, match=r"recipe.steps: 2 there, 3 now"):
        baseline(f"folder:{concept}", Recipe(TINY.segmenter, steps=3), test_share=0.2, out=out)
    assert json.loads((out / "baseline.json").read_text())["sha256"] == first["sha256"]


def test_bad_input_is_one_sentence(concept: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"has no test split; give --test-share 0.2"):
        baseline(f"folder:{concept}", TINY, out=tmp_path / "b")
    with pytest.raises(BadOption, match=r"leaves nothing to annotate or to test of 10 samples"):
        baseline(f"folder:{concept}", TINY, test_share=0.95, out=tmp_path / "b")
    with pytest.raises(BadOption, match=r"several objects in one image"):
        baseline("demo", TINY, test_share=0.2, out=tmp_path / "b")
    with pytest.raises(BadOption, match=r"no segmenter is called 'resnet'"):
        baseline(f"folder:{concept}", Recipe("resnet"), test_share=0.2, out=tmp_path / "b")
    with pytest.raises(BadOption, match=r"has no architecture 'vnet'"):
        baseline(f"folder:{concept}", Recipe("smp:vnet/resnet18?weights=none"), test_share=0.2, out=tmp_path / "b")
    with pytest.raises(BadOption, match=r"at least 2 images"):
        training.train(TINY, with_own_targets([load_dataset(f"folder:{concept}")[0]]), 0, tmp_path / "s", {})
    assert not (tmp_path / "b").exists()


def test_several_values_in_the_masks_name_the_option_that_chooses(concept: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"images/{n}.png"), np.zeros((20, 20, 3), np.uint8))
        mask = np.zeros((20, 20), np.uint8)
        mask[:9], mask[12:] = 1, 2
        cv2.imwrite(str(tmp_path / f"masks/{n}.png"), mask)
    with pytest.raises(DatasetError, match=r"objects="):
        baseline(f"folder:{tmp_path}", TINY, test_share=0.3, out=tmp_path / "b")
    baseline(f"folder:{tmp_path}?objects=all", TINY, test_share=0.3, out=tmp_path / "b")


def test_a_damaged_segmenter_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match=r"s.safetensors is not a segmenter"):
        load(tmp_path / "s.safetensors")
