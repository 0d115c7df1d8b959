"""The average of trained networks that share a start.

Between a network and its fine-tuned successor there is often one that is better than both: it keeps what the start
could do elsewhere (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022; of several runs: Model soups,
ICML 2022). The running statistics of batch norms are averaged like weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from iiszoo.engine.training.start import find, safetensors_file
from iiszoo.errors import BadOption
from iiszoo.models import network_file


def average(sources: Sequence[str], out: Path, shares: Sequence[float] | None = None) -> list[float]:
    """Write the average of trained networks to `out`, as `iiszoo train` writes a network; return the shares.

    Args:
        sources: two or more starts (`iiszoo.engine.training.start.find`). The first is a network of `iiszoo train`: it
            says what network all are of, and how a session shows it the image.
        out: a `.safetensors` file, which is replaced.
        shares: one positive number per source, in any unit; equal ones if None.

    Raises:
        BadOption: fewer than two sources, shares that do not fit, or a first source that was not trained by iiszoo.
        UnknownId: there is no such model.
        WeightsError: a file cannot be read, or has weights of another network.
    """
    if len(sources) < 2:
        raise BadOption("an average needs at least two networks")
    shares = [1.0] * len(sources) if shares is None else list(shares)
    if len(shares) != len(sources):
        raise BadOption(f"there are {len(sources)} networks, but {len(shares)} shares; give one share for each network")
    if not all(math.isfinite(share) and share > 0 for share in shares):
        raise BadOption("a share is a number above 0")
    if out.suffix != ".safetensors":
        raise BadOption(f"{out} does not end in .safetensors; the average is such a file")
    shares = [share / math.fsum(shares) for share in shares]
    file = safetensors_file(sources[0])
    if file is None:
        raise BadOption(f"{sources[0]} was not trained by `iiszoo train`; put a network first that was")
    network, description, sighting, facts = network_file.load(file)
    total: dict[str, Tensor] = {}
    for source, share in zip(sources, shares, strict=True):
        find(source).put_into(network)
        for name, value in network.state_dict().items():
            total[name] = total.get(name, 0) + share * value.double()
    network.load_state_dict({name: value.to(network.state_dict()[name].dtype) for name, value in total.items()})
    training = {**facts.get("training", {}), "validation": None}
    training["average"] = {source: round(share, 6) for source, share in zip(sources, shares, strict=True)}
    out.parent.mkdir(parents=True, exist_ok=True)
    network_file.save(
        out,
        network,
        description,
        sighting,
        {**facts, "training": training},
        whole=description.library == "iiszoo",
    )
    return shares
