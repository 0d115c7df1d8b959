"""A network that `iiszoo train` has trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import __version__
from iiszoo.device import check_device
from iiszoo.errors import BadOption
from iiszoo.loader_options import checked_options
from iiszoo.model_reference._loading import finished
from iiszoo.model_reference._reference import Identity
from iiszoo.model_reference._sha256 import sha256_of
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.names import Name, parse_name
from iiszoo.progress import NamedProgress
from iiszoo.trained_file import facts_of

if TYPE_CHECKING:
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class TrainedReference:
    """A network that `iiszoo train` has trained, by its file; `called` is what the caller calls it, without options."""

    file: Path
    called: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        return str(Name(self.called, options=self.options))

    @property
    def threshold(self) -> float:
        return float(facts_of(self.file).get("sighting", {}).get("threshold", 0.5))

    def identity(self) -> Identity:
        """Its weights, and how they are shown an image, are known by the hash of the file that holds both."""
        return {
            "id": self.name,
            "code": f"iiszoo {__version__}",
            "options": dict(self.options),
            "weights": [f"{self.file.name} sha256 {sha256_of(self.file)}"],
        }

    def fetch(self, fetching: NamedProgress | None = None) -> TrainedReference:
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        from iiszoo.models.trained import load_file
        from iiszoo.protocol import as_model

        check_device(device)
        options = checked_options(f"model {self.called}", load_file, self.options, (MERGE,))
        merge = options.pop(MERGE, None)
        if merge is not None:
            check_merge_rule(merge)
        loaded = load_file(self.file, device=device, **options)
        model = as_model(loaded, name=str(Name(self.called, options=options)), device=device)
        model.checkpoint, model.options = self.file, options
        return finished(model, merge, threshold)


def of_trained(model: str, file: Path, checkpoint: Path | None, options: Mapping[str, Any]) -> TrainedReference:
    if checkpoint is not None:
        raise BadOption(f"{model} is a file of weights itself, so it takes no checkpoint")
    if not file.is_file():
        facts_of(file)  # raises, and says what is there instead
    chosen = parse_name("model?" + model.partition("?")[2]).options if "?" in model else {}
    return TrainedReference(file, model.partition("?")[0], {**chosen, **options})
