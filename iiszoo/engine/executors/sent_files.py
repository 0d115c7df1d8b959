"""Files that a job reads and another machine may lack: weights, checkpoints, segmenters.

The machine that starts a run has them, and states their hashes. A worker elsewhere uses what is there with the same
hash, in its own cache or on a shared disk; the others are sent to it, verified, and put into its cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from iiszoo import assets, files
from iiszoo.engine.executors.job import Job
from iiszoo.errors import BadOption, WeightsError
from iiszoo.model_reference import CardReference, TrainedReference


@dataclass(frozen=True)
class SentFile:
    """A file at `path` on the machine that starts the run, known by its content; `weights`: it is its card's."""

    path: Path
    sha256: str
    weights: bool = False


def files_of(job: Job) -> list[SentFile]:
    """The files that the job reads, beside those of its dataset. Raises `BadOption` if one cannot be read."""
    model = job.model
    found = [_by_content(path) for path in job.files()]
    if isinstance(model, TrainedReference):
        found.append(_by_content(model.file))
    elif isinstance(model, CardReference) and model.checkpoint is not None:
        found.append(_by_content(model.checkpoint))
    elif isinstance(model, CardReference):
        there = [assets.status(model.card, weights) for weights in model.card.weights if not weights.ships]
        found += [SentFile(each.path, each.sha256, True) for each in there if each.sha256 is not None]
    return found


def _by_content(path: Path) -> SentFile:
    try:
        return SentFile(path, files.sha256(path)[0])
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}") from error


def place_of(job: Job, file: SentFile) -> Path | None:
    """Where this machine has the file; None: nowhere. A file that is the card's is verified when it is loaded."""
    if file.weights:
        status = assets.status(_card(job), file.path.name)
        return status.path if status.state == "present" else None
    for path in (file.path, _cached(file)):
        with suppress(OSError):
            if files.sha256(path)[0] == file.sha256:
                return path
    return None


def keep(job: Job, file: SentFile, content: Any) -> None:
    """Put the bytes of a sent file where `place_of` finds them. Raises `WeightsError` if they are not its bytes, or
    cannot be written.
    """
    try:
        with TemporaryDirectory(prefix="iiszoo-") as directory:
            fresh = Path(directory) / file.path.name
            fresh.write_bytes(content)
            if files.sha256(fresh)[0] != file.sha256:
                raise WeightsError(f"{file.path.name} arrived with another content than it was sent with; run it again")
            if file.weights:
                assets.add(_card(job), fresh, file.path.name)
            else:
                place = _cached(file)
                place.parent.mkdir(parents=True, exist_ok=True)
                files.replace_bytes(place, fresh.read_bytes())
    except OSError as error:
        raise WeightsError(
            f"{file.path.name} was sent but cannot be written: {error}; make room, or set IISZOO_CACHE"
        ) from error


def with_files(job: Job, places: Iterable[tuple[SentFile, Path]]) -> Job:
    """The job that reads its files where this machine has them."""
    moved = {file.path: place for file, place in places if not file.weights}
    model = job.model
    if isinstance(model, TrainedReference):
        model = replace(model, file=moved[model.file])
    elif isinstance(model, CardReference) and model.checkpoint is not None:
        model = replace(model, checkpoint=moved[model.checkpoint])
    return replace(job.with_files(moved), model=model)


def _card(job: Job) -> Any:
    assert isinstance(job.model, CardReference)
    return job.model.card


def _cached(file: SentFile) -> Path:
    return assets.cache_root() / "sent" / file.sha256 / file.path.name
