"""Golden figures: three clicks on cuts of two of the embedded photographs, with synthetic weights.

They were computed by this code when it agreed with upstream's, and reveal changes without the shared fixtures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

import iiszoo.data
from iiszoo.protocol import to_tensor
from iiszoo_gto99.model import Gto99
from iiszoo_gto99.network import Network

CLICKS = (((60, 70), 1), ((20, 110), 0), ((80, 30), 1))
GOLDEN = {
    "astronaut.jpg": [
        (0.5916, 0.3343, 0.4938, 0.5995),
        (0.5496, 0.3223, 0.4237, 0.5384),
        (0.5719, 0.3313, 0.4253, 0.5245),
    ],
    "chelsea.jpg": [
        (0.5744, 0.2962, 0.4227, 0.5403),
        (0.5412, 0.3233, 0.0001, 0.0002),
        (0.5301, 0.3116, 0.3183, 0.4108),
    ],
}


def cut(name: str) -> Tensor:
    """100 x 150 pixels from (40, 60) on, which the network sees at 128 x 160."""
    file = Path(iiszoo.data.__file__).parent / "demo" / "images" / name
    pixels = np.asarray(Image.open(file).convert("RGB"))[40:140, 60:210]
    return to_tensor(pixels)[None]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, network: Network) -> None:
    """Mean and deviation of the network's output; mean of alpha, and share of the image above 0.5."""
    model, x = Gto99(network), cut(name)
    z, pcs, ncs, found = model.init_z(x), [], [], []
    answers: list[Tensor] = []
    hook = network.register_forward_hook(lambda _, inputs, output: answers.append(output))
    for click, positive in CLICKS:
        pcs, ncs = [*pcs, [[click] if positive else []]], [*ncs, [[] if positive else [click]]]
        y, z = model(x, z, pcs, ncs)
        found.append([float(v) for v in (answers[-1].mean(), answers[-1].std(), y.mean(), (y > 0.5).float().mean())])
    hook.remove()
    assert np.abs(np.array(found) - GOLDEN[name]).max() < 3e-3
