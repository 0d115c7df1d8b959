"""How the time of a click is spent in RITM: click maps, network, and zoom-in, flip and paste around it.

    python benchmarks/speed/ritm.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread; the crop's longest side is 400 pixels, and the network gets it with its mirror image as one batch of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugin as installed

from click_split import attach_click_model, main

from iiszoo_ritm.network import NETWORKS

if __name__ == "__main__":
    main(__doc__, "ritm/h18s", lambda model: NETWORKS[model](), attach_click_model)
