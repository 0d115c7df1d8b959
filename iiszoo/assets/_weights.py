"""The weights of a model: fetch, verify, add, remove, status; and which of them a model has loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from iiszoo import files
from iiszoo.assets import _fetch, _ledger, _part
from iiszoo.assets._cache import cache_root
from iiszoo.assets._ledger import HashOrigin
from iiszoo.assets._stored import Stored
from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError
from iiszoo.progress import Progress


@dataclass(frozen=True)
class Status:
    """One weights file of one model.

    `size` (bytes) and `sha256` (hex) are the required ones, None while unknown; `sha256_from` is the source of the
    hash: the card, the pin of a file that a model has loaded, or only the file in the cache, which none has loaded yet.
    `present_bytes` is the size of the file or of its `.part`.
    """

    model: str
    filename: str
    path: Path
    state: Literal["present", "partial", "missing"]
    present_bytes: int
    size: int | None
    sha256: str | None
    sha256_from: HashOrigin | None
    urls: tuple[str, ...]


def weights_of(card: ModelCard, weights: Weights | str | None = None) -> Weights:
    """One weights file of `card`: given itself, by file name, or (None) the card's only one.

    Raises `WeightsError` if the card has none, has several to choose from, or has no file of that name.
    """
    if isinstance(weights, Weights):
        return weights
    names = ", ".join(each.filename for each in card.weights)
    if not card.weights:
        raise WeightsError(f"model {card.id} has no weights: there is no file to fetch or to add")
    if weights is None:
        if len(card.weights) > 1:
            raise WeightsError(f"model {card.id} has {len(card.weights)} weights files; name one of {names}")
        return card.weights[0]
    for each in card.weights:
        if each.filename == weights:
            return each
    raise WeightsError(f"model {card.id} has no weights file {weights!r}; it has {names}")


def path(card: ModelCard, weights: Weights | str | None = None) -> Path:
    """The path of a weights file, present or not: `<cache>/weights/<family>/<filename>`, or inside its package."""
    weights = weights_of(card, weights)
    return _in_package(weights) if weights.ships else cache_root() / "weights" / card.family / weights.filename


def status(card: ModelCard, weights: Weights | str | None = None) -> Status:
    """What is known of a weights file and of its state in the cache; nothing is hashed or fetched.

    `weights` is one of the card's, its file name, or None for a card with a single one.
    """
    weights = weights_of(card, weights)
    if weights.ships:
        place = _in_package(weights)
        return Status(
            model=card.id,
            filename=weights.filename,
            path=place,
            state="present" if place.is_file() else "missing",
            present_bytes=_part.length(place),
            size=weights.size,
            sha256=weights.sha256,
            sha256_from="card",
            urls=weights.urls,
        )
    stored = _stored(card, weights)
    place, wanted = stored.place, _ledger.expected(stored)
    present, partial = place.is_file(), _part.length(_part.part_of(place))
    found = _ledger.remembered(stored) if present and wanted.sha256 is None else None
    return Status(
        model=card.id,
        filename=place.name,
        path=place,
        state="present" if present else "partial" if partial else "missing",
        present_bytes=_part.length(place) if present else partial,
        size=wanted.size,
        sha256=wanted.sha256 if found is None else found.sha256,
        sha256_from=wanted.origin if found is None else "file",
        urls=stored.download.urls,
    )


def way_out(card: ModelCard, weights: Weights | str | None = None) -> str:
    """What a person does who has to supply a weights file, as a clause: where it is from, and the command."""
    return _stored(card, weights_of(card, weights)).way_out


def fetch(card: ModelCard, weights: Weights | str | None = None, *, progress: Progress | None = None) -> Path:
    """The verified file, downloaded first if it is missing or not what the card describes.

    `weights` is one of the card's, its file name, or None for a card with a single one. `progress(done, total)` is
    called with bytes. A wrong file is replaced only by a good one, and is then set aside, not deleted. Raises
    `WeightsError`.
    """
    weights = weights_of(card, weights)
    if weights.ships:
        return _whole(card, weights)
    stored = _stored(card, weights)
    file = _fetch.fetch(stored, progress=progress)
    loading = _loading.get()
    if loading is not None:
        loading.used[stored.key] = stored
    return file


@dataclass
class Loading:
    """The weights that a model has fetched while loading, by family and file name."""

    used: dict[str, Stored] = field(default_factory=dict)

    def way_out(self) -> str:
        """What to do after a failed loading if files without a known hash may be at fault; else ""."""
        unknown = [stored for stored in self.used.values() if _ledger.expected(stored).sha256 is None]
        if not unknown:
            return ""
        names = ", ".join(stored.download.filename for stored in unknown)
        return f"; no hash is known for {names}: if it is the wrong file, {unknown[0].forget} to have it fetched again"


_loading: ContextVar[Loading | None] = ContextVar("loading", default=None)


@contextmanager
def pinning() -> Iterator[Loading]:
    """While a model is loaded: pin at the end the hash of each file that it fetches, if none is known.

    If loading fails nothing is pinned, so that the right file is accepted afterwards.
    """
    loading = Loading()
    token = _loading.set(loading)
    try:
        yield loading
        for stored in loading.used.values():
            _fetch.pin_loaded(stored)
    finally:
        _loading.reset(token)


def verify(card: ModelCard, weights: Weights | str | None = None) -> Status:
    """Hash the file in the cache, even if it was verified before. Raises `WeightsError` if it is absent or wrong."""
    weights = weights_of(card, weights)
    if weights.ships:
        _whole(card, weights)
        return status(card, weights)
    stored = _stored(card, weights)
    place = stored.place
    complaint = _fetch.complaint_in_place(stored, rehash=True)
    if complaint is not None:
        state = f"in {place} is wrong: {complaint}" if place.is_file() else f"is missing: there is no {place}"
        raise WeightsError(f"{stored.name} {state}; run `iiszoo weights get {card.id}` to fetch it")
    return status(card, weights)


def remove(card: ModelCard, weights: Weights | str | None = None) -> bool:
    """Delete a weights file from the cache, and its pinned hash; returns whether any of it existed.

    `weights` is one of the card's, its file name, or None for a card with a single one. Raises `WeightsError`.
    """
    _refuse_shipped(card, weights_of(card, weights), "removed")
    return _fetch.remove(_stored(card, weights))


def add(card: ModelCard, file: str | Path, weights: Weights | str | None = None) -> Path:
    """Copy a user's own weights file into the cache, verified. Returns its path there.

    `weights` says which one it is; None takes a card's single file, else the one with the same name as `file`. Raises
    `WeightsError`, leaving the cache unchanged, if the file is absent or not the one that the card describes.
    """
    file = Path(file)
    if weights is None and len(card.weights) > 1:
        if file.name not in {each.filename for each in card.weights}:
            names = ", ".join(each.filename for each in card.weights)
            raise WeightsError(f"which weights of {card.id} is {file}? name them with `--as NAME`, one of {names}")
        weights = file.name
    weights = weights_of(card, weights)
    _refuse_shipped(card, weights, "replaced")
    stored = _stored(card, weights)
    if stored.place.exists() and file.exists() and stored.place.samefile(file):
        verify(card, weights)
        return stored.place
    return _fetch.add(stored, file)


def _in_package(weights: Weights) -> Path:
    package, _, inside = weights.urls[0].removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package)
    places = [*(spec.submodule_search_locations or ())] if spec else []
    return Path(places[0] if places else package) / inside


def _whole(card: ModelCard, weights: Weights) -> Path:
    """The file in its package. Raises `WeightsError` where it is absent or is not what the card describes."""
    place = _in_package(weights)
    name, package = f"weights file {weights.filename} of {card.id}", weights.urls[0][8:].partition("/")[0]
    try:
        sha256, _ = files.sha256(place)
    except OSError as error:
        raise WeightsError(f"{name} cannot be read at {place}; install {package} again") from error
    if sha256 != weights.sha256:
        raise WeightsError(f"{name} at {place} has sha256 {sha256}, not {weights.sha256}; install {package} again")
    return place


def _refuse_shipped(card: ModelCard, weights: Weights, verb: str) -> None:
    if weights.ships:
        package = weights.urls[0][8:].partition("/")[0]
        raise WeightsError(
            f"weights file {weights.filename} of {card.id} is part of the package {package} and cannot be {verb}; "
            f"to use other weights, give --checkpoint FILE"
        )


def _stored(card: ModelCard, weights: Weights | str | None) -> Stored:
    weights = weights_of(card, weights)
    which = f" --as {weights.filename}" if len(card.weights) > 1 else ""
    place = path(card, weights)
    source = f"download it from {weights.page} and" if weights.page else "if you have the file,"
    return Stored(
        weights,
        shelf=cache_root() / "weights",
        folder=card.family,
        name=f"weights file {weights.filename} of {card.id}",
        way_out=f"{source} run `iiszoo weights add {card.id} FILE{which}`, which puts it at {place}",
        forget=f"run `iiszoo weights remove {card.id}{which}`",
        error=WeightsError,
    )
