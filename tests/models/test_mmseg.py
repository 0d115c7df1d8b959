"""Networks of mmsegmentation with click inputs."""

from __future__ import annotations

import dataclasses
import shutil
import socketserver
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from iiszoo import files
from iiszoo.errors import BadOption, ModelError, WeightsError
from iiszoo.models import network_file
from iiszoo.models.wrappers import mmseg_weights
from iiszoo.models.wrappers.building import build, completed
from iiszoo.models.wrappers.description import NetworkDescription, Sighting
from iiszoo.models.wrappers.mmseg import TwoBackbones
from iiszoo.models.wrappers.mmseg_configuration import MODEL, configurations, need_mmseg

pytest.importorskip("mmseg", reason="needs mmsegmentation: pip install 'iiszoo[mmseg]'")

SEGFORMER = "segformer_mit-b0_8xb2-160k_ade20k-512x512"
SMALL = {
    "backbone.embed_dims": 4,
    "backbone.num_layers": [1, 1, 1, 1],
    "decode_head.in_channels": [4, 8, 20, 32],
    "decode_head.channels": 8,
}
NETWORKS = (
    SEGFORMER,
    "pspnet_r18-d8_4xb2-80k_cityscapes-512x1024",
    "swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512",
    "ocrnet_hr18s_4xb2-40k_cityscapes-512x1024",
)
FUSIONS = ("early", "intermediate")
FCN = {
    "type": "EncoderDecoder",
    "backbone": {"type": "ResNet", "depth": 18, "base_channels": 8, "norm_cfg": {"type": "SyncBN"}},
    "decode_head": {
        "type": "mmseg.FCNHead", "in_channels": 64, "channels": 8, "num_convs": 1, "num_classes": 19, "in_index": 3,
        "out_channels": 19, "loss_decode": [{"type": "DiceLoss"}, {"type": "CrossEntropyLoss"}],
    },
    "auxiliary_head": {"type": "NoSuchHead"},
}  # fmt: skip


def small(fusion: str = "early", **changes) -> NetworkDescription:
    return NetworkDescription(SEGFORMER, fusion=fusion, library="mmseg", options={**SMALL, **changes})


def given(model, fusion: str = "early") -> NetworkDescription:
    return NetworkDescription("", fusion=fusion, library="mmseg", options={MODEL: model})


