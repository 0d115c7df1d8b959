"""The standard format: what an interactive segmentation model and a robot take and return.

    y, z = model(x, z, pcs, ncs)        pcs, ncs = robot(y, target, pcs, ncs)

| name  | shape, type, range                                                                                      |
|-------|---------------------------------------------------------------------------------------------------------|
| `x`   | image: float32 `(B, 3, H, W)`, RGB in [0, 1]; for a ragged model also a list of B tensors `(3, H_i, W_i)` |
| `y`   | probability of object: float32 `(B, 1, H, W)` in [0, 1]; for a list x a list of `(1, H_i, W_i)`           |
| `z`   | state: dict of values indexable by batch element (a tensor with leading axis B, or a list of length B)   |
| `pcs` | positive clicks, nested lists `[interaction][batch element][click]`, a click is `(row, col)` in pixels    |
| `ncs` | negative clicks, likewise                                                                                |

A model is a pure function: it changes none of its arguments and keeps nothing between calls. `z["prev_output"]` is the
previous output; to start from an existing mask, put it there before the first call.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption, IISZooError, ModelError, with_place

Click = tuple[int, int]
"""(row, col), in pixels of the image."""
Clicks = list[list[list[Click]]]
"""Indexed [interaction][batch element][click]."""
Images = Tensor | list[Tensor]
"""`(B, 3, H, W)`, or a list of B tensors `(3, H_i, W_i)`."""
Outputs = Tensor | list[Tensor]
"""`(B, 1, H, W)`, or a list of B tensors `(1, H_i, W_i)`."""
State = dict[str, Any]
"""Each value is a tensor with leading axis B, or a list of length B."""


class Robot(Protocol):
    """A simulated user: returns new click lists, one interaction longer than the given ones.

    `outputs` float32 `(B, 1, H, W)` in [0, 1]; `targets` `(B, 1, H, W)` in {0, 1}; `ignore` bool `(B, 1, H, W)`, pixels
    that count neither way; `generators`, one `numpy.random.Generator` per element. A pixel is object where `outputs >
    threshold`. `samples`, the elements' sample ids, let a robot replay clicks recorded for a sample; most ignore them.
    An element with nothing left to click gets no click in this interaction.
    """

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor,
        pcs: Clicks,
        ncs: Clicks,
        n_points: int = 1,
        *,
        ignore: Tensor | None = None,
        generators: Sequence[Any] | None = None,
        threshold: float = 0.5,
        samples: Sequence[str] | None = None,
    ) -> tuple[Clicks, Clicks]: ...


class Model:
    """A model of the standard format; what `as_model` and `load_model` return.

    `card` is None for a bare function. `checkpoint` and `options` are those given to the loader.
    """

    def __init__(self, function: Callable[..., Any], name: str, card: ModelCard | None, device: str) -> None:
        self.function = function
        self.name = name
        self.card = card
        self.device = device
        self.checkpoint: Path | None = None
        self.options: dict[str, Any] = {}

    @property
    def ragged(self) -> bool:
        """Whether one call takes images of different sizes. A bare function may declare it by an attribute `ragged`.

        Raises `ModelError` if that attribute cannot be read.
        """
        if self.card:
            return self.card.ragged
        try:
            return bool(getattr(self.function, "ragged", False))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ModelError(f"model {self.name}: its attribute ragged cannot be read: {with_place(error)}") from error

    @property
    def threshold(self) -> float:
        """The probability above which a pixel is object, as published for this model. A function without a card may
        say so by an attribute `threshold`.
        """
        return self.card.threshold if self.card else float(getattr(self.function, "threshold", 0.5))

    def init_z(self, x: Images) -> State:
        """The state before the first interaction, with `prev_output` zero; does the work that depends only on the
        image.
        """
        init_z = getattr(self.function, "init_z", None)
        made = init_z(x) if init_z is not None else {}
        if not isinstance(made, dict):
            raise ModelError(f"model {self.name} must return a dict from init_z, not {_describe(made)}")
        z: State = dict(made)
        if "prev_output" not in z:
            z["prev_output"] = empty_output(x)
        return z

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction: `(y, z)`. A function that returns y alone gets it stored as `prev_output`.

        Raises `BadOption` for arguments that do not have the standard format, `ModelError` if it returns anything else,
        and whatever the function raises.
        """
        check_arguments(x, z, pcs, ncs)
        answer = self.function(x, z, pcs, ncs)
        if isinstance(answer, tuple):
            if len(answer) != 2 or not isinstance(answer[1], dict):
                found = f"a tuple of {len(answer)}" if len(answer) != 2 else f"z of type {type(answer[1]).__name__}"
                raise ModelError(f"model {self.name} must return y or (y, z) with z a dict, not {found}")
            y, after = answer
        else:
            y, after = answer, {**z, "prev_output": answer}
        if not isinstance(y, list | Tensor):
            raise ModelError(f"model {self.name} must return a torch tensor as y, not {_describe(y)}")
        return y, after

    def at_threshold(self, threshold: float) -> Model:
        """The model for a run whose masks are `y > threshold`.

        Only a function that turns its outputs into masks itself, as progressive merge does, needs the threshold: its
        method `at_threshold(threshold)` returns the function for that threshold.
        """
        try:
            at_threshold = getattr(self.function, "at_threshold", None)
            if at_threshold is None:
                return self
            model = copy.copy(self)
            model.function = at_threshold(threshold)
        except (KeyboardInterrupt, IISZooError):
            raise
        except BaseException as error:
            raise ModelError(
                f"model {self.name} cannot be used at threshold {threshold:g}: {with_place(error)}"
            ) from error
        return model

    def __repr__(self) -> str:
        return f"<iiszoo model {self.name} on {self.device}>"


