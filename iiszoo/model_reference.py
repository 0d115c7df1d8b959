"""A model, resolved once: what it is, before it is loaded.

`resolve` is called once per model; all other code takes the reference, asks it for the model's `identity()`, lets it
`fetch()` the weights and `load()` the model, and never parses a name. A model of this interpreter has a card
(`CardReference`), is a file that `iiszoo train` wrote (`TrainedReference`), is a function (`FunctionReference`) or is
already loaded (`LoadedReference`); a model of another interpreter is an `iiszoo.remote.RemoteReference`.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from iiszoo import __version__, assets, files
from iiszoo.builtin.models import COMPUTE_OPTIONS, PRECISION_OPTION, PRECISIONS
from iiszoo.cards import ModelCard
from iiszoo.device import check_device
from iiszoo.errors import BadOption, IISZooError, ModelError, WeightsError, raised_as, with_place
from iiszoo.loader_options import checked_options, options_of
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.models.runtime import ONNX, RUNTIME, is_there
from iiszoo.names import Name, parse_name
from iiszoo.object_path import function_name, is_function, load_object
from iiszoo.progress import NamedProgress
from iiszoo.registry import registry, resolve_model
from iiszoo.trained_file import facts_of, named_file

if TYPE_CHECKING:
    from iiszoo.protocol import Model
    from iiszoo.remote import Interpreter

ModelSpec = str | Callable[..., Any]
"""An id of the zoo, with or without options (`sam/vit-b?rule=segnext`), `"module:function"`, a callable of the standard
format, or a trained network: the directory of a run of `iiszoo train`, or its safetensors file."""

Identity = dict[str, Any]
"""What determines a model's outputs: `id`, `code`, `options`, `weights`. `weights` is absent while the hash of a
file is unknown: upstream publishes none, and it has not been fetched."""


class ModelReference(Protocol):
    """One model, resolved. Frozen, and picklable unless it is a callable of this process alone."""

    @property
    def name(self) -> str:
        """The resolved name with every chosen option, under which results are filed."""

    @property
    def threshold(self) -> float:
        """The probability above which the model counts a pixel as object, as published."""

    def identity(self) -> Identity:
        """What determines the model's outputs, found without loading it."""

    def fetch(self, fetching: NamedProgress | None = None) -> ModelReference:
        """Fetch the weights; returns the reference whose identity includes their hashes.

        Raises `WeightsError`, or `BadOption` for an option that the model does not have.
        """

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        """The model on `device`, for masks at `threshold` (None: its own). Raises an `IISZooError`."""


def resolve(
    model: ModelSpec,
    checkpoint: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    interpreter: Interpreter | None = None,
) -> ModelReference:
    """The reference of a model. `options` override those in its name; `checkpoint` is a file with your own weights.

    Raises `UnknownId`, `PluginError`, or `BadOption` (a checkpoint that does not exist, a malformed option).
    """
    options = dict(options or {})
    path = None if checkpoint is None else Path(checkpoint)
    if interpreter is not None:
        from iiszoo.remote import RemoteReference

        return RemoteReference.identified(model, interpreter, path, options)
    if is_function(model):
        return _of_function(model, path, options)
    file = named_file(str(model))
    if file is not None:
        return _of_trained(str(model), file, path, options)
    card, name = resolve_model(str(model))
    if path is not None and not path.is_file():
        cause = "is a directory, not a file" if path.is_dir() else "does not exist"
        raise BadOption(f"checkpoint {path} {cause}; give a file that torch.save wrote")
    return CardReference(card, dict(name.with_options(options).options), path)


