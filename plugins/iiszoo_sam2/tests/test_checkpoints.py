"""Meta's files and transformers' are recognised, loaded strictly, and taken for nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from small_sam2 import empty
from transformers import Sam2VideoConfig, Sam2VideoModel

from iiszoo.errors import WeightsError
from iiszoo_sam2.cards import CARDS
from iiszoo_sam2.checkpoints import load_network
from iiszoo_sam2.names import HUB, META, from_meta, to_meta
from iiszoo_sam2.networks import NETWORKS

Tensor = torch.Tensor
OFFICIAL = {
    "sam2/tiny": ("sam2_tiny", 471),
    "sam2/small": ("sam2_small", 519),
    "sam2/base-plus": ("sam2_base_plus", 615),
    "sam2/large": ("sam2_large", 903),
    "edgetam/edgetam": ("edgetam", 982),
}
META_MEMORY = {"memory_attention.norm.weight": torch.ones(256), "no_obj_ptr": torch.ones(1, 256)}
META_SECOND = {"no_obj_embed_spatial": torch.ones(1, 64), "obj_ptr_tpos_proj.weight": torch.ones(64, 256)}
HUB_MEMORY = {"memory_attention.layer_norm.weight": torch.ones(256), "no_object_pointer": torch.ones(1, 256)}
HUB_SECOND = {"occlusion_spatial_embedding_parameter": torch.ones(1, 64)}
GRIDS = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")


@pytest.mark.parametrize("model", NETWORKS)
def test_the_official_keys_and_shapes(shared: Path, model: str) -> None:
    name, n = OFFICIAL[model]
    listed = json.loads((shared / "parity" / "state_dicts_2026" / f"{name}.json").read_text())["state_dict"]
    assert len(listed) == n
    with torch.device("meta"):
        network = NETWORKS[model]()
        state = {key: torch.empty(shape, dtype=getattr(torch, dtype)) for key, shape, dtype in listed}
    image = {key: value for key, value in state.items() if not META.is_memory(key)}
    own = network.state_dict()
    wanted = to_meta(own)
    assert {key: (value.shape, value.dtype) for key, value in image.items()} == {
        key: (value.shape, value.dtype) for key, value in wanted.items()
    }
    network.load_state_dict(from_meta(image, own), assign=True)  # strict


def test_cards_state_the_true_number_of_parameters() -> None:
    for card in CARDS:
        with torch.device("meta"):
            network = NETWORKS[card.id]()
        assert sum(p.numel() for p in network.parameters()) == card.n_parameters, card.id


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "sam2/tiny", empty)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Of a small network, random, in transformers' names."""
    own = {
        name: torch.zeros_like(value) if not value.is_floating_point() else torch.rand(value.shape)
        for name, value in empty().state_dict().items()
    }
    return {**own, GRIDS[1]: own[GRIDS[0]].clone()}


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "file.pt")
    return folder / "file.pt"


def saved_by_transformers(folder: Path, content: dict[str, Tensor]) -> Path:
    save_file(content, folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("memory", [{}, META_SECOND, {**META_MEMORY, **META_SECOND}])
@pytest.mark.parametrize("wrap", [lambda state: {"model": state}, lambda state: {"model": state, "epoch": 3}])
def test_metas_file(tmp_path: Path, state: dict[str, Tensor], memory: dict[str, Tensor], wrap: Any) -> None:
    """With and without memory modules, as Meta saves it and as its training does."""
    network = load_network("sam2/tiny", saved(tmp_path, wrap({**to_meta(state), **memory})))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("left_out", [(), (GRIDS[0],), (GRIDS[1],)])
def test_transformers_file(tmp_path: Path, state: dict[str, Tensor], left_out: tuple[str, ...]) -> None:
    """Whichever of the names that share a tensor it has."""
    whole = {**state, **HUB_MEMORY, **HUB_SECOND}
    file = saved_by_transformers(tmp_path, {key: value for key, value in whole.items() if key not in left_out})
    network = load_network("sam2/tiny", file)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.usefixtures("_small")
def test_half_precision_becomes_float32(tmp_path: Path, state: dict[str, Tensor]) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in to_meta(state).items()}
    network = load_network("sam2/tiny", saved(tmp_path, half))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("name", ["no_mem_embed", "sam_mask_decoder.conv_s0.weight"])
def test_a_missing_entry_of_what_is_used_is_named(tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    content = {**to_meta(state), **META_MEMORY, **META_SECOND}
    del content[name]
    with pytest.raises(WeightsError, match=rf"does not fit sam2/tiny: it has no {name.replace('.', '.')}; give a file"):
        load_network("sam2/tiny", saved(tmp_path, content))


@pytest.mark.usefixtures("_small")
def test_an_unknown_entry_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"it has an unknown sam_mask_decoder\.more; give a file of sam2/tiny"):
        load_network("sam2/tiny", saved(tmp_path, {**to_meta(state), "sam_mask_decoder.more": torch.ones(1)}))


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("model", ["sam2/tiny", "sam2/small"])
def test_sam_2_0_is_said_to_be_that(tmp_path: Path, state: dict[str, Tensor], model: str) -> None:
    """Of the wanted size and of another."""
    said = rf"weights of SAM 2\.0 \(tiny\), not of SAM 2\.1: .* no no_obj_embed_spatial.* the SAM 2\.1 file of {model}"
    with pytest.raises(WeightsError, match=said):
        load_network(model, saved(tmp_path, {"model": {**to_meta(state), **META_MEMORY}}))
    with pytest.raises(WeightsError, match=r"weights of SAM 2\.0 \(tiny\), not of SAM 2\.1"):
        load_network(model, saved_by_transformers(tmp_path, {**state, **HUB_MEMORY}))


@pytest.mark.parametrize("naming", ["Meta's", "transformers'"])
def test_another_variants_file_is_named(tmp_path: Path, naming: str) -> None:
    """EdgeTAM's memory modules are those of SAM 2.0; it is told by its encoder."""
    empty = NETWORKS["edgetam/edgetam"]().state_dict()
    own = {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in empty.items()}
    content = {**to_meta(own), **META_MEMORY} if naming == "Meta's" else {**own, **HUB_MEMORY}
    said = "weights of edgetam/edgetam, not of sam2/small; use --model edgetam/edgetam"
    with pytest.raises(WeightsError, match=said):
        load_network("sam2/small", saved(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model": {"backbone.weight": torch.zeros(3)}}, "does not fit sam2/tiny: it has no"),
        ({"model": {}}, "has no state dict"),
        ([torch.zeros(3)], "has no state dict"),
    ],
)
def test_what_is_no_sam_2_is_said_to_be_none(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        load_network("sam2/tiny", saved(tmp_path, content))


def test_transformers_video_model_has_these_names_and_memory_modules_besides() -> None:
    """It wrote the safetensors files on the hub."""
    with torch.device("meta"):
        video = Sam2VideoModel(Sam2VideoConfig()).state_dict()
        image = NETWORKS["sam2/tiny"]().state_dict()
    memory = {name for name in video if HUB.is_memory(name)}
    assert video.keys() - memory == image.keys()
    assert not HUB.is_first_version(memory)
    assert not any(META.is_memory(name) for name in to_meta(image))
