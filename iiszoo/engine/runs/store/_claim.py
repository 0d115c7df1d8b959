"""Who may write to a directory: the run that is there, or another one as long as nothing was computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.engine.runs.store._directory import has_content, make, samples_files, unlink
from iiszoo.engine.runs.store._identity import IDENTITY, differences, nameless_rules, run_hash, without_identity
from iiszoo.engine.runs.store._json_file import read_json, write_json
from iiszoo.engine.runs.store._locks import alone, lock_samples
from iiszoo.engine.runs.store._summary import SUMMARY
from iiszoo.engine.runs.store._writer import Writer
from iiszoo.errors import RunError


def check_identity(directory: Path, identity: dict[str, Any]) -> bool:
    """Whether the directory already contains exactly this run. Raises `RunError`, saying what differs, for another.

    An early check, so that nothing is computed in vain; `begin` checks again under the lock.
    """
    there = read_json(directory / IDENTITY)
    if there is None:
        if not any(map(has_content, samples_files(directory))):
            return False
        there = read_json(directory / IDENTITY)  # another process may have begun the run since
        if there is None:
            raise without_identity(directory)
    different = differences(identity, there)
    if different and not any(map(has_content, samples_files(directory))):
        return False  # nothing was computed yet: a model that failed at its first click, and was fixed since
    if different:
        raise _another(directory, different)
    return True


def _another(directory: Path, different: list[str]) -> RunError:
    return RunError(
        f"{directory} contains another run ({'; '.join(different)}); give another --out, or --overwrite to discard it"
    )


def begin(
    directory: Path, identity: dict[str, Any], shard: tuple[int, int] = (1, 1), *, overwrite: bool = False
) -> Writer:
    """Write the identity of the run in `directory` and open this shard's file, in one step for all other processes.

    `overwrite` discards an earlier run. Raises `RunError` if another run was or is being computed there, if this part
    of the run is being computed, or if the directory cannot be written.
    """
    make(directory)
    with alone(directory):
        if overwrite:
            _discard(directory)
        _claim(directory, identity)
        return Writer(directory, shard)


def _claim(directory: Path, identity: dict[str, Any]) -> None:
    """Write the identity, unless it is there already. The caller holds `alone`."""
    there = read_json(directory / IDENTITY)
    different = [] if there is None else differences(nameless_rules(identity), there)
    if there is not None and not different and run_hash(there) == run_hash(identity):
        if there != identity:
            write_json(directory / IDENTITY, identity)  # the protocol has another name
        return
    paths = samples_files(directory)
    if any(map(has_content, paths)):
        raise (
            without_identity(directory)
            if there is None
            else _another(directory, different or ["its identity says more"])
        )
    for path in paths:
        lock_samples(path, different).release()
    for path in [*paths, directory / SUMMARY]:
        unlink(path)
    write_json(directory / IDENTITY, identity)


def _discard(directory: Path) -> None:
    """Delete a run's own files and nothing else. Raises `RunError` if it is being written.

    The caller holds `alone`. The identity is deleted last, so that whatever a kill leaves can be identified.
    """
    paths = samples_files(directory)
    for path in paths:
        lock_samples(path).release()
    for path in [directory / SUMMARY, *paths, directory / IDENTITY]:
        unlink(path)
