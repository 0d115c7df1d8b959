"""SAM's encoder and decoder as two exported networks on onnxruntime (`iiszoo.models.runtime`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iiszoo.models.runtime import ONNX, run_on
from iiszoo_sam.decoder import Decoder, Encoding
from iiszoo_sam.preprocess import LOW_RES
from iiszoo_sam.torch_backend import named


class ExportedBackend:
    """Encoder and decoder as for `TorchBackend`. On the CPU, in float32. Raises as `run_on`."""

    device = "cpu"

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        self.encodings = tuple(decoder.ENCODER.outputs)
        self._encoder = run_on(ONNX, encoder, decoder.ENCODER)
        self._decoder = run_on(ONNX, decoder, decoder.GRAPH)

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        return named(self.encodings, self._encoder(frame))

    def decode(self, image: Encoding, coords: Tensor, labels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        n = len(coords)
        given = torch.zeros(n, 1, LOW_RES, LOW_RES) if masks is None else masks
        encoded = (image[name] for name in self.encodings)
        answer: tuple[Tensor, Tensor] = self._decoder(
            *encoded, coords, labels, given, torch.full((n,), float(masks is not None))
        )
        return answer
