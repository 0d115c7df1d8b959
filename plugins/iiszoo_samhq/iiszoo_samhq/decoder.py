"""HQ-SAM's decoder: SAM's candidates, each with the HQ token's mask added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from iiszoo.models.runtime import Graph, Values
from iiszoo_sam import graphs
from iiszoo_sam.decoder import Decoder, Encoding, masks
from iiszoo_sam.preprocess import LOW_RES
from iiszoo_samhq.network import HqEncoder

_FEATURES = (32, LOW_RES, LOW_RES)
ENCODER = replace(
    graphs.ENCODER,
    outputs={
        **graphs.ENCODER.outputs,
        "hq_features": Values((1, *_FEATURES), "of embedding and early features; serve all clicks on the image"),
    },
)
DECODER = replace(
    graphs.DECODER,
    inputs={
        "embedding": graphs.DECODER.inputs["embedding"],
        "hq_features": Values(("batch", *_FEATURES), "the encoder's second output"),
        **graphs.DECODER.inputs,
    },
)


class HqDecoder(Decoder):
    """`mask_decoder` is an `HqMaskDecoder`. `hq_token_only`: see `iiszoo_samhq.loading.load`."""

    ENCODER: ClassVar[Graph] = ENCODER
    GRAPH: ClassVar[Graph] = DECODER

    def __init__(self, prompt_encoder: Any, mask_decoder: Any, hq_token_only: bool = False) -> None:
        super().__init__(prompt_encoder, mask_decoder)
        self.hq_token_only = hq_token_only

    def candidates(self, image: Encoding, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """As SAM's: logits (B, 4, 256, 256), predicted IoU (B, 4), which may exceed 1.

        Upstream's decoder (SysCV/sam-hq fb181f8, `MaskDecoderHQ`) chooses one of SAM's masks by these IoUs and adds the
        HQ mask to that one; here it is added to all four, and `Sam` chooses. With `hq_token_only` all four are the HQ
        mask.
        """
        decoder = self.mask_decoder
        learned = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hf_token.weight])
        tokens, pixels = self.attend(learned, image["embedding"], sparse, dense)
        quality: Tensor = decoder.iou_prediction_head(tokens[:, 0])
        fine = decoder.embedding_maskfeature(pixels) + image["hq_features"]
        hq = masks([decoder.hf_mlp], tokens[:, 5:6], fine)
        if self.hq_token_only:
            return hq.expand(-1, 4, -1, -1), quality
        return masks(decoder.output_hypernetworks_mlps, tokens[:, 1:5], pixels) + hq, quality


def parts(sam: Any, hq_token_only: bool = False) -> tuple[nn.Module, HqDecoder]:
    """Encoder and decoder of a network of `NETWORKS`, weights loaded."""
    decoder = HqDecoder(sam.prompt_encoder, sam.mask_decoder, hq_token_only)
    return HqEncoder(sam.image_encoder, sam.mask_decoder), decoder
