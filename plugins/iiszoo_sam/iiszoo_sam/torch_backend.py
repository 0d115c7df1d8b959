"""SAM's encoder and decoder on torch: segment-anything's own modules, called without its predictor."""

from __future__ import annotations

from torch import Tensor, nn

from iiszoo.models.compute import Compute
from iiszoo.models.exactness import tf32
from iiszoo_sam.attention import fuse_attention
from iiszoo_sam.decoder import Decoder, Encoding


class TorchBackend:
    """`encoder` answers as the graph `decoder.ENCODER` says; both have their weights. See `iiszoo_sam.model.Backend`.

    `compute` is about the encoder; the decoder, which is cheap, stays in float32, without TF32.
    """

    def __init__(self, encoder: nn.Module, decoder: Decoder, compute: Compute) -> None:
        self.device = compute.device
        self.encodings = tuple(decoder.ENCODER.outputs)
        self.decoder = decoder.to(self.device).eval().requires_grad_(False)
        encoder = encoder.to(self.device).eval().requires_grad_(False)
        fuse_attention(encoder)
        self._encoder = compute.network(encoder, decoder.ENCODER)

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        return named(self.encodings, self._encoder(frame.to(self.device)))

    def decode(self, image: Encoding, coords: Tensor, labels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        prompts = self.decoder.prompt_encoder
        with tf32(False):
            sparse, no_mask = prompts(points=(coords, labels), boxes=None, masks=None)
            dense = no_mask if masks is None else prompts.mask_downscaling(masks)
            return self.decoder.candidates(image, sparse, dense)


def named(encodings: tuple[str, ...], answer: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
    """An encoder's answer, a tensor or several, by name."""
    return dict(zip(encodings, (answer,) if isinstance(answer, Tensor) else answer, strict=True))
