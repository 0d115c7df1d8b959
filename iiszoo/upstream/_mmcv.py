"""The classes of mmcv that forks of isegm use, if mmcv is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from iiszoo.errors import UpstreamError


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
