"""Encodings: clicks as maps that a network can read, one or more for the positive clicks, as many for the negative.

| encoding    | value of a pixel at distance d from the nearest click of that kind     | no click | channels | from  |
|-------------|------------------------------------------------------------------------|----------|----------|-------|
| `disk`      | 1 where d <= radius, else 0                                            | 0        | 2        | RITM  |
| `distance`  | tanh(2 d / radius)                                                     | 1        | 2        | RITM  |
| `gaussian`  | exp(-d^2 / (2 (s L)^2)), one map per s                                 | 0        | 2 x 3    | GTO99 |
| `euclidean` | min(d, 255)                                                            | 255      | 2        | DIOS  |

Positive maps come first, then negative ones; a network that expects the reverse order gets `encoding(ncs, pcs, ...)`.
Each encoding can be computed in three ways:

    >>> pcs, ncs, size = [[[(3, 4)]], [[]]], [[[]], [[(20, 30)]]], (32, 48)  # one sample, two interactions
    >>> maps = disk(pcs, ncs, size)  # all clicks
    >>> newest = disk(*last_interaction(pcs, ncs), size)  # the last interaction only
    >>> before = disk(pcs[:1], ncs[:1], size)
    >>> torch.equal(maps, disk(*last_interaction(pcs, ncs), size, onto=before))  # all clicks, from earlier maps
    True

The first and the third are bit-identical on the same device with the same other arguments, except that on a device
without float64 (mps) the last bit of `distance` and `gaussian` may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from iiszoo.protocol import on_device

MapClick = tuple[float, float]
"""(row, col) in pixels of the map. Pixel centres are whole numbers; clicks need not be, for example in a zoom."""
MapClicks = Sequence[Sequence[Sequence[MapClick]]]
"""Indexed [interaction][batch element][click]."""


def last_interaction(pcs: MapClicks, ncs: MapClicks) -> tuple[MapClicks, MapClicks]:
    """(pcs, ncs) of the last interaction alone; empty if there was none. ValueError if they differ in length."""
    if len(pcs) != len(ncs):
        raise ValueError(
            f"pcs has {len(pcs)} interactions and ncs {len(ncs)}: both need the same number to find the last one"
        )
    return pcs[-1:], ncs[-1:]


def disk(
    pcs: MapClicks,
    ncs: MapClicks,
    size: tuple[int, int],
    radius: float = 5,
    *,
    onto: Tensor | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Disks around all clicks: 1 where the distance to a click is at most `radius`, 0 elsewhere, clipped to the image.

    Args:
        pcs, ncs: positive and negative clicks of all interactions, (row, col) in pixels of the map, rounded or not.
            A click outside the map contributes the part of its disk inside it; a click with both coordinates below 0
            is left out, as upstream encodes "no click" that way.
        size: (H, W) of the maps, for example `x.shape[-2:]`.
        radius: in pixels, 0 or more. A pixel belongs to the disk if d^2 <= radius^2, in float32.
        onto: maps of earlier interactions, of the same encoding, (B, 2, H, W). The clicks are added to them, in a new
            tensor.
        batch_size: B, needed only if it does not follow from `pcs`, `ncs` or `onto`.
        device, dtype: of the maps; by default those of `onto`, else the CPU and float32.

    Returns:
        Tensor (B, 2, H, W) of 0 and 1: positive, negative. Bit-identical to upstream's.

    ValueError if the batch size is unknown or inconsistent, or if `onto` has another shape.

    Source: `DistMaps` with `use_disks` (`isegm/model/ops.py`; its `norm_radius * spatial_scale` is `radius`) of RITM
    (arXiv 2102.06583), SamsungLabs/ritm_interactive_segmentation at b9b4460. Upstream computes the distance of every
    pixel to every click; this looks only at the pixels in a square around each click.
    """
    height, width = size
    maps = _maps_before(pcs, ncs, size, 2, 0, onto, batch_size, device, dtype)
    by_plane = _by_plane(pcs, ncs, len(maps))
    clicks = [(plane, row, col) for plane, points in enumerate(by_plane) for row, col in points]
    if not clicks or not maps.numel():
        return maps

    planes, at = on_device(torch.tensor(clicks, dtype=torch.float32), maps.device).tensor_split((1,), dim=1)
    # Every row and column within `radius` of a click, which may be half a pixel off the centre of the square.
    reach = math.ceil(radius) + 1
    offsets = torch.arange(-reach, reach + 1, device=maps.device)
    pixels = at.round().long()[:, :, None] + offsets  # (N, 2, S): rows, columns
    # float32, and in upstream's order of operations, so that a pixel on the circle falls on the same side.
    squares = (pixels - at[:, :, None]).square_()
    inside = squares[:, 0, :, None] + squares[:, 1, None, :] <= radius**2  # (N, S, S)
    rows, columns = pixels[:, 0, :, None], pixels[:, 1, None, :]
    inside &= ((rows >= 0) & (rows < height)) & ((columns >= 0) & (columns < width))
    at_pixels = (planes.long()[:, :, None] * height + rows.clamp(0, height - 1)) * width + columns.clamp(0, width - 1)
    # the greatest value wins: unlike choosing the pixels inside, this does not wait for a GPU
    maps.view(-1).scatter_reduce_(0, at_pixels.view(-1), inside.view(-1).to(maps.dtype), "amax")
    return maps


