"""A family's checkpoints: read, identified, and loaded into a network.

Whatever training scripts wrap around a state dict is removed here, for every family: enclosing dicts, and the prefixes
that wrappers add to every name (`module.` of DataParallel, `model.` of Lightning). What remains must match the network:
all its names and shapes, and no others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from iiszoo import assets
from iiszoo.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)

USUAL = (
    "state_dict", "model_state_dict", "model", "network", "net", "model_state", "network_state_dict", "net_state_dict",
    "state", "params", "weights", "module", "generator", "student", "ema", "model_ema", "ema_model", "ema_state_dict",
    "model_ema_state_dict", "state_dict_ema", "params_ema", "shadow", "teacher",
)  # fmt: skip
"""The keys under which training scripts save a state dict; if several fit, the first is used, so trained weights take
precedence over their moving average."""

_WRAPPERS = ({"_orig_mod"}, {"_orig_mod", "module"})
"""Parts of a dotted name that `torch.compile` and DataParallel add before a submodule."""

_DEPTH, _MOST_DICTS, _MOST_PREFIXES, _MOST_NAMED = 3, 200, 8, 3

_log = logging.getLogger("iiszoo.models")


@dataclass(frozen=True)
class Found:
    """A state dict in a checkpoint.

    `state`: its entries, under the network's names as far as they match; `taken_off`: in words, what was wrapped around
    it, "" if nothing worth reporting; `differences`: in words, how it differs from the network's, "" if it fits.
    """

    file: Path
    state: dict[str, Tensor]
    taken_off: str
    differences: str

    def put_into(self, network: nn.Module, model: str) -> None:
        """Assign the weights without copying, so that they take memory only once, and log what was removed.

        Raises `WeightsError` if the state dict does not match the network.
        """
        if self.differences:
            raise WeightsError(f"checkpoint {self.file} does not fit {model}: {self.what_differs()}")
        network.load_state_dict(self.state, assign=True)
        self.say()

    def say(self) -> None:
        if self.taken_off:
            _log.warning("checkpoint %s: using the state dict %s", self.file, self.taken_off)

    def what_differs(self) -> str:
        return f"its state dict ({self.taken_off}): {self.differences}" if self.taken_off else self.differences


def load_network(
    model: str, file: str | Path, networks: Mapping[str, Callable[[], Network]], unused: frozenset[str] = frozenset()
) -> Network:
    """The network of a model id with the weights of `file`, for inference; strict: every entry, and no others.

    `networks` builds the family's networks, by model id. `file` contains a state dict, as `find_state_dict` finds it.
    Entries named in `unused` may be present and are ignored.

    Raises `WeightsError`, which states whether the file fits another model of the family or none.
    """
    content = assets.load_checkpoint(file)
    network = _empty(networks[model])
    found = find_state_dict(content, file, network.state_dict(), model, unused)
    if found.differences:
        others = " or ".join(
            other
            for other, build in networks.items()
            if other != model
            and not find_state_dict(content, file, _empty(build).state_dict(), other, unused).differences
        )
        if others:
            raise WeightsError(f"checkpoint {file} has the weights of {others}, not of {model}; use --model {others}")
        family = model.partition("/")[0]
        raise WeightsError(
            f"checkpoint {file} does not fit any {family} model: {found.what_differs()}; give a file of {model}"
        )
    found.put_into(network, model)
    return network.float().eval().requires_grad_(False)


def load_part(network: nn.Module, entries: Mapping[str, Tensor], wanted: Collection[str], source: str) -> None:
    """Load a part of a network's weights: `entries`, by the network's names, among them all `wanted` ones.

    For a network's `load_backbone`. Raises `WeightsError` naming `source` if one is missing or does not fit.
    """
    own = network.state_dict()
    part = {name: own[name] for name in wanted if name in entries or not name.endswith("num_batches_tracked")}
    lacking = differences({name: value for name, value in entries.items() if name in part}, part)
    if lacking:
        raise WeightsError(
            f"{source} fits neither the network nor the backbone that its family starts from: {lacking}; give a file "
            "of either"
        )
    network.load_state_dict({name: entries[name] for name in part}, strict=False)


def find_state_dict(
    content: Any,
    file: str | Path,
    wanted: Mapping[str, Tensor],
    model: str,
    unused: Collection[str] = frozenset(),
) -> Found:
    """The state dict in `content`, the content of `file`, that fits a network or comes nearest to it.

    `wanted`: the network's own state dict, of which names, shapes and types count. The file's may be nested in dicts,
    under any keys; all its names may share prefixes, and `torch.compile` and DataParallel may have added theirs to
    some. It is first tried unchanged. Entries named in `unused` are left out.

    Raises `WeightsError` if there is no state dict at all, or if several fit and it is unclear which one is meant.
    """
    file = Path(file)
    fitting: list[tuple[tuple[str, ...], Found]] = []
    nearest: tuple[int, Found] | None = None
    for path, whole in _state_dicts(content):
        for state, off in _without_wrappers(whole):
            state = {name: value for name, value in state.items() if name not in unused}
            found = Found(file, state, _taken_off(path, off), differences(state, wanted))
            if not found.differences:
                fitting.append((path, found))
                break
            alike = sum(name in wanted and value.shape == wanted[name].shape for name, value in state.items())
            if nearest is None or alike > nearest[0]:
                nearest = (alike, found)
    if len(fitting) > 1 and fitting[0][0] and fitting[0][0][0] not in USUAL:
        names = " and under ".join(_key(".".join(path)) for path, _ in fitting[:_MOST_NAMED])
        raise WeightsError(
            f"checkpoint {file} has several state dicts that fit {model}, under {names}; save only the one to use"
        )
    if fitting:
        return fitting[0][1]
    if nearest is None:
        raise WeightsError(f"checkpoint {file} has no state dict (names with tensors): {_instead(content, model)}")
    return nearest[1]


def differences(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """How a state dict differs from a network's, in a few words; "" if names, shapes and types match."""
    missing = [name for name in wanted if name not in state]
    foreign = [name for name in state if name not in wanted]
    unlike = [
        f"{_name(name)} {unlike}" for name in wanted if name in state and (unlike := _unlike(state[name], wanted[name]))
    ]
    parts = [
        f"it has no {_listed([_name(name) for name in missing])}" if missing else "",
        f"it has an unknown {_listed([_name(name) for name in foreign])}" if foreign else "",
        f"its {_listed(unlike)}" if unlike else "",
    ]
    return "; ".join(part for part in parts if part)


