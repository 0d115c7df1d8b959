"""The model under check: where it comes from, whether its weights are meaningful, and the runs that checks share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from iiszoo import assets
from iiszoo.builtin.models import PRECISION_OPTION
from iiszoo.cards import TOLERANCE, ModelCard
from iiszoo.errors import BadOption, ModelError, text_of, with_place
from iiszoo.loading import load_model
from iiszoo.object_path import is_function, load_object
from iiszoo.plugins import Kind
from iiszoo.protocol import Clicks, Images, Model, Outputs, State, as_model
from iiszoo.registry import resolve_model
from iiszoo.testing import scenes
from iiszoo.testing.check import NotApplicable, Outcome, Raised
from iiszoo.testing.scenes import Scene
from iiszoo.testing.values import fresh
from iiszoo.trained_file import named_file

ModelOrFactory = str | Callable[..., Any]
"""An id, `module:function`, a model (any callable of the standard format), or a factory, which returns a model when
called without arguments. A factory that takes `device` is also asked for one on CUDA, one that takes `precision` for
those of its card."""


@dataclass(frozen=True)
class Origin:
    """All that a process needs to load the model: this one, or another that this object is pickled to."""

    what: ModelOrFactory
    checkpoint: Path | None = None

    @property
    def named(self) -> bool:
        """Whether it is an id, whose card is known before anything is loaded."""
        return isinstance(self.what, str) and not is_function(self.what) and not self.is_file

    @property
    def is_file(self) -> bool:
        """Whether it names the file of a trained network."""
        return isinstance(self.what, str) and named_file(self.what) is not None

    def load(self, device: str = "cpu", precision: str | None = None) -> Model:
        """The model on `device`, with this option `precision` (None: without). Raises what its loader raises,
        `NotApplicable` if it cannot be loaded so.
        """
        options = {} if precision is None else {PRECISION_OPTION.name: precision}
        if isinstance(self.what, str) and (self.named or self.is_file):
            return load_model(self.what, self.checkpoint, device, **options)
        if self.checkpoint is not None:
            raise BadOption(f"{label(self.what)} is not an id of a model, so it takes no checkpoint")
        what = load_object(self.what) if isinstance(self.what, str) else self.what
        if not is_factory(what):
            if isinstance(what, Model) and device != what.device:
                raise NotApplicable(
                    f"it is already loaded, on {what.device}; give its id, or a factory that takes device"
                )
            if options:
                raise NotApplicable("it is already loaded; give its id, or a factory that takes precision")
            return as_model(what, label(self.what), device=device)
        takes = inspect.signature(what).parameters
        if device != "cpu" and "device" not in takes:
            raise NotApplicable(f"the factory {label(what)} takes no device")
        if options.keys() - takes.keys():
            raise NotApplicable(f"the factory {label(what)} takes no precision")
        if "device" in takes:
            options["device"] = device
        return as_model(what(**options), label(self.what), device=device)


def is_factory(what: Callable[..., Any]) -> bool:
    """Whether `what`, called without arguments, returns a model; else it is a model itself.

    Raises `BadOption` if its parameters allow neither.
    """
    if isinstance(what, Model) or (not inspect.isclass(what) and _takes(what, 4)):
        return False
    if _takes(what, 0):
        return True
    raise BadOption(
        f"{label(what)} is neither a model, called with (x, z, pcs, ncs), nor a factory, called without arguments"
    )


def _takes(what: Callable[..., Any], n_arguments: int) -> bool:
    try:
        inspect.signature(what).bind(*[None] * n_arguments)
    except TypeError:
        return False
    return True


def label(what: ModelOrFactory) -> str:
    """A short name, made without loading anything."""
    if isinstance(what, Model):
        return what.name
    if isinstance(what, partial):
        parts = (getattr(part, "id", getattr(part, "__name__", part)) for part in what.args)
        return f"{label(what.func)}({', '.join(map(str, parts))})"
    return what if isinstance(what, str) else str(getattr(what, "__qualname__", type(what).__qualname__))


@dataclass(frozen=True)
class Play:
    """A session that was run: the state before the first click, and y and z of each interaction."""

    start: State
    outputs: list[Outputs]
    states: list[State]


@dataclass(eq=False)
class Subject:
    """One model under check.

    `trained`: whether its weights are meaningful; None: yes if it has none to train. `given_tolerance`: the allowed
    difference in probability between two outputs that different kernels computed; None: what its card states.
    `timeout`: seconds for a session in a thread or in another process, its start and loading the model included.
    """

    origin: Origin
    trained: bool | None = None
    given_tolerance: float | None = None
    timeout: float = 120.0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _plays: dict[Any, Play] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return "model"

    @cached_property
    def name(self) -> str:
        return label(self.origin.what)

    @property
    def card(self) -> ModelCard | None:
        """The model's card, or None for a bare function. An id's card needs no loading."""
        if self.origin.named:
            return resolve_model(str(self.origin.what))[0]
        return self.model.card

    @property
    def tolerance(self) -> float:
        """The allowed difference in probability."""
        if self.given_tolerance is not None:
            return self.given_tolerance
        return TOLERANCE if self.card is None else self.card.tolerance

    @cached_property
    def model(self) -> Model:
        """The model, loaded once, on the CPU. Raises `NotApplicable` if its weights are not in the cache."""
        if self.origin.named and self.origin.checkpoint is None and not self.trained:
            card, _ = resolve_model(str(self.origin.what))
            missing = [file.filename for file in card.weights if assets.status(card, file).state != "present"]
            if missing:
                raise NotApplicable(
                    f"its weights are not in the cache ({', '.join(missing)}): --weights (trained=True) fetches them, "
                    "--checkpoint FILE (checkpoint=) uses others, even synthetic ones"
                )
        return self.origin.load()

    @property
    def meaningful(self) -> bool:
        """Whether the outputs can be expected to make sense."""
        if self.trained is not None:
            return self.trained
        if self.origin.is_file:
            return False
        files = () if self.card is None else self.card.weights
        return not files or (self.origin.checkpoint is None and all(file.ships for file in files))

    def release(self) -> None:
        """Free the model and its runs; the outcomes of the checks are kept."""
        self.__dict__.pop("model", None)
        self._plays.clear()

    def call(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction on copies of the arguments: a model that changes them fails one check, not all."""
        with torch.no_grad():
            return self.model(fresh(x), fresh(z), fresh(pcs), fresh(ncs))

    def start(self, x: Images) -> State:
        """`init_z` of a copy of x."""
        with torch.no_grad():
            return self.model.init_z(fresh(x))

    def play(self, scene: Scene) -> Play:
        """The session from its beginning."""
        return play(self.model, scene)

    def alone(self, k: int) -> Play:
        """Session `k` of `scenes.session` by itself; run once, so only to be read."""
        return self.once(k, lambda: scenes.session(k))

    def together(self) -> Play:
        """The three sessions in one batch; run once, so only to be read."""
        return self.once("together", scenes.all_sessions)

    def once(self, key: object, scene: Callable[[], Scene]) -> Play:
        """The session of a scene, run when first requested under `key`."""
        if key not in self._plays:
            self._plays[key] = self.play(scene())
        return self._plays[key]


