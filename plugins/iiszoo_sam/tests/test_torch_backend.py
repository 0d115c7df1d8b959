"""The torch backend: a batch of prompts on several images, and the encoder's precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention
from small_sam import small_sam

from iiszoo.models.compute import Compute
from iiszoo_sam.attention import RelativeAttention
from iiszoo_sam.decoder import parts
from iiszoo_sam.torch_backend import TorchBackend


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


def prompts(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings, three points each, labels, masks."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (n, 3), generator=g).float()
    masks = torch.randn(n, 1, 256, 256, generator=g)
    return torch.randn(n, 256, 64, 64, generator=g), 1024 * torch.rand(n, 3, 2, generator=g), labels, masks


@pytest.mark.parametrize("with_masks", [False, True])
def test_one_prompt_is_what_segment_anything_predicts(with_masks: bool) -> None:
    sam = small_sam()
    backend = TorchBackend(*parts(sam), Compute("cpu"))
    embedding, coords, labels, masks = prompts(1)
    given = masks if with_masks else None
    sparse, dense = sam.prompt_encoder(points=(coords, labels), boxes=None, masks=given)
    wanted = sam.mask_decoder.predict_masks(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense)
    found = backend.decode({"embedding": embedding}, coords, labels, given)
    assert found[0].shape == (1, 4, 256, 256)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(found, wanted, strict=True))


def test_prompts_on_several_images_share_a_call(backend: Any) -> None:
    embedding, coords, labels, masks = prompts(3)
    together = backend.decode({"embedding": embedding}, coords, labels, masks)
    for b in range(3):
        one = slice(b, b + 1)
        alone = backend.decode({"embedding": embedding[one]}, coords[one], labels[one], masks[one])
        assert all(torch.allclose(a[one], c, atol=1e-4) for a, c in zip(together, alone, strict=True))


def test_the_encoder_may_compute_in_bfloat16(backend: Any) -> None:
    frame = torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    in_short = TorchBackend(*parts(small_sam()), Compute("cpu", precision="bfloat16"))
    exact, rough = backend.encode(frame)["embedding"], in_short.encode(frame)["embedding"]
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.2 * exact.abs().max()


@pytest.mark.parametrize("size", [(5, 5), (4, 6)])
def test_the_fused_attention_is_segment_anythings(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    theirs = Attention(32, 4, use_rel_pos=True, input_size=size)
    for offsets in (theirs.rel_pos_h, theirs.rel_pos_w):
        torch.nn.init.normal_(offsets)
    x = torch.randn(3, *size, 32)
    assert torch.allclose(RelativeAttention(theirs)(x), theirs(x), atol=1e-5)


def test_the_encoder_uses_it() -> None:
    sam = small_sam()
    TorchBackend(*parts(sam), Compute("cpu"))
    assert isinstance(sam.image_encoder.blocks[0].attn, RelativeAttention)
