"""HQ-SAM's encoder and decoder on their own: batches, precision, the exported networks, thin images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_samhq import small_samhq

from iiszoo.models.compute import Compute
from iiszoo_sam.exported_backend import ExportedBackend
from iiszoo_sam.model import Sam
from iiszoo_sam.torch_backend import TorchBackend
from iiszoo_samhq.decoder import parts

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def backend() -> TorchBackend:
    return TorchBackend(*parts(small_samhq()), Compute("cpu"))


def encoding(n: int) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    return {
        "embedding": torch.randn(n, 256, 64, 64, generator=g),
        "hq_features": torch.randn(n, 32, 256, 256, generator=g),
    }


def prompts(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Three points each, labels, masks."""
    g = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (n, 3), generator=g).float()
    return 1024 * torch.rand(n, 3, 2, generator=g), labels, torch.randn(n, 1, 256, 256, generator=g)


def test_prompts_on_several_images_share_a_call(backend: TorchBackend) -> None:
    image, prompt = encoding(3), prompts(3)
    together = backend.decode(image, *prompt)
    for b in range(3):
        one = slice(b, b + 1)
        alone = backend.decode({k: v[one] for k, v in image.items()}, *(part[one] for part in prompt))
        assert all(torch.allclose(a[one], c, atol=1e-4) for a, c in zip(together, alone, strict=True))


def test_the_hq_token_alone_is_one_mask_four_times(backend: TorchBackend) -> None:
    image, prompt = encoding(1), prompts(1)
    both, quality = backend.decode(image, *prompt)
    alone, same = TorchBackend(*parts(small_samhq(), True), Compute("cpu")).decode(image, *prompt)
    assert torch.equal(quality, same)
    assert all(torch.equal(alone[:, k], alone[:, 0]) for k in range(4))
    without_hq = {**image, "hq_features": torch.zeros_like(image["hq_features"])}
    other, _ = backend.decode(without_hq, *prompt)
    other_alone, _ = TorchBackend(*parts(small_samhq(), True), Compute("cpu")).decode(without_hq, *prompt)
    assert (other - both).abs().max() > 0.1
    assert torch.allclose(both - alone, other - other_alone, atol=1e-4), "SAM's own masks do not see the HQ features"


def test_an_image_of_one_row_is_answered(backend: TorchBackend) -> None:
    model = Sam(backend)
    for size in ((1, 3000), (5000, 1)):
        x = torch.rand(1, 3, *size)
        y, _ = model(x, model.init_z(x), [[[(0, 0)]]], [[[]]])
        assert y.shape == (1, 1, *size)
        assert ((y >= 0) & (y <= 1)).all()


@pytest.mark.parametrize(("precision", "share"), [("bfloat16", 0.2), ("float16", 0.05)])
def test_the_encoder_may_compute_in_short_numbers(backend: TorchBackend, precision: str, share: float) -> None:
    frame = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    exact, rough = backend.encode(frame), TorchBackend(*parts(small_samhq()), Compute("cpu", "torch", precision))
    for name, values in rough.encode(frame).items():
        assert values.dtype == torch.float32
        assert 0 < (values - exact[name]).abs().max() < share * exact[name].abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("hq_token_only", [False, True])
def test_the_exported_networks_answer_alike(backend: TorchBackend, hq_token_only: bool) -> None:
    pytest.importorskip("onnx", reason="runtime=onnx needs onnx")
    pytest.importorskip("onnxruntime", reason="runtime=onnx needs onnxruntime")
    on_torch = TorchBackend(*parts(small_samhq(), hq_token_only), Compute("cpu"))
    exported = ExportedBackend(*parts(small_samhq(), hq_token_only))
    frame = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    wanted, found = on_torch.encode(frame), exported.encode(frame)
    assert found.keys() == wanted.keys()
    for name, values in found.items():
        torch.testing.assert_close(values, wanted[name], rtol=1e-4, atol=1e-4)
    for n, masks in ((1, False), (3, True)):
        coords, labels, given = prompts(n)
        arguments = (encoding(n), coords, labels, given if masks else None)
        for one, other in zip(exported.decode(*arguments), on_torch.decode(*arguments), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
