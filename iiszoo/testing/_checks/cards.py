"""Checks of the card and of its plugin; none of them runs the model, reads the dataset or calls the robot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from iiszoo import plugins
from iiszoo.cards import as_json
from iiszoo.errors import WeightsError, with_place
from iiszoo.loader_options import options_of
from iiszoo.object_path import load_object
from iiszoo.testing._checks.assertions import card_of, environment, states
from iiszoo.testing.check import Broken, Checked, NotApplicable, check
from iiszoo.testing.subject import Subject

HEAVY = (
    "cv2", "jax", "mmcv", "numba", "numpy", "onnxruntime", "scipy", "skimage", "tensorflow", "timm", "torch",
    "torchvision", "transformers",
)  # fmt: skip

_IMPORT = """
import importlib, json, sys
import iiszoo
heavy, before = set(json.loads(sys.argv[2])), set(sys.modules)
importlib.import_module(sys.argv[1])
sys.stderr.write("\\n" + json.dumps(sorted(heavy & (sys.modules.keys() - before))))
"""


@check(
    "a card states summary, licence and paper, and the licence of its weights if it has any",
    catches="results that cannot be cited, and weights whose terms of use are unknown",
    look="the card",
    after=(),
)
def card_complete(subject: Subject) -> None:
    card = card_of(subject)
    states(card, "summary", "licence", "paper", *(("weights_licence",) if card.weights else ()))


@check(
    "a card contains only plain values, which survive JSON",
    catches="numpy numbers, paths and sets on a card: `iiszoo list --json` and the results' files fail on them",
    look="the types of the card's fields",
    after=(),
    of=("model", "dataset", "robot"),
)
def card_json(subject: Checked) -> None:
    plain = as_json(card_of(subject))
    for name, value in plain.items():
        try:
            kept = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise Broken(f"{name} cannot be written ({error})") from error
        if kept != _lists(value):
            raise Broken(f"{name} comes back as {kept!r}")


@check(
    "a card's options are those of its loader, with the same defaults",
    catches="`iiszoo show` naming options that the model does not have, or hiding those that it has",
    look="the card's options, and the keywords of the loader",
    after=(),
)
def card_options(subject: Subject) -> None:
    card = card_of(subject)
    own = {option.name: option.default for option in card.options}
    loader = options_of(load_object(card.loader))
    for name in [*own, *loader]:
        if name not in loader:
            raise Broken(f"the loader has no option {name!r}")
        if name not in own:
            raise Broken(f"the card does not state the loader's option {name!r}")
        if own[name] != loader[name]:
            raise Broken(f"the card states {name}={own[name]!r}, and the loader's default is {loader[name]!r}")


@check(
    "the plugin's module, imported by every `iiszoo` command, contains only cards: it imports neither torch nor numpy",
    catches="a network imported at the top of a plugin: `iiszoo list` then takes seconds, or fails as torch does",
    look="the imports of the plugin's __init__.py and of its cards",
    after=(),
    of=("model", "dataset", "robot"),
)
def plugin_imports_lightly(subject: Checked) -> None:
    card = card_of(subject)
    owner = next((plugin for plugin in plugins.installed() if plugin.error is None and card in plugin.cards), None)
    if owner is None:
        raise NotApplicable("no installed plugin registers this card")
    module = owner.module.partition(":")[0]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, module, json.dumps(HEAVY)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=subject.timeout,
    )
    last = (done.stderr.strip() or "nothing").splitlines()[-1]
    if done.returncode:
        raise Broken(f"importing {module} in a new process failed ({last})")
    if json.loads(last):
        raise Broken(f"importing {module} imports {', '.join(json.loads(last))}")


@check(
    "offline, absent weights raise WeightsError, which names the model and `iiszoo weights add`",
    catches="a loader that downloads by itself, continues with random weights, or raises FileNotFoundError",
    look="the loader: `checkpoint or iiszoo.assets.fetch(card)` is enough",
    after=(),
)
def weights_missing_offline(subject: Subject) -> None:
    card = card_of(subject)
    if not card.weights:
        raise NotApplicable("the card names no weights")
    if all(file.ships for file in card.weights):
        raise NotApplicable("its weights are part of its package, so they are there offline")
    if any(url.startswith("file:") for file in card.weights for url in file.urls):
        raise NotApplicable("its weights are read from a file: address, so they are there offline")
    with tempfile.TemporaryDirectory() as empty, environment(IISZOO_CACHE=empty, IISZOO_OFFLINE="1"):
        try:
            load_object(card.loader)(card, device="cpu", checkpoint=None)
        except WeightsError as error:
            if card.id not in str(error) or "iiszoo weights add" not in str(error):
                raise Broken(f"the error says something else ({error})") from error
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise Broken(f"it raised {with_place(error)}") from error
    raise Broken("the model was loaded without them")


def _lists(value: object) -> object:
    """A value as JSON has it: lists for tuples."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple | list) else value
