"""Files that are fetched, verified and cached: weights of models, and archives of datasets.

A model's loader needs one line:

    file = checkpoint or iiszoo.assets.fetch(card)

Weights are at `<cache>/weights/<family>/<filename>`, archives, until they are unpacked, at
`<cache>/archives/<dataset>/<filename>`; the cache is `IISZOO_CACHE`, else the user's cache directory.
`IISZOO_OFFLINE=1` forbids connections. Errors for users are `iiszoo.errors.WeightsError` for weights and
`iiszoo.errors.DatasetError` for archives. Importing this package imports neither torch nor numpy.
"""

from __future__ import annotations

from iiszoo.assets._archives import (
    archive_path,
    check_archive,
    discard_archive,
    fetch_archive,
    remove_archive,
    set_archive_aside,
)
from iiszoo.assets._cache import cache_root, is_offline, without_connections
from iiszoo.assets._checkpoint import Inert, load_checkpoint
from iiszoo.assets._weights import (
    Loading,
    Status,
    add,
    fetch,
    path,
    pinning,
    remove,
    status,
    verify,
    way_out,
    weights_of,
)
from iiszoo.progress import Progress

__all__ = [
    "Inert",
    "Loading",
    "Progress",
    "Status",
    "add",
    "archive_path",
    "cache_root",
    "check_archive",
    "discard_archive",
    "fetch",
    "fetch_archive",
    "is_offline",
    "load_checkpoint",
    "path",
    "pinning",
    "remove",
    "remove_archive",
    "set_archive_aside",
    "status",
    "verify",
    "way_out",
    "weights_of",
    "without_connections",
]