def with_flags(model: ModelSpec, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The options that flags of the command line set, None where a flag was not given.

    Raises `BadOption` if the model's name sets another value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    named = parse_name(model).options if isinstance(model, str) and given else {}
    for name, value in given.items():
        if named.get(name, value) != value:
            flag = f"--{name.replace('_', '-')}"
            raise BadOption(f"{model} sets another {name} than {flag} {value}; give only one")
    return given


def takes_runtime(reference: ModelReference) -> bool:
    """Whether the model has the option `runtime`. Raises `BadOption` if its loader cannot be imported."""
    if isinstance(reference, CardReference):
        return RUNTIME in options_of(load_object(reference.card.loader))
    return isinstance(reference, TrainedReference)


def on_fastest_runtime(reference: ModelReference, device: str) -> ModelReference:
    """The model on onnxruntime, if that is installed, the device is the CPU, and neither a name nor a flag has chosen
    how it computes.

    Raises as `takes_runtime`.
    """
    if not isinstance(reference, CardReference | TrainedReference):
        return reference
    if reference.options.keys() & {option.name for option in COMPUTE_OPTIONS}:
        return reference
    if device != "cpu" or not is_there() or not takes_runtime(reference):
        return reference
    return replace(reference, options={**reference.options, RUNTIME: ONNX})


def _of_trained(model: str, file: Path, checkpoint: Path | None, options: Mapping[str, Any]) -> TrainedReference:
    if checkpoint is not None:
        raise BadOption(f"{model} is a file of weights itself, so it takes no checkpoint")
    if not file.is_file():
        facts_of(file)  # raises, and says what is there instead
    chosen = parse_name("model?" + model.partition("?")[2]).options if "?" in model else {}
    return TrainedReference(file, model.partition("?")[0], {**chosen, **options})


def _of_function(
    model: ModelSpec, checkpoint: Path | None, options: dict[str, Any]
) -> FunctionReference | LoadedReference:
    function = model
    if isinstance(model, str):
        name = parse_name(model)
        function, options = f"{name.id}:{name.argument}", {**name.options, **options}
    merge = options.pop(MERGE, None)
    if checkpoint is not None or options:
        raise BadOption(
            f"{function_name(function)} is a bare function: it takes no checkpoint and no option but {MERGE}"
        )
    if merge is not None:
        check_merge_rule(merge)
    if isinstance(function, str):
        return FunctionReference(function, merge)
    from iiszoo.protocol import Model

    if not isinstance(function, Model):
        return FunctionReference(function, merge)
    return _loaded(_merged(function, merge))


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
            return {**identity, "weights": [f"checkpoint sha256 {_sha256_of(self.checkpoint)}"]}
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
        return _at_threshold(_merged(model, merge), threshold)

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
            "weights": [f"{self.file.name} sha256 {_sha256_of(self.file)}"],
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
        return _at_threshold(_merged(model, merge), threshold)


@dataclass(frozen=True)
class FunctionReference:
    """A function of the standard format, `"module:function"` or the object itself, and how its outputs are merged."""

    function: str | Callable[..., Any]
    merge: Any = None

    @property
    def name(self) -> str:
        return str(parse_name(function_name(self.function)).with_options(self._options()))

    @property
    def threshold(self) -> float:
        return 0.5

    def identity(self) -> Identity:
        """A function that can be imported by name is identified by the hash of the file that defines it; any other only
        by the object itself, so that no later process reuses its results.
        """
        return {"id": self.name, "code": _code_of(self.function), "options": self._options(), "weights": []}

    def fetch(self, fetching: NamedProgress | None = None) -> FunctionReference:
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        from iiszoo.protocol import as_model

        check_device(device)
        function = load_object(self.function) if isinstance(self.function, str) else self.function
        name = function_name(self.function)
        if inspect.isclass(function):
            with raised_as(ModelError, f"model {name} cannot be created"):
                function = function()
        if not callable(function):
            raise BadOption(f"{name} is not callable, so it cannot be a model")
        model = as_model(function, name=name, device=device)
        _ = model.ragged  # raises if the attribute cannot be read
        return _at_threshold(_merged(model, self.merge), threshold)

    def _options(self) -> dict[str, Any]:
        return {} if self.merge is None else {MERGE: self.merge}


@dataclass(frozen=True)
class LoadedReference:
    """A model that the caller has loaded; `origin` identifies it."""

    model: Model
    origin: CardReference | FunctionReference | TrainedReference

    @property
    def name(self) -> str:
        return self.origin.name

    @property
    def threshold(self) -> float:
        return self.model.threshold

    def identity(self) -> Identity:
        return self.origin.identity()

    def fetch(self, fetching: NamedProgress | None = None) -> LoadedReference:
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        return _at_threshold(self.model, threshold)


def _loaded(model: Model) -> LoadedReference:
    from iiszoo.models.merge import unmerged

    if model.card is not None:
        return LoadedReference(model, CardReference(model.card, model.options, model.checkpoint))
    if model.checkpoint is not None:
        return LoadedReference(model, TrainedReference(model.checkpoint, model.name.partition("?")[0], model.options))
    return LoadedReference(model, FunctionReference(unmerged(model).function, model.options.get(MERGE)))


def _merged(model: Model, merge: Any) -> Model:
    """The model with its outputs merged by the rule `merge`; the model itself if that is None."""
    if merge is None:
        return model
    from iiszoo.models.merge import merging

    return merging(model, merge)


def _at_threshold(model: Model, threshold: float | None) -> Model:
    return model if threshold is None else model.at_threshold(threshold)


def _of_file(fetching: NamedProgress, filename: str) -> Callable[[int, int | None], None]:
    return lambda done, total: fetching(filename, done, total)


def _code_of(function: str | Callable[..., Any]) -> str:
    module, _, attribute = function_name(function).partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the parent package is imported, and may raise anything
        if isinstance(function, str):
            raise BadOption(f"model {function!r} cannot be imported: {with_place(error)}") from error
        spec = None
    if isinstance(function, str) and spec is None:
        raise BadOption(f"model {function!r}: there is no module {module!r}; it must be importable from here")
    importable = isinstance(function, str) or getattr(sys.modules.get(module), attribute, None) is function
    if importable and spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        return f"sha256 {_sha256_of(Path(spec.origin))}"
    return f"object {id(function)} of process {os.getpid()} on {platform.node()}"


def _sha256_of(path: Path) -> str:
    try:
        return files.sha256(path)[0]
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}") from error