def learns(description: NetworkDescription) -> None:
    torch.manual_seed(0)
    network = build(description)
    image, maps = torch.rand(2, 3, 64, 64), torch.rand(2, description.n_maps, 64, 64)
    logits = network(image, maps)
    assert logits.shape == (2, 1, 64, 64)
    logits.square().mean().backward()
    assert not [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
    network.eval()
    with torch.no_grad():
        assert not torch.equal(network(image, maps), network(image, torch.zeros_like(maps)))  # the maps are read


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_network_learns(fusion: str) -> None:
    learns(small(fusion))


@pytest.mark.slow
@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("architecture", NETWORKS)
def test_networks_of_other_kinds_learn(architecture: str, fusion: str) -> None:
    learns(NetworkDescription(architecture, fusion=fusion, library="mmseg"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture",
    [
        "pidnet-s_2xb6-120k_1024x1024-cityscapes",
        "ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024",
        "knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512",
    ],
)
def test_a_network_with_losses_of_its_own_answers_once_in_training(architecture: str) -> None:
    network = build(NetworkDescription(architecture, library="mmseg"))
    assert network(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)).shape == (2, 1, 64, 64)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_dict_is_a_model_with_two_classes_and_ordinary_norms(fusion: str) -> None:
    description = given(FCN, fusion)
    learns(description)
    network = build(description)
    assert network.whole.decode_head.conv_seg.out_channels == 2
    assert not network.whole.with_auxiliary_head
    assert not [each for each in network.modules() if isinstance(each, nn.SyncBatchNorm)]


def checkpoint(description: NetworkDescription) -> dict[str, torch.Tensor]:
    """Weights as mmsegmentation saves them, for RGB and 150 classes."""
    torch.manual_seed(1)
    state = build(dataclasses.replace(description, fusion="early")).whole.state_dict()
    state["backbone.layers.0.0.projection.weight"] = torch.rand(4, 3, 7, 7)
    state["decode_head.conv_seg.weight"] = torch.rand(150, 8, 1, 1)
    state["auxiliary_head.conv_seg.weight"] = torch.rand(150, 8, 1, 1)
    return state


@pytest.mark.parametrize("fusion", FUSIONS)
def test_weights_of_rgb_keep_their_answer(tmp_path, fusion: str, caplog) -> None:
    state = checkpoint(small())
    torch.save({"meta": {"epoch": 3}, "state_dict": state}, tmp_path / "whole.pth")
    network = build(small(fusion)).eval()
    mmseg_weights.load(network, str(tmp_path / "whole.pth"), SEGFORMER, {})
    assert "1 entries of the network stay random: decode_head.conv_seg.weight" in caplog.text
    backbone = network.whole.backbone
    image = backbone.image if isinstance(backbone, TwoBackbones) else backbone
    for name, value in image.state_dict().items():
        theirs = state[f"backbone.{name}"]
        assert torch.equal(value[:, :3] if value.dim() == 4 else value, theirs[:, :3] if value.dim() == 4 else theirs)
    first = image.layers[0][0].projection.weight
    if fusion == "early":
        assert 0 < float(first.detach()[:, 3:].abs().max()) < 0.1
    else:
        assert first.shape[1] == 3


def test_intermediate_fusion_adds_the_features_of_a_second_backbone() -> None:
    network = build(small("intermediate")).eval()
    picture, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        one, other = network.whole.backbone.image(picture), network.whole.backbone.maps(maps)
        fused = network.whole.backbone(torch.cat((picture, maps), 1))
    assert all(torch.equal(f, a + b) for f, a, b in zip(fused, one, other, strict=True))


def test_a_backbones_weights_and_those_that_do_not_fit(tmp_path) -> None:
    network = build(small())
    bare = {
        name.removeprefix("backbone."): value.contiguous()
        for name, value in checkpoint(small()).items()
        if name.startswith("backbone.")
    }
    save_file(bare, tmp_path / "backbone.safetensors")
    mmseg_weights.load(network, str(tmp_path / "backbone.safetensors"), SEGFORMER, {})
    assert torch.equal(network.whole.state_dict()["backbone.layers.1.2.weight"], bare["layers.1.2.weight"])
    for state, said in (
        ({**bare, "layers.1.2.weight": torch.rand(5)}, "backbone.layers.1.2.weight has the shape"),
        ({"layers.1.2.weight": torch.rand(8)}, "they lack most of its backbone"),
    ):
        save_file(state, tmp_path / "other.safetensors")
        with pytest.raises(BadOption, match=said):
            mmseg_weights.load(network, str(tmp_path / "other.safetensors"), SEGFORMER, {})


def test_the_weights_that_a_configuration_names(tmp_path, monkeypatch) -> None:
    state = checkpoint(small())
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    network = build(small())
    own = tmp_path / "mine.py"
    own.write_text(f"load_from = {str(tmp_path / 'mine.pth')!r}\nmodel = dict(type='EncoderDecoder')\n")
    mmseg_weights.load(network, "pretrained", str(own), {})
    assert torch.equal(network.whole.state_dict()["backbone.layers.1.2.weight"], state["backbone.layers.1.2.weight"])
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"mit_b0_20220624-7e0fe6dd\.pth is not fetched: IISZOO_OFFLINE is set"):
        mmseg_weights.load(network, "pretrained", SEGFORMER, {})
    for model, error, said in (
        ({"pretrained": "open-mmlab://resnet18_v1c"}, WeightsError, "resnet18_v1c-b5776b93.pth is not fetched"),
        ({"pretrained": "open-mmlab://nothing"}, BadOption, "nobody knows where the weights open-mmlab://nothing are"),
        ({}, BadOption, "names no pretrained weights"),
    ):
        with pytest.raises(error, match=said):
            mmseg_weights.load(network, "pretrained", "", {MODEL: model})


