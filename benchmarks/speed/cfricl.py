"""How the time of a click is spent in CFR-ICL: a first click, which is refined in a cascade, and later ones.

    python benchmarks/speed/cfricl.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread, crops of 448 x 448, each with its mirror image as one batch of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugin as installed

from click_split import Watch, attach_click_model, main

from iiszoo.protocol import Model
from iiszoo_simpleclick.network import NETWORKS


def attach(model: Model, watch: Watch) -> None:
    attach_click_model(model, watch, model.function.model)


if __name__ == "__main__":
    main(__doc__, "cfricl/vit-b", lambda model: NETWORKS[model](), attach, first_clicks=True)
