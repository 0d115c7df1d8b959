"""Compares ways to show a trained network an image, on the held-out photographs of its configuration.

python benchmarks/training/compare_sightings.py CONFIG.toml NETWORK.safetensors... [--device cuda] [--limit 100]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.training import config_file, data
from iiszoo.engine.training.validation import validate
from iiszoo.models import network_file

WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "second look": {"second_look": True},
    "flip": {"flip": True},
    "flip, second look": {"flip": True, "second_look": True},
    "384": {"size": (384, 384)},
    "384, second look": {"size": (384, 384), "second_look": True},
    "expansion 1.6": {"expansion": 1.6},
    "expansion 1.25": {"expansion": 1.25},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    config = config_file.read(options.config)
    dataset = data.validation_set(config, data.sources(config)[1])
    assert dataset is not None
    rules = ResolvedProtocol("validation", max_clicks=20)
    for path in options.networks:
        found = network_file.load(path)
        network = found.network.to(options.device)
        for name, change in WAYS.items():
            began = time.perf_counter()
            model = network_file.click_model(network, found.description, dataclasses.replace(found.sighting, **change))
            result = validate(model, dataset, rules, options.device, 16, options.limit)
            print(
                f"{path.name}, {name}: NoC@85/90 {result['noc85']:.2f}/{result['noc90']:.2f}, never {result['nof90']}, "
                f"IoU@1/5 {result['iou1']:.3f}/{result['iou5']:.3f} ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
