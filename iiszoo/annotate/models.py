"""The models of the page: those that can be chosen, and those that are loaded."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from iiszoo import assets, files, units
from iiszoo.annotate.states import Sight, encode, memory
from iiszoo.cards import ModelCard
from iiszoo.errors import IISZooError, RunError
from iiszoo.model_reference import ModelReference, on_fastest_runtime, resolve
from iiszoo.progress import NamedProgress
from iiszoo.protocol import Model
from iiszoo.registry import registry

_log = logging.getLogger(__name__)

_LOADED = 2
"""How many models stay in memory: the present one, and the one before, to which undo may lead."""
_SIGHTS_BYTES = 1 << 30
"""How much memory images may take as models see them; the newest stays in any case."""


@dataclass(frozen=True)
class Choice:
    """A model that the page offers. `takes_masks`: whether it starts from a mask, None if that is unknown; `note`: what
    choosing it would cost.
    """

    name: str
    summary: str
    takes_masks: bool | None
    note: str = ""


class Models:
    """Used from the model's thread alone, but for `choices` and `first`. `identities` is the file that remembers which
    models there were.
    """

    def __init__(self, first: ModelReference, device: str, identities: Path) -> None:
        self.first = first.name
        self.device = device
        self._references: dict[str, ModelReference] = {first.name: first}
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._sights: OrderedDict[tuple[int, str], Sight] = OrderedDict()
        self._file = identities
        self.identities = _read(identities)
        self._keys: dict[str, str] = {}

    def choices(self) -> list[Choice]:
        """The first model, then the others that are installed, by id."""
        cards = registry().models.cards()
        own = next((card for card in cards if card.id == self.first.partition("?")[0]), None)
        known = _choice(own, self.first) if own else Choice(self.first, "given on the command line", None)
        return [known, *(_choice(card, card.id) for card in cards if card.id != self.first)]

    def load(self, name: str, progress: NamedProgress | None = None) -> Model:
        """The model, fetched and loaded if need be. Raises an `IISZooError`."""
        if name not in self._loaded:
            reference = self._references.setdefault(name, resolve(name))
            fetched, self._loaded[name] = self._fastest(reference.fetch(progress))
            self._references[name] = fetched
            self._remember(name, fetched.identity())
        self._loaded.move_to_end(name)
        while len(self._loaded) > _LOADED:
            gone, _ = self._loaded.popitem(last=False)
            for key in [key for key in self._sights if key[1] == gone]:
                del self._sights[key]
        return self._loaded[name]

    def _fastest(self, reference: ModelReference) -> tuple[ModelReference, Model]:
        """A fetched model, loaded: on onnxruntime where that is possible and nobody has chosen otherwise."""
        fast = on_fastest_runtime(reference, self.device)
        if fast is not reference:
            try:
                return fast, fast.load(self.device)
            except IISZooError as error:
                _log.warning("%s runs on torch: %s", reference.name, error)
        return reference, reference.load(self.device)

    def identity(self, name: str) -> str:
        """The short hash under which `identities` has a loaded model."""
        return self._keys[name]

    def sight(self, image: int, name: str, x: Callable[[str], Tensor]) -> Sight:
        """What the model sees of an image, by its number; `x(device)` is the image as the standard format has it.

        Raises an `IISZooError`.
        """
        model = self.load(name)
        if (image, name) not in self._sights:
            near = next((sight.x for (other, _), sight in self._sights.items() if other == image), None)
            shared = near if near is not None and str(near.device) == model.device else x(model.device)
            self._sights[image, name] = encode(model, shared)
        self._sights.move_to_end((image, name))
        while len(self._sights) > 1 and memory([sight[1:] for sight in self._sights.values()]) > _SIGHTS_BYTES:
            self._sights.popitem(last=False)
        return self._sights[image, name]

    def _remember(self, name: str, identity: dict[str, Any]) -> None:
        key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:12]
        self._keys[name] = key
        if key not in self.identities:
            self.identities[key] = identity
            text = json.dumps(self.identities, ensure_ascii=False, indent=1, default=str)
            files.replace_durably(self._file, text.encode() + b"\n")


def _choice(card: ModelCard, name: str) -> Choice:
    missing = [file for file in card.weights if assets.status(card, file).state != "present"]
    sizes = [file.shown_size for file in missing]
    size = units.size(None if None in sizes else sum(filter(None, sizes))) or "its weights"
    by_hand = any(not file.urls for file in missing)
    note = "" if not missing else "needs weights downloaded by hand" if by_hand else f"downloads {size}"
    return Choice(name, card.summary, "mask" in card.prompts, note)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(files.read_text(path))
        return {str(key): dict(identity) for key, identity in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RunError(f"{path}: the list of models cannot be read ({error}); give another --out") from error