def as_model(
    function: Callable[..., Any], name: str | None = None, card: ModelCard | None = None, device: str = "cpu"
) -> Model:
    """Complete a callable `(x, z, pcs, ncs) -> y or (y, z)`, with or without `init_z`, to a `Model`."""
    if isinstance(function, Model):
        return function
    if name is None:
        try:
            name = str(getattr(function, "__name__", type(function).__name__))
        except Exception:  # noqa: BLE001  the function's `__getattr__` may raise anything
            name = type(function).__name__
    return Model(function, name, card, device)


def to_tensor(image: NDArray[np.uint8], device: str = "cpu") -> Tensor:
    """An image uint8 (H, W, 3), RGB, as the x of one element: float32 (3, H, W) in [0, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return on_device(planes, device).to(torch.float32).div_(255)


def to_output(mask: NDArray[np.bool_] | NDArray[np.float32], device: str = "cpu") -> Tensor:
    """A mask, bool or probabilities (H, W), as the output for one element: float32 (1, 1, H, W)."""
    return on_device(torch.from_numpy(np.ascontiguousarray(mask))[None, None], device).to(torch.float32)


def to_targets(mask: NDArray[np.bool_]) -> Tensor:
    """A mask bool (H, W) as the targets (or the ignored pixels) of one element, for a robot: bool (1, 1, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None]


