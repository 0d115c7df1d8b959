"""Files that are fetched, verified and kept: the weights of the models.

A model's loader needs one line:

    file = checkpoint or iiszoo.assets.fetch(card)

Files lie at `<cache>/weights/<family>/<filename>`; the cache is `IISZOO_CACHE`, else the user's cache directory.
`IISZOO_OFFLINE=1` makes no connection. Everything here raises `iiszoo.errors.WeightsError` and nothing else that is
meant for a user. Importing this package imports neither torch nor numpy.
"""

from __future__ import annotations

from iiszoo.assets._cache import cache_root, is_offline, path, weights_of
from iiszoo.assets._checkpoint import load_checkpoint
from iiszoo.assets._part import Progress
from iiszoo.assets._weights import Status, add, fetch, status, verify

__all__ = [
    "Progress",
    "Status",
    "add",
    "cache_root",
    "fetch",
    "is_offline",
    "load_checkpoint",
    "path",
    "status",
    "verify",
    "weights_of",
]
