"""How the time of a click is spent in FocalClick: click maps, both networks, and crops, focus and paste around them.

    python benchmarks/speed/focalclick.py [--model ID] [--size H W] [--clicks N] [--sessions N] [--checkpoint FILE]

One thread, crops of 256 x 256. Upstream took 50, 120 and 450 ms of CPU time per click for segformerb0-s1,
segformerb0-s2 and segformerb3-s2 at 281 x 400.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's core; the plugin as installed

from click_split import Watch, main

from iiszoo.protocol import Model
from iiszoo_focalclick.model import DiskNetworks
from iiszoo_focalclick.networks import NETWORKS


def attach(model: Model, watch: Watch) -> None:
    network = model.function.networks.network
    parts = {name: watch.within(getattr(network, name)) for name in ("coarse", "refine")}
    on_disks = DiskNetworks(SimpleNamespace(disk_radius=network.disk_radius, **parts))
    around = {name: watch.around(getattr(on_disks, name)) for name in ("coarse", "refine")}
    model.function = dataclasses.replace(model.function, networks=SimpleNamespace(**around))


if __name__ == "__main__":
    main(__doc__, "focalclick/segformerb0-s1", lambda model: NETWORKS[model](), attach)