def _unlike(value: Tensor, wanted: Tensor) -> str:
    """How an entry does not fit the network's; "" if it does."""
    if value.shape != wanted.shape:
        return f"has the shape {tuple(value.shape)}, not {tuple(wanted.shape)}"
    if value.is_meta:
        return "has no values: it was saved on the meta device"
    if value.layout != torch.strided or value.is_quantized:
        return "is a sparse or quantized tensor"
    if value.is_floating_point() != wanted.is_floating_point() or value.is_complex():
        return f"is of type {value.dtype}, not {wanted.dtype}"
    return ""


def _empty(build: Callable[[], Network]) -> Network:
    """A network on the meta device: its weights take no memory."""
    with torch.device("meta"):
        return build()


def _state_dicts(content: Any) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every state dict in a checkpoint and the keys that lead to it; outer ones first, usual keys before others."""
    level: list[tuple[tuple[str, ...], Any]] = [((), content)]
    seen = 0
    for _ in range(_DEPTH + 1):
        inner: list[tuple[tuple[str, ...], Any]] = []
        for path, value in level:
            if not isinstance(value, Mapping) or seen >= _MOST_DICTS:
                continue
            seen += 1
            if value and all(isinstance(name, str) and isinstance(each, Tensor) for name, each in value.items()):
                yield path, dict(value)
                continue
            keys = [key for key in value if isinstance(key, str) and not _of_optimizer(key)]
            keys.sort(key=lambda key: USUAL.index(key) if key in USUAL else len(USUAL))
            inner += [((*path, key), value[key]) for key in keys]
        level = inner


def _of_optimizer(key: str) -> bool:
    return "optim" in key.lower()


def _without_wrappers(state: dict[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], str]]:
    """A state dict unchanged, then without what wrappers may have added to its names; each with what was removed."""
    yield from _without_prefixes(state, "")
    for steps in _WRAPPERS:
        names = [".".join(step for step in name.split(".") if step not in steps) for name in state]
        if names != [*state] and len({*names}) == len(names):
            removed = " and ".join(f"{step!r}" for step in sorted(steps))
            yield from _without_prefixes(
                dict(zip(names, state.values(), strict=True)), f"without the parts {removed} of its names"
            )


def _without_prefixes(state: dict[str, Tensor], removed: str) -> Iterator[tuple[dict[str, Tensor], str]]:
    yield state, removed
    taken = ""
    for _ in range(_MOST_PREFIXES):
        firsts = {name.partition(".")[0] for name in state}
        if len(firsts) != 1 or not all(name.partition(".")[2] for name in state):
            return
        taken += f"{firsts.pop()}."
        state = {name.partition(".")[2]: value for name, value in state.items()}
        prefix = f"without the prefix {_key(taken)} that all its names share"
        yield state, f"{removed}, {prefix}" if removed else prefix


def _taken_off(path: tuple[str, ...], off: str) -> str:
    """In words; a state dict under "state_dict" is not worth reporting."""
    under = f"under {_key('.'.join(path))}" if path not in ((), ("state_dict",)) else ""
    return ", ".join(part for part in (under, off) if part)


def _instead(content: Any, model: str) -> str:
    """What a checkpoint without a state dict contains, and what to do about it."""
    advice = f"give a file of {model}"
    if isinstance(content, assets.Inert):
        what = "a whole network or another object, pickled with its class"
        return f"it is {what}; save only its state_dict(), or {advice}"
    if not isinstance(content, Mapping):
        return f"it is {_kind(content)}; {advice}"
    if not content:
        return f"it is an empty dict; {advice}"
    whole = [key for key, value in content.items() if isinstance(value, assets.Inert) and key in USUAL]
    if whole:
        return f"{_key(whole[0])} is a whole network, pickled with its class; save only its state_dict()"
    if "param_groups" in content or any(isinstance(key, str) and _of_optimizer(key) for key in content):
        return f"it has only the state of an optimizer; save the network's state_dict(), or {advice}"
    others = [key for key, value in content.items() if not isinstance(value, Tensor)]
    kinds = _listed([f"{_key(key)} ({_kind(content[key])})" for key in others])
    has = "besides tensors it has" if len(others) < len(content) else "it has"
    if not others:  # keys that are not strings
        return f"its keys are not names, for example {_key(next(iter(content)))}; {advice}"
    return f"{has} {kinds}; save only the network's state_dict(), or {advice}"


def _kind(value: Any) -> str:
    kind = type(value).__name__
    return (
        "an object of a class" if isinstance(value, assets.Inert) else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f", and {more} more" if more > 0 else "")


def _name(name: str) -> str:
    """A name from a file, which may contain anything, made safe to print."""
    shown = name if name.isprintable() and name else repr(name)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _key(key: object) -> str:
    return f"'{_name(key)}'" if isinstance(key, str) else _name(repr(key))
