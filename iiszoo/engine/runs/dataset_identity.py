"""The data in a run's identity: the dataset and, apart from it, the masks that sessions start from.

    "dataset": {"id": "grabcut", "n_samples": 50, "fingerprint": ...}
    "initial": {"what": "perturb:seed=0,iou=0.75-0.85", "fingerprint": ...}

A correction run and a run from scratch have the same `dataset`; without `initial`, sessions start from no mask.
"""

from __future__ import annotations

from typing import Any

from iiszoo.data.initial_masks import INITIAL
from iiszoo.names import parse_name

OWN = "own"
"""`what` of masks that belong to the dataset, as in `davis585-sp`."""


def identity_of(
    dataset: str, n_samples: int | None = None, fingerprint: str | None = None, initial: str | None = None
) -> dict[str, Any]:
    """The data in an identity, from a dataset's name and content; what is not known yet is left out.

    `initial`: the fingerprint of the masks that sessions start from.
    """
    name = parse_name(dataset)
    stated = name.options.get(INITIAL)
    found: dict[str, Any] = {"dataset": {"id": str(name.without(INITIAL))}}
    if n_samples is not None:
        found["dataset"].update(n_samples=n_samples, fingerprint=fingerprint)
    if stated is not None:
        found["initial"] = {"what": str(stated)}
    if initial is not None:
        found["initial"] = {"what": OWN if stated is None else str(stated), "fingerprint": initial}
    return found


def name_of(identity: dict[str, Any]) -> str:
    """The dataset's name with the masks that sessions start from, as `load_dataset` accepts it."""
    id, what = identity["dataset"]["id"], identity.get("initial", {}).get("what", OWN)
    return id if what == OWN else str(parse_name(id).with_options({INITIAL: what}))
