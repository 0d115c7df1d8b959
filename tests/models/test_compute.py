"""The options precision and cuda_graphs: answers are float32, torch's own settings stay, and nonsense is a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from iiszoo.errors import BadOption
from iiszoo.loading import load_model
from iiszoo.models.compute import Compute
from iiszoo.models.cuda_graphs import Graphed, filled, first
from iiszoo.models.exactness import tf32
from iiszoo.models.fold import folded
from iiszoo.models.precision import InPrecision, in_precision
from iiszoo.models.runtime import image_and_maps
from iiszoo.testing import scenes

GRAPH = image_and_maps(3, "maps")


class Sum(nn.Module):
    """A product of matrices, whose precision shows in its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 1, 1)
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        self.seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        answer: torch.Tensor = self.layer(torch.cat((image, maps), 1))
        return answer


def inputs(n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    return torch.rand(n, 3, 32, 32, generator=generator), torch.rand(n, 3, 32, 32, generator=generator)


def test_on_a_cpu_float32_is_the_network_itself() -> None:
    network = Sum()
    assert Compute("cpu").network(network, GRAPH) is network


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@torch.no_grad()
def test_a_coarse_network_answers_in_float32_and_nearly_the_same(precision: str) -> None:
    network = Sum()
    exact, rough = network(*inputs()), Compute("cpu", precision=precision).network(network, GRAPH)(*inputs())
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05
    assert not torch.is_autocast_enabled("cpu")


class Skipping(nn.Module):
    """Of three norms after convolutions one is folded, one has an activation of its own, and one must stay."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList([nn.BatchNorm2d(6), BatchNormAct2d(6), nn.BatchNorm2d(6)])
        for norm in self.norms:
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)

    def forward(self, image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        x = self.norms[0](self.convs[0](torch.cat((image, maps), 1)))
        x = self.norms[1](self.convs[1](x))
        answer: torch.Tensor = self.norms[2](self.convs[2](x).relu())
        return answer


@torch.no_grad()
def test_norms_right_after_a_convolution_are_folded_into_it() -> None:
    torch.manual_seed(0)
    network = Skipping().eval()
    without = folded(network, inputs())
    torch.testing.assert_close(without(*inputs(3)), network(*inputs(3)), rtol=1e-4, atol=1e-5)
    assert [name for name, module in without.named_modules() if isinstance(module, nn.BatchNorm2d)] == ["norms.2"]
    assert len([module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]) == 3


@torch.no_grad()
def test_nothing_is_folded_where_the_convolution_is_needed_as_it_is() -> None:
    class Twice(Skipping):
        def forward(self, image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
            x = self.convs[0](torch.cat((image, maps), 1))
            answer: torch.Tensor = x + self.norms[0](x)
            return answer

    torch.manual_seed(0)
    network = Twice().eval()
    without = folded(network, inputs())
    assert torch.equal(without(*inputs(3)), network(*inputs(3)))
    assert any(isinstance(module, nn.BatchNorm2d) for module in without.modules())


@torch.no_grad()
def test_coordinates_are_not_rounded() -> None:
    class Coordinates(Sum):
        def forward(self, image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
            assert (image.dtype, maps.dtype) == (torch.bfloat16, torch.float32)
            answer: torch.Tensor = self.layer(torch.cat((image, maps.to(image)), 1)) + 0 * maps[:, :1]
            return answer

    graph = replace(GRAPH, inputs={**GRAPH.inputs, "maps": replace(GRAPH.inputs["maps"], exact=True)})
    assert Compute("cpu", precision="bfloat16").network(Coordinates(), graph)(*inputs()).dtype == torch.float32


def test_several_answers_are_float32_each() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x @ x, x.half()

    found = InPrecision(Two(), "bfloat16")(torch.rand(4, 4))
    assert [value.dtype for value in found] == [torch.float32] * 2


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("tf32", True)])
def test_tf32_is_on_only_where_it_was_asked_for_and_torch_is_left_as_it_was(precision: str, allowed: bool) -> None:
    network = Sum()
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with tf32(not allowed):
        in_precision(precision, network, "cuda:0")(*inputs())
        assert torch.backends.cudnn.allow_tf32 is not allowed
    assert network.seen == [(allowed, allowed)]
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"device": "cpu", "precision": "int8"},
            "precision=int8 is unknown; precisions: float32, tf32",
        ),
        ({"device": "cpu", "precision": "tf32"}, "precision=tf32 exists on CUDA only, not on cpu"),
        ({"device": "cpu", "runtime": "onnx", "precision": "bfloat16"}, "leaves no choice of precision"),
        ({"device": "cpu", "cuda_graphs": True}, "cuda_graphs=true needs a CUDA device, not cpu"),
    ],
)
def test_what_does_not_exist_is_one_sentence(options: dict[str, object], sentence: str) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(BadOption, match=sentence):
        Compute(**options)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 17))
def test_a_batch_is_filled_up_to_a_power_of_two_and_only_what_was_asked_comes_back(n: int) -> None:
    full = filled(inputs(n), 1 << (n - 1).bit_length())
    assert len(full[0]) == len(full[1]) in (1, 2, 4, 8, 16, 32)
    assert len(full[0]) < 2 * n
    assert torch.equal(full[0][:n], inputs(n)[0])
    one, two = first((full[0], full[1]), n)
    assert torch.equal(one, inputs(n)[0])
    assert len(two) == n
    assert one.data_ptr() != full[0].data_ptr()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
@torch.no_grad()
def test_a_graph_answers_like_the_network_for_every_batch_and_leaves_earlier_answers_alone() -> None:
    network = Sum().cuda()
    graphed = Graphed(InPrecision(network, "float32"))
    earlier = []
    for n in (1, 1, 1, 3, 4, 3, 1):
        values = [value.cuda() for value in inputs(n)]
        earlier.append((graphed(*values), network(*values)))
    assert all(torch.allclose(found, wanted, atol=1e-6) for found, wanted in earlier)


@torch.no_grad()
def test_the_default_in_bfloat16_segments_the_same_object() -> None:
    scene = scenes.session(0)
    x = torch.as_tensor(scene.x)
    answers = []
    for name in ("smp/unet-lite0", "smp/unet-lite0?precision=bfloat16"):
        model = load_model(name)
        answers.append(model(x, model.init_z(x), scene.pcs[:1], scene.ncs[:1])[0])
    exact, rough = (answer > 0.5 for answer in answers)
    assert answers[1].dtype == torch.float32
    assert (exact & rough).sum() / (exact | rough).sum() > 0.9


def test_a_card_names_the_precisions_that_its_model_stands() -> None:
    with pytest.raises(BadOption, match=r"gto99/resnet50 does not stand precision=float16; it stands float32, tf32"):
        load_model("gto99/resnet50?precision=float16")