def on_device(values: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the CPU on a device. A GPU's queue of work is not waited for, as `values.to(device)` would."""
    if torch.device(device).type == "cuda":  # from page-locked memory, which torch keeps until it has been copied
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def on_cpu(y: Tensor) -> Tensor:
    """A plain tensor of y's values on the CPU, free of graph and subclass; it shares y's memory if that is there."""
    if y.is_cuda:  # into page-locked memory, which torch keeps for the next copy: several times as fast
        return torch.empty(y.shape, dtype=y.dtype, pin_memory=True).copy_(y.detach())
    return torch.from_numpy(y.numpy(force=True))


def together_on_cpu(values: Sequence[Tensor]) -> list[Tensor]:
    """`on_cpu` for each. Values on a GPU, of one type and of any shapes, are joined for the copy, so that the GPU is
    waited for once.
    """
    if not values or not values[0].is_cuda:
        return [on_cpu(value) for value in values]
    return parted(on_cpu(torch.cat([value.reshape(-1) for value in values])), values)


def parted(joined: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
    """The parts of `joined` (N,), one after another, in the shapes of `values`."""
    parts = torch.split(joined, [value.numel() for value in values])
    return [part.view(value.shape) for part, value in zip(parts, values, strict=True)]


def empty_output(x: Images) -> Outputs:
    """The output that says "no object anywhere": zeros of x's size."""
    if isinstance(x, list):
        return [image.new_zeros((1, *image.shape[-2:])) for image in x]
    return x.new_zeros((x.shape[0], 1, *x.shape[-2:]))


def batch_size(x: Images) -> int:
    """B, the number of images."""
    return len(x)


def join(elements: Sequence[Any]) -> Any:
    """One batched value from its elements: a tensor if all are dense, of one shape, type and device, else a list."""
    if not _alike(elements):
        return list(elements)
    return elements[0][None] if len(elements) == 1 else torch.stack(list(elements))


def _alike(values: Sequence[Any], axis: int = 0) -> bool:
    """Whether all are dense tensors of one type, on one device, and of one shape from `axis` on."""
    first = values[0]
    return is_dense(first) and all(
        is_dense(value)
        and value.shape[axis:] == first.shape[axis:]
        and value.dtype == first.dtype
        and value.device == first.device
        for value in values
    )


def stack(zs: Sequence[State]) -> State:
    """Join the states of several batches, all with the same entries, into one, in order.

    A value becomes a tensor if the elements allow it, else a list, so that what a model sees depends only on the
    elements, not on how they were batched.
    """
    keys = zs[0].keys()
    if any(z.keys() != keys for z in zs):
        raise ModelError(f"states with different entries cannot be joined: {sorted({key for z in zs for key in z})}")
    return {key: _joined([z[key] for z in zs]) for key in keys}


def _joined(values: Sequence[Any]) -> Any:
    """`join` of the elements of several values."""
    return torch.cat(list(values)) if _alike(values, 1) else join([element for value in values for element in value])


def split(z: State) -> list[State]:
    """Split a state of B elements into B states of one; `stack(split(z))` is z again.

    Raises `ModelError`, naming the entry that cannot be indexed by batch element.
    """
    first = next(iter(z.values()), None)
    if first is None:
        raise ModelError("an empty state cannot be split: it has no prev_output")
    n = len(first) if isinstance(first, list) or (isinstance(first, Tensor) and first.dim()) else 1
    check_state(z, n)
    columns = [_singles(value, n) for value in z.values()]
    return [dict(zip(z, elements, strict=True)) for elements in zip(*columns, strict=True)]


def _singles(value: Any, n: int) -> Sequence[Any]:
    """The n elements of a value, each joined alone; a dense tensor's are views of it, made by one call."""
    return value.split(1) if is_dense(value) else [join([value[b]]) for b in range(n)]


def stack_clicks(clicks: Sequence[Clicks]) -> Clicks:
    """Join the clicks of several batches, in new lists down to each element's. Shorter histories get empty interactions
    in front: the newest come last.
    """
    depth = max(map(len, clicks))
    histories: list[list[list[Click]]] = []  # by element: its clicks of each interaction
    for c in clicks:
        earlier = depth - len(c)
        for b in range(len(c[0]) if c else 1):
            histories.append([[] for _ in range(earlier)] + [list(interaction[b]) for interaction in c])
    return [list(interaction) for interaction in zip(*histories, strict=True)]


def clicks_of(clicks: Clicks, b: int) -> list[Click]:
    """All clicks of batch element `b`, oldest first."""
    return [click for interaction in clicks for click in interaction[b]]


def newest_clicks(pcs: Clicks, ncs: Clicks, b: int) -> list[Click]:
    """The clicks of batch element `b` in the last interaction; the negative ones come last."""
    return [click for kind in (pcs, ncs) if kind for click in kind[-1][b]]


def clicks_by_element(clicks: Clicks, n: int) -> list[list[Click]]:
    """`clicks_of` each of the n batch elements."""
    found: list[list[Click]] = [[] for _ in range(n)]
    for interaction in clicks:
        for own, element in zip(found, interaction, strict=True):
            own += element
    return found


def check_arguments(x: Images, z: State, pcs: Clicks, ncs: Clicks) -> None:
    """Raise `BadOption` unless images, state and the newest clicks are those of one interaction. Cheap: no pixel and no
    earlier interaction is looked at.
    """
    if isinstance(x, Tensor) and (x.dim() != 4 or x.shape[1] != 3):
        raise BadOption(f"x must be images (B, 3, H, W), not {tuple(x.shape)}; one image (3, H, W) is x[None]")
    if not z:
        raise BadOption("z is empty: begin with z = model.init_z(x), and go on with the z that the model returns")
    for name, clicks in (("pcs", pcs), ("ncs", ncs)):
        newest = clicks[-1] if isinstance(clicks, list) and clicks else [[]] * len(x)
        lists = (clicks, newest, *newest) if isinstance(newest, list) else (clicks, newest)
        if not all(isinstance(one, list) for one in lists) or len(newest) != len(x):
            raise BadOption(f"{name} must be nested lists [interaction][batch element][click]: {_NESTED}")
        for image, element in zip(x, newest, strict=True):
            rows, columns = image.shape[-2:]
            for click in element:
                if not isinstance(click, tuple | list) or len(click) != 2:
                    raise BadOption(f"{name} contains {click!r:.60}, which is not a click (row, col): {_NESTED}")
                if not (0 <= click[0] < rows and 0 <= click[1] < columns):
                    raise BadOption(
                        f"{name}: click {click} lies outside the image of {rows} rows and {columns} columns"
                    )


_NESTED = "one click on one image is [[[(row, col)]]], none is [[[]]]"


def check_state(z: State, n: int, name: str = "unknown") -> None:
    """Raise `ModelError`, naming model and entry, unless z has entries, each indexable by its n batch elements."""
    if not z:
        raise ModelError(f"model {name}: z must contain prev_output, but it is empty")
    for key, value in z.items():
        if not isinstance(value, list | Tensor) or (isinstance(value, Tensor) and value.dim() == 0) or len(value) != n:
            raise ModelError(
                f"model {name}: z must be indexable by batch element, with a tensor or list of {n} in every entry, but "
                f"{key!r} is {_describe(value)}"
            )


def check_output(y: Any, x: Images, name: str) -> None:
    """Raise `ModelError`, naming the model, unless y has the standard format for x."""
    check_forms(y, x, name)
    check_values(y, name)


def check_forms(y: Any, x: Images, name: str) -> None:
    """Raise `ModelError`, naming the model, unless y has the standard format for x but for its values."""
    check_batch(y, x, name)
    if isinstance(x, Tensor):
        x, y = x[:1], y[:1]  # the elements of a tensor are alike
    for image, element in zip(x, y, strict=True):
        check_form(element, tuple(image.shape[-2:]), name)


def check_values(y: Outputs, name: str) -> None:
    """Raise `ModelError`, naming the model, unless all values of y are probabilities. A GPU is waited for once."""
    ends = torch.stack([end for part in ([y] if isinstance(y, Tensor) else y) for end in part.aminmax()])
    low, high = float(ends.min()), float(ends.max())  # both are NaN where one value is
    if not (low >= 0 and high <= 1):  # NaN compares false
        fault = "NaN" if low != low else f"values in [{low:.3g}, {high:.3g}]"
        raise ModelError(f"model {name} must answer with probabilities in [0, 1], not with {fault}")


def check_batch(y: Any, x: Images, name: str) -> None:
    """Raise `ModelError` unless y is a tensor or a list, like x, with one output per image."""
    if not isinstance(y, list | Tensor) or (isinstance(y, Tensor) and y.dim() == 0) or len(y) != len(x):
        raise ModelError(f"model {name} must return {len(x)} outputs in y, not {_describe(y)}")
    if isinstance(x, list) != isinstance(y, list):
        raise ModelError(f"model {name} must return a {'list' if isinstance(x, list) else 'tensor'} y, as x is one")
    if isinstance(y, Tensor):
        _check_storage(y, name)


def check_form(y: Any, size: tuple[int, ...], name: str) -> None:
    """Raise `ModelError` unless y is a dense float32 tensor `(1, H, W)`, H and W being `size`; no value is read."""
    if not isinstance(y, Tensor) or tuple(y.shape) != (1, *size):
        raise ModelError(f"model {name} must answer with shape (1, {size[0]}, {size[1]}), not {_describe(y)}")
    _check_storage(y, name)
    if y.dtype != torch.float32:
        raise ModelError(f"model {name} must answer in float32, not {y.dtype}")


def _check_storage(y: Tensor, name: str) -> None:
    if y.device.type == "meta":
        raise ModelError(f"model {name} must answer with values, not with a tensor on the meta device, which has none")
    if not is_dense(y):
        layout = "nested" if y.is_nested else str(y.layout).removeprefix("torch.")
        raise ModelError(f"model {name} must answer with a dense tensor, not with a {layout} one; call .to_dense()")


def is_dense(value: Any) -> bool:
    """Whether this is a tensor with a value at every position: neither sparse nor nested."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_nested


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"a numpy array {value.shape} (torch.from_numpy makes a tensor of it)"
    return type(value).__name__ if value is not None else "None"
