"""Segmentation networks without clicks: their names, what they start from, and their logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from iiszoo.errors import BadOption, WeightsError
from iiszoo.models.supervised import DEEPLAB, build, described, identity_of, logits_of


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    torch.hub.set_dir(str(tmp_path / "hub"))


@pytest.mark.parametrize(
    "name", [DEEPLAB, f"{DEEPLAB}?size=320&weights=none", "smp:unet/resnet18", "smp:fpn/tu-x?size=64&weights=a.pth"]
)
def test_a_description_is_written_as_a_name(name: str) -> None:
    assert described(str(described(name))) == described(name)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("unet", "no segmenter is called 'unet'"),
        ("smp:unet", "no segmenter is called"),
        ("smp:/resnet18", "no segmenter is called"),
        (f"{DEEPLAB}:x", "no segmenter is called"),
        (f"{DEEPLAB}?size=100", "size must be a multiple of 32"),
        (f"{DEEPLAB}?size=true", "size must be a multiple of 32"),
        (f"{DEEPLAB}?sise=64", "there is no option sise"),
        ("smp:unet/resnet18?weights=coco", "smp has no weights of COCO"),
    ],
)
def test_other_names_are_refused(name: str, fault: str) -> None:
    with pytest.raises(BadOption, match=fault.replace("?", r"\?")):
        described(name)


def test_without_a_network_connection_weights_are_random_and_that_is_said() -> None:
    for name in (f"{DEEPLAB}?size=64", "smp:unet/tu-test_efficientnet?size=64"):
        assert build(described(name), 0).start.startswith("none: random weights (")
    with pytest.raises(WeightsError, match="IISZOO_OFFLINE is set"):
        build(described(f"{DEEPLAB}?weights=coco"), 0)
    assert build(described(f"{DEEPLAB}?weights=none"), 0).start == "none: random weights"


def test_the_seed_decides_the_random_weights() -> None:
    one, same, other = (build(described("smp:unet/tu-test_efficientnet?weights=none"), seed) for seed in (1, 1, 2))
    states = [each.network.state_dict() for each in (one, same, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_deeplab_takes_coco_s_weights_but_not_their_last_layer(tmp_path: Path) -> None:
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    donor = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    torch.save(donor.state_dict(), tmp_path / "coco.pth")
    made = build(described(f"{DEEPLAB}?weights={tmp_path}/coco.pth"), 0)
    own, given = made.network.state_dict(), donor.state_dict()
    for name in ("backbone.0.0.weight", "classifier.0.convs.0.0.weight", "backbone.16.1.running_mean"):
        assert torch.equal(own[f"whole.{name}"], given[name])
    assert own["whole.classifier.4.weight"].shape[0] == 1
    assert "coco.pth, sha256" in made.start


def test_deeplab_takes_the_backbone_of_an_imagenet_classifier(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v3_large

    donor = mobilenet_v3_large(weights=None)
    torch.save(donor.state_dict(), tmp_path / "imagenet.pth")
    made = build(described(f"{DEEPLAB}?weights={tmp_path}/imagenet.pth"), 0)
    own = made.network.state_dict()
    assert torch.equal(own["whole.backbone.3.block.0.0.weight"], donor.state_dict()["features.3.block.0.0.weight"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"backbone.0.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BadOption, match=r"do not fit .*: they (lack|have another shape in) backbone"):
        build(described(f"{DEEPLAB}?weights={tmp_path}/other.safetensors"), 0)
    with pytest.raises(BadOption, match=r"lack"):
        build(described(f"smp:unet/tu-test_efficientnet?weights={tmp_path}/other.safetensors"), 0)
    with pytest.raises(WeightsError, match="does not exist"):
        build(described(f"{DEEPLAB}?weights={tmp_path}/none.pth"), 0)


def test_a_file_of_weights_is_known_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    one = identity_of(described(f"{DEEPLAB}?weights={tmp_path}/a"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a").write_text("one")
    assert one == identity_of(described(f"{DEEPLAB}?weights={tmp_path}/elsewhere/a"))
    (tmp_path / "a").write_text("two")
    assert one != identity_of(described(f"{DEEPLAB}?weights={tmp_path}/a"))


@pytest.mark.parametrize("name", [DEEPLAB, "smp:unet/tu-test_efficientnet"])
def test_logits_are_of_the_image_s_own_size(name: str) -> None:
    made = build(described(f"{name}?size=64&weights=none"), 0)
    image = np.random.default_rng(0).integers(0, 255, (50, 71, 3), dtype=np.uint8)
    assert logits_of(made.network.eval(), image, made.description.size).shape == (1, 1, 50, 71)


def test_an_encoder_of_timm_gets_the_statistics_it_was_trained_with() -> None:
    network = build(described("smp:unet/tu-tf_efficientnet_lite0?weights=none"), 0).network
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    other = build(described("smp:unet/resnet18?weights=none"), 0).network
    assert other.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
