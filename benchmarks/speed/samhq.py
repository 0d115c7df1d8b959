"""What an image and a click cost in HQ-SAM, and how much of a click is spent outside the decoder.

    python benchmarks/speed/samhq.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread. `--model sam/vit-b` and SAM's other torch models are measured in the same way.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugins as installed

from click_split import Stopwatch, Watch, measure

import iiszoo
from iiszoo.models.synthetic_weights import normal
from iiszoo.testing import load_synthetic
from iiszoo_sam import checkpoints
from iiszoo_samhq import network

OWN = {
    **dict.fromkeys(("pos_embed", "rel_pos_h", "rel_pos_w"), normal(0.02)),
    **dict.fromkeys(("no_mask_embed.weight", "not_a_point_embed.weight", "point_embeddings.*.weight"), normal(0.5)),
    **dict.fromkeys(("iou_token.weight", "mask_tokens.weight", "hf_token.weight"), normal(0.5)),
    "positional_encoding_gaussian_matrix": normal(1),
    "attention_biases": normal(0.2),
}
"""How entries with SAM's own names are drawn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="samhq/vit-b", help="default: %(default)s")
    parser.add_argument("--clicks", type=int, default=6, help="of each session; default: %(default)s")
    parser.add_argument("--sessions", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=[281, 400], help="images are cut to H W; default: 281 400")
    parser.add_argument("--checkpoint", type=Path, help="default: synthetic weights, which are as fast")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.checkpoint:
        model = iiszoo.load_model(arguments.model, checkpoint=arguments.checkpoint)
    else:
        networks = {**checkpoints.NETWORKS, **network.NETWORKS}
        model = load_synthetic(arguments.model, networks[arguments.model.partition("?")[0]](), own=OWN)
    backend: Any = model.function.backend
    watch = Watch()
    plain = backend.decode
    decode = watch.around(watch.within(lambda embedding, *prompt: plain(*prompt)))  # there are no click maps
    backend.decode = lambda image, *prompt: decode(image["embedding"], image, *prompt)
    encode = backend.encode = Stopwatch(backend.encode)
    init_z = model.function.init_z = Stopwatch(model.function.init_z)
    whole, inside = [], []
    for sample in iiszoo.load_dataset("demo")[: arguments.sessions]:
        model.init_z(iiszoo.to_tensor(sample.read_image())[None])
        whole.append(init_z.seconds)
        inside.append(encode.seconds)
    print(f"per image {np.median(whole):.2f} s, of which the encoder {np.median(inside):.2f} s")
    measure(model, watch, arguments.sessions, arguments.clicks, arguments.size)


if __name__ == "__main__":
    main()
