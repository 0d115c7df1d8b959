"""A model of the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import __version__, assets
from iiszoo.builtin.models import PRECISION_OPTION, PRECISIONS
from iiszoo.cards import ModelCard
from iiszoo.device import check_device
from iiszoo.errors import BadOption, IISZooError, ModelError, WeightsError, with_place
from iiszoo.loader_options import checked_options, options_of
from iiszoo.model_reference._loading import finished
from iiszoo.model_reference._reference import Identity
from iiszoo.model_reference._sha256 import sha256_of
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.names import Name
from iiszoo.object_path import load_object
from iiszoo.progress import NamedProgress
from iiszoo.registry import registry

if TYPE_CHECKING:
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class CardReference:
    """A model of the zoo, by its card."""

    card: ModelCard
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    checkpoint: Path | None = None

    @property
    def name(self) -> str:
        return str(Name(self.card.id, options=self.options))

    @property
    def threshold(self) -> float:
        return self.card.threshold

    def identity(self) -> Identity:
        """Code is identified by the versions of plugin and core, weights by their hashes."""
        plugin = registry().models.plugin(self.card)
        code = dict.fromkeys([f"{plugin.distribution} {plugin.version}", f"iiszoo {__version__}"])
        identity: Identity = {"id": self.name, "code": ", ".join(code), "options": dict(self.options)}
        if self.checkpoint is not None:
            return {**identity, "weights": [f"checkpoint sha256 {sha256_of(self.checkpoint)}"]}
        hashes = [(file.filename, assets.status(self.card, file).sha256) for file in self.card.weights]
        if all(sha256 for _, sha256 in hashes):
            identity["weights"] = [f"{filename} sha256 {sha256}" for filename, sha256 in hashes]
        return identity

    def fetch(self, fetching: NamedProgress | None = None) -> CardReference:
        self.checked_options()
        if self.checkpoint is None:
            for file in self.card.weights:
                progress = None if fetching is None else _of_file(fetching, file.filename)
                assets.fetch(self.card, file, progress=progress)
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        from iiszoo.protocol import as_model

        check_device(device)
        loader = load_object(self.card.loader)
        options = self.checked_options()
        merge = None if MERGE in options_of(loader) else options.pop(MERGE, None)
        asked = {"checkpoint": self.checkpoint, **options} if self.checkpoint else options
        how = f" with {', '.join(asked)}" if asked else ""
        with assets.pinning() as pins:  # hashes that upstream does not publish
            try:
                loaded = loader(self.card, device=device, checkpoint=self.checkpoint, **options)
            except WeightsError as error:
                raise WeightsError(f"{error}{pins.way_out()}") from error
            except (KeyboardInterrupt, IISZooError):
                raise
            except BaseException as error:
                kind = BadOption if asked else ModelError
                cause = f"{with_place(error)}{pins.way_out()}"
                raise kind(f"model {self.card.id} cannot be loaded{how}: {cause}") from error
        if not callable(loaded):
            raise ModelError(
                f"model {self.card.id} cannot be loaded: its loader {self.card.loader} returns {type(loaded).__name__}"
            )
        own = {name: value for name, value in self.options.items() if name in options}
        model = as_model(loaded, name=str(Name(self.card.id, options=own)), card=self.card, device=device)
        model.checkpoint, model.options = self.checkpoint, own
        return finished(model, merge, threshold)

    def checked_options(self) -> dict[str, Any]:
        """The options as the loader gets them. Raises `BadOption` for one that it does not have or take."""
        loader = load_object(self.card.loader)
        options = checked_options(f"model {self.card.id}", loader, self.options, (MERGE,))
        if MERGE in options and MERGE not in options_of(loader):
            check_merge_rule(options[MERGE])
        stands, wanted = self.card.precisions, options.get(PRECISION_OPTION.name, PRECISION_OPTION.default)
        if wanted in PRECISIONS and wanted not in stands:
            raise BadOption(f"model {self.card.id} does not stand precision={wanted}; it stands {', '.join(stands)}")
        return options


def _of_file(fetching: NamedProgress, filename: str) -> Callable[[int, int | None], None]:
    return lambda done, total: fetching(filename, done, total)