def test_weights_are_downloaded_once_and_checked(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    state = checkpoint(small())
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    right = tmp_path / f"mine-{files.sha256(tmp_path / 'mine.pth')[0][:8]}.pth"
    (tmp_path / "mine.pth").rename(right)
    shutil.copy(right, tmp_path / "mine-00000000.pth")
    network = build(small())
    with socketserver.TCPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        mmseg_weights.load(network, f"{address}/{right.name}", SEGFORMER, {})
        with pytest.raises(WeightsError, match=r"mine-00000000\.pth cannot be fetched: .*invalid hash"):
            mmseg_weights.load(network, f"{address}/mine-00000000.pth", SEGFORMER, {})
        server.shutdown()
    again = build(small())
    mmseg_weights.load(again, f"{address}/{right.name}", SEGFORMER, {})
    for each in (network, again):
        assert torch.equal(each.whole.state_dict()["backbone.layers.1.2.bias"], state["backbone.layers.1.2.bias"])
    with pytest.raises(WeightsError, match=r"other\.pth cannot be fetched"):
        mmseg_weights.load(again, f"{address}/other.pth", SEGFORMER, {})


def test_a_weights_file_needs_no_configuration_file(tmp_path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(f"model = {FCN!r}\nmodel['data_preprocessor'] = dict(mean=[51, 102, 204], std=[255, 255, 51])\n")
    description = completed(NetworkDescription(str(own), library="mmseg"))
    assert description.architecture == "mine"
    assert description.mean == (0.2, 0.4, 0.8)
    assert description.std == (1, 1, 0.2)
    assert completed(description) == description
    network = build(description).eval()
    network_file.save(tmp_path / "w.safetensors", network, description, Sighting(size=(64, 64)), {}, whole=True)
    own.unlink()
    found = network_file.load(tmp_path / "w.safetensors")
    assert found.description == description
    image, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(found.network(image, maps), network(image, maps), atol=1e-5)


@pytest.mark.parametrize("kind", ["os.system", "antigravity", "mmseg.antigravity", "torch.nn.Conv2d"])
def test_nothing_that_a_description_names_is_imported(kind: str) -> None:
    model = {**FCN, "backbone": {"type": kind}}
    for option in (model, repr(model), "__import__('antigravity')"):
        with pytest.raises(BadOption, match=r"which mmsegmentation \S+ does not have|cannot be read"):
            build(given(option))
    assert "antigravity" not in sys.modules


def test_no_weights_are_read_because_a_description_names_them(tmp_path) -> None:
    absent = str(tmp_path / "absent.pth")
    start = {"type": "mmengine.Pretrained", "checkpoint": absent}
    backbone = {**FCN["backbone"], "pretrained": absent, "init_cfg": [start, {"type": "Kaiming", "layer": "Conv2d"}]}
    for model in ({**FCN, "backbone": backbone}, {**FCN, "pretrained": absent, "init_cfg": start}):
        build(given(repr(model)))


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("segformer_mit-b0", "no configuration 'segformer_mit-b0'; did you mean segformer_mit-b0_8xb"),
        ("somewhere/else.py", "there is no configuration file somewhere/else.py"),
        ("mask2former_r50_8xb2-160k_ade20k-512x512", "needs mmdet"),
        ("convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512", "needs mmpretrain.ConvNeXt, which mmsegmentation"),
        ("san-vit-b16_coco-stuff164k-640x640", "is a MultimodalEncoderDecoder; clicks can be added to EncoderDecoder"),
        ("swin-tiny-patch4-window7_upernet_1xb8-20k_levir-256x256", "reads images of 6 channels"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(architecture: str, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        build(NetworkDescription(architecture, library="mmseg"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backbone.embed_dim": 4}, "cannot be built: .*embed_dim"),
        ({"decode_head.channels.most": 4}, "network.options do not fit"),
        ({"decode_head.norm_cfg": {"type": "BatchNorm"}}, "needs BatchNorm, which mmsegmentation"),
        ({"type": "Segmentor"}, "is a Segmentor; clicks can be added to"),
        ({"backbone": None}, "has no backbone"),
        ({"backbone": 3}, "has no backbone"),
        ({"model": 3}, r"options\.model must be a table, a model of mmsegmentation, not 3"),
        ({"data_preprocessor.bgr_to_rgb": False}, "reads BGR"),
        ({"backbone.in_channels": 4}, "no convolution of its backbone reads three channels"),
    ],
)
def test_a_change_that_does_not_fit_is_named(change, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        build(small(**change))


@pytest.mark.parametrize("code", ["model = 1\n", "import no_such_module\n", "x = (\n"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, code: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(code)
    with pytest.raises(BadOption, match=f"configuration file {file} (cannot be read|has no `model`)"):
        build(NetworkDescription(str(file), library="mmseg"))


def test_an_operator_that_is_not_compiled_is_named() -> None:
    need_mmseg()
    if hasattr(sys.modules["mmcv._ext"], "__file__"):
        pytest.skip("this mmcv has its compiled operators")
    head = {"type": "PSAHead", "mask_size": (9, 9), "in_channels": 64, "channels": 8, "num_classes": 19, "in_index": 3}
    with pytest.raises(BadOption, match=r"needs mmcv's compiled operator psamask_forward, .* install mmcv 2\.1"):
        build(given({**FCN, "decode_head": head}))


def test_a_network_of_one_size_says_so() -> None:
    beit = {
        "type": "BEiT", "img_size": 96, "patch_size": 16, "embed_dims": 16, "num_layers": 1, "num_heads": 2,
        "out_indices": [0],
    }  # fmt: skip
    head = {"type": "FCNHead", "in_channels": 16, "channels": 8, "num_classes": 150, "in_index": 0}
    network = build(given({"type": "EncoderDecoder", "backbone": beit, "decode_head": head}))
    assert network(torch.rand(2, 3, 96, 96), torch.rand(2, 3, 96, 96)).shape == (2, 1, 96, 96)
    with pytest.raises(ModelError, match=r"options\.model does not answer for 2 x 64 x 80 pixels: RuntimeError"):
        network(torch.rand(2, 3, 64, 80), torch.rand(2, 3, 64, 80))


def test_a_package_that_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mmseg.models", None)
    with pytest.raises(BadOption, match=r"not installed; run `pip install 'iiszoo\[mmseg\]'`"):
        build(small())


def test_every_configuration_has_its_own_name() -> None:
    files = configurations()
    folder = files[SEGFORMER].parent.parent
    assert len(files) == sum(1 for each in folder.glob("*/*.py") if each.parent.name != "_base_")
