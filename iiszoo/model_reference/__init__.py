"""A model, resolved once: what it is, before it is loaded.

`resolve` is called once per model; all other code takes the reference, asks it for the model's `identity()`, lets it
`fetch()` the weights and `load()` the model, and never parses a name. A model of this interpreter has a card
(`CardReference`), is a file that `iiszoo train` wrote (`TrainedReference`), is a function (`FunctionReference`) or is
already loaded (`LoadedReference`); a model of another interpreter is an `iiszoo.remote.RemoteReference`.
"""

from __future__ import annotations

from iiszoo.model_reference._card import CardReference
from iiszoo.model_reference._compute import on_fastest_runtime, takes_runtime, with_flags
from iiszoo.model_reference._function import FunctionReference
from iiszoo.model_reference._loaded import LoadedReference
from iiszoo.model_reference._reference import Identity, ModelReference, ModelSpec
from iiszoo.model_reference._resolve import resolve
from iiszoo.model_reference._trained import TrainedReference

__all__ = [
    "CardReference",
    "FunctionReference",
    "Identity",
    "LoadedReference",
    "ModelReference",
    "ModelSpec",
    "TrainedReference",
    "on_fastest_runtime",
    "resolve",
    "takes_runtime",
    "with_flags",
]
