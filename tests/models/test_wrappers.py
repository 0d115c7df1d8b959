"""Networks of segmentation_models_pytorch with click inputs."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from iiszoo.errors import BadOption
from iiszoo.models.wrappers.building import build
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.models.wrappers.smp import IntermediateFusion, load_encoder

ARCHITECTURES = sorted(smp.MODEL_ARCHITECTURES_MAPPING)
TRANSFORMERS = {"dpt": "tu-test_vit"}
"""The transformer encoder of an architecture that does not take `mit_b0`."""
REFUSED = {
    ("unetplusplus", "mit_b0"): "UnetPlusPlus is not support encoder_name=mit_b0",
    ("linknet", "mit_b0"): "`mit_b0` is not supported for Linknet",
    ("dpt", "resnet18"): "cannot build dpt with the encoder resnet18",
    ("dpt", "intermediate"): "the encoder of dpt returns tokens too; use early",
}
"""What cannot be built, by architecture and encoder or fusion."""


def described(architecture: str, encoder: str, fusion: str, **options) -> NetworkDescription:
    return NetworkDescription(architecture, encoder, fusion, options=options)


def answers(description: NetworkDescription, size: int = 64) -> None:
    torch.manual_seed(0)
    network = build(description).eval()
    image, maps = torch.rand(2, 3, size, size), torch.rand(2, description.n_maps, size, size)
    with torch.no_grad():
        logits = network(image, maps)
        others = network(image, torch.zeros_like(maps))
    assert logits.shape == (2, 1, size, size)
    assert not torch.equal(logits, others)  # the maps are read


@pytest.mark.parametrize("fusion", ["early", "intermediate"])
@pytest.mark.parametrize("encoder", ["tu-test_efficientnet", "resnet18"])
def test_a_unet(encoder: str, fusion: str) -> None:
    answers(described("unet", encoder, fusion, decoder_channels=[16, 16, 8, 8, 4]))


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["early", "intermediate"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["cnn", "transformer"])
def test_every_architecture(architecture: str, kind: str, fusion: str) -> None:
    encoder = "resnet18" if kind == "cnn" else TRANSFORMERS.get(architecture, "mit_b0")
    refused = REFUSED.get((architecture, fusion)) or REFUSED.get((architecture, encoder))
    description = described(architecture, encoder, fusion)
    if refused is None:
        answers(description, 128 if architecture == "pan" else 64)
    else:
        with pytest.raises(BadOption, match=refused):
            build(description)


def test_the_encoders_filters_for_rgb_are_kept() -> None:
    torch.manual_seed(0)
    rgb = smp.encoders.get_encoder("resnet18", weights=None).state_dict()
    network = build(described("unet", "resnet18", "early"))
    load_encoder(network, rgb, "test")
    filters = network.encoder.state_dict()["conv1.weight"]
    assert torch.equal(filters[:, :3], rgb["conv1.weight"])
    assert 0 < float(filters[:, 3:].abs().max()) < 0.1


def test_intermediate_fusion_adds_features_at_every_level() -> None:
    network = build(described("unet", "resnet18", "intermediate"))
    assert isinstance(network, IntermediateFusion)
    with torch.no_grad():
        for parameter in network.second.parameters():
            parameter.zero_()
        network.eval()
        image = torch.rand(1, 3, 64, 64)
        alone = network.whole(network.normalised(image))
        assert torch.allclose(network(image, torch.rand(1, 3, 64, 64)), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": "unett"}, "no architecture 'unett'; it has"),
        ({"encoder": "resnet7"}, "cannot build unet with the encoder resnet7"),
        ({"fusion": "late"}, "known: early, intermediate"),
        ({"encoding": "dots"}, "known: disk, distance"),
        ({"library": "mmdet"}, "known: smp, mmseg, iiszoo"),
        ({"options": {"sighs": 1}}, "unet has no sighs; it has encoder_depth, "),
        ({"options": {"decoder_channels": [1]}}, "cannot build unet"),
    ],
)
def test_what_cannot_be_built_is_named(change, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        build(NetworkDescription(**{"architecture": "unet", "encoder": "resnet18", **change}))


@pytest.mark.parametrize(
    ("encoding", "options", "n_maps"),
    [("disk", {"radius": 4}, 3), ("gaussian", {"scales": [1.0, 4.0]}, 5), ("distance", {}, 3), ("euclidean", {}, 3)],
)
def test_every_encoding_has_its_number_of_maps(encoding: str, options, n_maps: int) -> None:
    description = NetworkDescription(encoding=encoding, encoding_options=options)
    maps = description.encode()([[[(3, 4)]]], [[[]]], (20, 24))
    assert description.n_maps == n_maps == maps.shape[1] + 1