def play(model: Model, scene: Scene) -> Play:
    """All interactions of a scene, with copies of what goes in and of what comes out."""
    with torch.no_grad():
        z = model.init_z(fresh(scene.x))
        start, outputs, states = fresh(z), [], []
        for k in range(1, len(scene.pcs) + 1):
            y, z = model(fresh(scene.x), fresh(z), fresh(scene.pcs[:k]), fresh(scene.ncs[:k]))
            outputs.append(fresh(y))
            states.append(fresh(z))
    return Play(start, outputs, states)


def first_session(origin: Origin) -> list[Any]:
    """The outputs of the first session of the model loaded here, as arrays: for another process."""
    return [torch.as_tensor(y).numpy() for y in play(origin.load(), scenes.session(0)).outputs]


def broken_by(error: BaseException, before: str = "", after: str = "") -> Raised:
    """What a check reports if what it checks, called or loaded, raised `error`: `it raised ValueError: ... (model.py:3,
    in forward)`, within a sentence between `before` and `after`.

    A `ModelError` says itself how the standard format is broken.
    """
    if isinstance(error, ModelError):
        text = text_of(error, 2000)
        _, must, how = text.partition(" must ")
        return Raised(f"{before}{f'it must {how}' if must else text}{after}")
    return Raised(f"{before}it raised {with_place(error)}{after}")
