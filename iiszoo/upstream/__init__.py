"""Published code that is a repository, not a package: cloned at one commit and imported under a private name.

Most models of interactive segmentation are forks of one code base, each importable only as `isegm`. Here any number of
them live in one process:

    source = Source("https://github.com/SamsungLabs/ritm_interactive_segmentation", "b9b4460...", "MIT")
    clone(source)                          # -> directory of its files
    load(source).import_module("isegm")    # -> its package, `_iiszoo_upstream....isegm` in sys.modules
    isegm_model(source, "checkpoint.pth")  # -> its predictor in the standard format

Clones are at `<cache>/upstream/<repository>/<commit>`; see `iiszoo.assets` for the cache. `IISZOO_OFFLINE=1` forbids
connections. Errors for users are `iiszoo.errors.UpstreamError`. A clone's code is run as it is: use repositories that
you trust. Importing this package imports neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from iiszoo.cards import Source
from iiszoo.upstream._clone import clone, place
from iiszoo.upstream._namespace import Namespace, load

_HOME = {"IsegmModel": "_isegm", "isegm_model": "_isegm", "Verification": "_verify", "verify": "_verify"}

__all__ = ["IsegmModel", "Namespace", "Source", "Verification", "clone", "isegm_model", "load", "place", "verify"]

if TYPE_CHECKING:
    from iiszoo.upstream._isegm import IsegmModel as IsegmModel
    from iiszoo.upstream._isegm import isegm_model as isegm_model
    from iiszoo.upstream._verify import Verification as Verification
    from iiszoo.upstream._verify import verify as verify


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"iiszoo.upstream.{_HOME[name]}"), name)
    raise AttributeError(f"module 'iiszoo.upstream' has no attribute {name!r}")
