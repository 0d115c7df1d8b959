"""What takes the place of mmcv, or of a part of it, where it is not installed. An installed part is always used itself.

Two kinds of code need it. Forks of isegm were written for mmcv 1.x: `BaseModule` and `ConvModule` are the classes that
they use (`iiszoo.upstream` gives them to a clone). mmsegmentation needs mmcv 2, whose compiled operators exist for few
versions of torch: `provide_operators` makes mmcv-lite, which has everything else, importable as a whole.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from iiszoo.errors import ModelError, UpstreamError

EXTENSION = "mmcv._ext"
"""The module of mmcv's compiled operators, which mmcv-lite lacks."""


class NoOperator(ModelError):
    """A compiled operator of mmcv is called that is not installed; `operator` is its name."""

    def __init__(self, operator: str) -> None:
        super().__init__(
            f"mmcv's compiled operator {operator} is not installed: mmcv-lite has none; install mmcv 2.1 with its "
            "operators in its place, or choose a network without them"
        )
        self.operator = operator


def provide_operators() -> None:
    """Make `mmcv.ops` importable without compiled operators: each can be imported, and raises `NoOperator` if called.

    An installed `mmcv._ext` stays as it is. Raises `ModuleNotFoundError` if mmcv is not installed at all.
    """
    if EXTENSION in sys.modules or importlib.util.find_spec(EXTENSION) is not None:
        return
    module = _Operators(EXTENSION, "Provided by iiszoo in place of mmcv's compiled operators.")
    module.__spec__ = ModuleSpec(EXTENSION, None)  # mmcv asks for it, to learn whether it has operators
    sys.modules[EXTENSION] = module


class _Operators(ModuleType):
    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

        def absent(*args: Any, **kwargs: Any) -> Any:
            raise NoOperator(name)

        return absent


class BaseModule(nn.Module):
    """`mmcv.runner.BaseModule` (mmcv 1.x): a module that stores how its weights would be initialised."""

    def __init__(self, init_cfg: Any = None) -> None:
        super().__init__()
        self.init_cfg = init_cfg


class ConvModule(nn.Module):
    """`mmcv.cnn.ConvModule` (mmcv 1.x) in its common form: convolution, batch norm, ReLU; the last two are optional.

    Its entries in a state dict are `conv.*` and `bn.*`, as in mmcv. The convolution is a `torch.nn.Conv2d`, with a bias
    if there is no norm. Raises `UpstreamError` for other norms and activations.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool | str = "auto",
        norm_cfg: Mapping[str, Any] | None = None,
        act_cfg: Mapping[str, Any] | None = {"type": "ReLU"},
        inplace: bool = True,
    ) -> None:
        super().__init__()
        norm, activation = (None if asked is None else asked.get("type") for asked in (norm_cfg, act_cfg))
        if norm not in (None, "BN", "BN2d", "SyncBN") or activation not in (None, "ReLU"):
            raise UpstreamError(
                f"mmcv.cnn.ConvModule with norm {norm} and activation {activation} needs mmcv; `pip install mmcv`"
            )
        with_bias = norm is None if bias == "auto" else bool(bias)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, with_bias)
        self.bn = None if norm is None else nn.BatchNorm2d(out_channels)
        self.activate = None if activation is None else nn.ReLU(inplace=inplace)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return x if self.activate is None else self.activate(x)
