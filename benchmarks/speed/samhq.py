"""What an image and a click cost in HQ-SAM, and how much of a click is spent outside the decoder.

    python benchmarks/speed/samhq.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread. `--model sam/vit-b` and SAM's other torch models are measured in the same way.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugins as installed

from click_split import Stopwatch, Watch, asked, measure

import iiszoo
from iiszoo.models.synthetic_weights import normal
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
    networks = {**checkpoints.NETWORKS, **network.NETWORKS}
    arguments, model = asked(__doc__, "samhq/vit-b", lambda id: networks[id](), OWN, n_sessions=3)
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
        whole.append(init_z.taken())
        inside.append(encode.taken())
    print(f"per image {np.median(whole):.2f} s, of which the encoder {np.median(inside):.2f} s")
    measure(model, watch, arguments.sessions, arguments.clicks, arguments.size)


if __name__ == "__main__":
    main()
