"""How the time of a session is spent in SegNext: the encoder, and of a click the decoder and what surrounds it.

    python benchmarks/speed/segnext.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread. The decoder, the network of a click, is the embedding of the click maps, self-attention, pyramid and head.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugin as installed

from click_split import Stopwatch, Watch, main

from iiszoo.protocol import Model
from iiszoo_segnext.network import NETWORKS

encoders: list[Stopwatch] = []


def attach(model: Model, watch: Watch) -> None:
    segnext = model.function
    segnext.decoder = watch.around(watch.within(segnext.decoder))
    segnext.encoder = Stopwatch(segnext.encoder)
    encoders.append(segnext.encoder)


if __name__ == "__main__":
    main(__doc__, "segnext/vitb-sax2-hq", lambda model: NETWORKS[model](), attach)
    print(f"  encoder: {encoders[0].seconds / encoders[0].calls:.2f} s per image")