def add_disks(maps: Tensor, clicks: Tensor, radius: float) -> Tensor:
    """The maps of `disk` with one more click per element, without waiting for the device: a new tensor.

    `maps` (B, 2, H, W); `clicks` int64 (B, 3) on the same device: row, column, 1 for positive; row -1: no click.
    """
    squares = [
        (torch.arange(n, dtype=torch.float32, device=maps.device) - clicks[:, axis, None]).square_()
        for axis, n in enumerate(maps.shape[2:])
    ]
    inside = squares[0][:, :, None] + squares[1][:, None, :] <= radius**2
    kinds = torch.stack((clicks[:, 2] == 1, clicks[:, 2] == 0), 1) & (clicks[:, :1] >= 0)
    return torch.where(inside[:, None] & kinds[:, :, None, None], 1, maps)


def distance(
    pcs: MapClicks,
    ncs: MapClicks,
    size: tuple[int, int],
    radius: float = 260,
    *,
    onto: Tensor | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """tanh(2 d / radius), d being the distance to the nearest click: 0 on a click, almost 1 far away; 1 without clicks.

    Args:
        radius: in pixels, above 0: the distance at which the value is tanh(2) = 0.964. Upstream's default is 260.
        The others: as for `disk`, except that clicks outside the map count at their distance.

    Returns:
        Tensor (B, 2, H, W) in [0, 1]: positive, negative. Equal to upstream's up to float32 rounding.

    ValueError as for `disk`, and if `radius` is not above 0.

    Source: `DistMaps` without `use_disks` (`isegm/model/ops.py`; its `norm_radius * spatial_scale` is `radius`) of RITM
    (arXiv 2102.06583), SamsungLabs/ritm_interactive_segmentation at b9b4460.
    """
    if not radius > 0:
        raise ValueError(f"the radius of distance maps must be above 0, not {radius}")
    maps = _maps_before(pcs, ncs, size, 2, 1, onto, batch_size, device, dtype)
    # Distances are divided before they are squared, as upstream does.
    return _add_nearest(maps, pcs, ncs, radius, [lambda squares: squares.sqrt().mul_(2).tanh_()], torch.minimum)


def gaussian(
    pcs: MapClicks,
    ncs: MapClicks,
    size: tuple[int, int],
    scales: Sequence[float] = (0.02, 0.08, 0.16),
    length: float = 352,
    *,
    onto: Tensor | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """exp(-d^2 / (2 (s L)^2)), d being the distance to the nearest click: 1 on a click, 0 far away and without clicks.

    A click that has become several pixels (in a resized trimap) counts as several clicks.

    Args:
        scales, length: s and L; each s gives one map with a standard deviation of s * L pixels, above 0.
        onto: as for `disk`, but (B, 2 * len(scales), H, W).
        The others: as for `disk`, except that clicks outside the map count at their distance.

    Returns:
        Tensor (B, 2 * len(scales), H, W) in [0, 1]: the positive maps in the order of `scales`, then the negative ones.
        Upstream's channels are in the reverse order, 0-2 negative and 3-5 positive: `gaussian(ncs, pcs, size)`, equal
        to them up to float32 rounding.

    ValueError as for `disk`, and if a standard deviation is not above 0.

    Source: `trimap_transform` (`networks/transforms.py`) of Getting to 99% Accuracy in Interactive Segmentation (arXiv
    2003.07932), MarcoForte/DeepInteractiveSegmentation at ddd7426.
    """
    deviations = [scale * length for scale in scales]
    if not all(deviation > 0 for deviation in deviations):
        raise ValueError(f"the standard deviations of gaussian maps (scale * length) must be above 0, not {deviations}")
    maps = _maps_before(pcs, ncs, size, 2 * len(deviations), 0, onto, batch_size, device, dtype)
    return _add_nearest(maps, pcs, ncs, 1, [_bell(deviation) for deviation in deviations], torch.maximum)


def euclidean(
    pcs: MapClicks,
    ncs: MapClicks,
    size: tuple[int, int],
    *,
    onto: Tensor | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The distance to the nearest click in pixels, truncated at 255: 0 on a click; 255 everywhere without clicks.

    Args: as for `disk`, except that clicks outside the map count at their distance.

    Returns:
        Tensor (B, 2, H, W) in [0, 255]: positive, negative.

    ValueError as for `disk`.

    Source: Xu et al., Deep Interactive Object Selection, CVPR 2016 (arXiv 1603.04042).
    """
    maps = _maps_before(pcs, ncs, size, 2, 255, onto, batch_size, device, dtype)
    return _add_nearest(maps, pcs, ncs, 1, [lambda squares: squares.sqrt().clamp_(max=255)], torch.minimum)


def _maps_before(
    pcs: MapClicks,
    ncs: MapClicks,
    size: tuple[int, int],
    n_channels: int,
    no_click: float,
    onto: Tensor | None,
    batch_size: int | None,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> Tensor:
    """The maps to draw on, (B, n_channels, H, W), contiguous: a copy of `onto`, or `no_click` everywhere."""
    shape = (_batch_size(pcs, ncs, batch_size, onto), n_channels, *size)
    if onto is None:
        return torch.full(shape, no_click, dtype=dtype or torch.float32, device=device)
    if onto.shape != shape:
        raise ValueError(f"onto must have shape {shape}, not {tuple(onto.shape)}")
    maps = torch.empty(shape, dtype=dtype or onto.dtype, device=onto.device if device is None else device)
    return maps.copy_(onto)


def _batch_size(pcs: MapClicks, ncs: MapClicks, batch_size: int | None, onto: Tensor | None) -> int:
    sizes = {len(interaction) for clicks in (pcs, ncs) for interaction in clicks}
    if batch_size is not None:
        sizes.add(batch_size)
    if onto is not None:
        sizes.add(len(onto))
    if len(sizes) > 1:
        raise ValueError(f"pcs, ncs, onto and batch_size disagree on the batch size: {sorted(sizes)}")
    if not sizes:
        raise ValueError("the batch size is unknown without any interaction; give batch_size")
    return sizes.pop()


def _by_plane(pcs: MapClicks, ncs: MapClicks, n_elements: int) -> list[list[MapClick]]:
    """The clicks of each of the 2 B planes: positive of element 0, negative of element 0, positive of element 1..."""
    by_plane: list[list[MapClick]] = [[] for _ in range(2 * n_elements)]
    for kind, clicks in enumerate((pcs, ncs)):
        for interaction in clicks:
            for b, element in enumerate(interaction):
                by_plane[2 * b + kind] += [(row, col) for row, col in element if row >= 0 or col >= 0]
    return by_plane


def _add_nearest(
    maps: Tensor,
    pcs: MapClicks,
    ncs: MapClicks,
    unit: float,
    curves: Sequence[Callable[[Tensor], Tensor]],
    nearer: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Write the values of the clicks into `maps` (B, 2 * len(curves), H, W) and return it.

    A curve maps squared distances in units of `unit` pixels (in float64 if the device has it) to the values of one map,
    in a new tensor. `nearer` picks the value of the nearer click out of two.
    """
    by_plane = _by_plane(pcs, ncs, len(maps))
    planes = [plane for plane, clicks in enumerate(by_plane) if clicks]
    if not planes or not maps.numel():
        return maps
    planes.sort(key=lambda plane: -len(by_plane[plane]))
    squares = _squares([by_plane[plane] for plane in planes], (maps.shape[2], maps.shape[3]), unit, maps.device)
    # Two neighbouring float32 squares are too far apart for float64 errors to swap their values, so a curve rounded to
    # float32 is monotone to the last bit. Hence the nearest click's value is the extreme of all clicks' values, and
    # maps drawn onto earlier ones are bit-identical to those of all clicks. Nor does a bit depend on a pixel's position
    # in memory: float32 functions may differ there between vectors and their scalar remainder.
    exact = squares if squares.device.type == "mps" else squares.double()
    layers = maps.view(len(by_plane), len(curves), *maps.shape[2:])
    index = on_device(torch.tensor(planes), maps.device)
    for i, curve in enumerate(curves):
        values = curve(exact).float().to(maps.dtype)
        layers[index, i] = nearer(layers[index, i], values)
    return maps


def _squares(
    by_plane: Sequence[Sequence[MapClick]], size: tuple[int, int], unit: float, device: torch.device
) -> Tensor:
    """Squared distances to the nearest click in units of `unit` pixels: float32 (P, H, W).

    Each plane has a click, and none has more than the one before it. Memory: two tensors of the result's size, however
    many clicks there are.
    """
    numbers = range(len(by_plane[0]))
    rounds = [[clicks[k] for clicks in by_plane if len(clicks) > k] for k in numbers]  # the k-th click of each plane
    at = on_device(torch.tensor([click for clicks in rounds for click in clicks], dtype=torch.float32), device)
    # A tensor, because CUDA multiplies by the reciprocal of a Python number instead of dividing.
    divisor = torch.full((), unit, dtype=torch.float32, device=device)
    rows, columns = (
        (torch.arange(n, dtype=torch.float32, device=device) - at[:, axis, None]).div_(divisor).square_()
        for axis, n in enumerate(size)
    )  # (N, H), (N, W)
    nearest = rows[: len(by_plane), :, None] + columns[: len(by_plane), None, :]
    other = torch.empty_like(nearest)
    begin = len(by_plane)
    for clicks in rounds[1:]:
        n, end = len(clicks), begin + len(clicks)
        torch.add(rows[begin:end, :, None], columns[begin:end, None, :], out=other[:n])
        torch.minimum(nearest[:n], other[:n], out=nearest[:n])
        begin = end
    return nearest


def _bell(deviation: float) -> Callable[[Tensor], Tensor]:
    return lambda squares: squares.div(-2 * deviation**2).exp_()
