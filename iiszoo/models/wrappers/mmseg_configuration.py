"""The model of a configuration of mmsegmentation, as plain data without what a network with clicks does not need.

It is kept as the text of a Python literal, since JSON would turn tuples into lists, and parts of mmsegmentation insist
on the one or the other. It is stored with the weights, and so it is checked before anything is made from it: mmengine
would import whatever a `type` names, and a class path found in a weights file is never imported.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from iiszoo.errors import BadOption, few, one_line
from iiszoo.models import mmcv_stand_in
from iiszoo.models.wrappers.description import NetworkDescription

MODEL = "model"
"""The option of a description that has the whole model."""
SEGMENTORS = ("EncoderDecoder", "CascadeEncoderDecoder")
N_CLASSES = 2
"""Background and object. One class would leave heads without a choice that weigh classes against each other: OCRNet's
attention to the classes and Segmenter's normalisation over them would be constant."""

_SCOPES = ("mmseg", "mmcv", "mmengine")
_SUFFIXES = (".py", ".json", ".yml", ".yaml")


def need_mmseg() -> None:
    """Import mmsegmentation. Raises `BadOption` if it or a package that it needs is not installed, or does not fit."""
    try:
        mmcv_stand_in.provide_operators()
        import_module("mmseg.models")
        warnings.filterwarnings("ignore", message="When align_corners=", module="mmseg")  # for each picture
    except ModuleNotFoundError as error:
        raise BadOption(
            f"networks of mmsegmentation need the module {error.name}, which is not installed; "
            "run `pip install 'iiszoo[mmseg]'`"
        ) from error
    except Exception as error:  # mmseg asserts versions of mmcv and mmengine
        raise BadOption(
            f"mmsegmentation cannot be imported: {one_line(error)}; `pip install 'iiszoo[mmseg]'` has versions that fit"
        ) from error


def completed(description: NetworkDescription) -> NetworkDescription:
    """The description with its whole model in `options["model"]`, and the mean and std of the model's preprocessor.
    Of the place of a configuration file its name remains.

    Other entries of `options` change the model, as `--cfg-options model.KEY=VALUE` does in mmsegmentation's programs:
    `{"decode_head.channels": 64}`. A mean and std other than the default ones are kept. A complete description is
    returned unchanged.

    Raises `BadOption` naming the configuration and what is wrong with it.
    """
    need_mmseg()
    given = description.options.get(MODEL)
    changes = {key: value for key, value in description.options.items() if key != MODEL}
    if isinstance(given, str) and not changes:
        model_of(description)
        return description
    name = name_of(description)
    if isinstance(given, str):
        given = _from_text(given, name)
    model = _plain(_read(description.architecture)[MODEL] if given is None else given, name)
    if not isinstance(model, dict):
        raise BadOption(f"network.options.model must be a table, a model of mmsegmentation, not {model!r:.60}")
    if changes:
        model = _changed(model, changes, name)
    mean, std = _statistics(model.get("data_preprocessor"), description, name)
    text = repr(_for_clicks(model, name))
    file = Path(description.architecture)
    architecture = file.stem if file.suffix in _SUFFIXES else description.architecture
    return replace(description, architecture=architecture, options={MODEL: text}, mean=mean, std=std, encoder="")


def model_of(description: NetworkDescription) -> dict[str, Any]:
    """The model of a complete description, from which mmsegmentation builds. Raises `BadOption` if it must not."""
    name = name_of(description)
    return _for_clicks(_from_text(description.options[MODEL], name), name)


def name_of(description: NetworkDescription) -> str:
    """How messages call the model."""
    return f"mmsegmentation's {description.architecture}" if description.architecture else "network.options.model"


def configurations() -> dict[str, Path]:
    """The configuration files that the installed mmsegmentation comes with, by name without folder and suffix."""
    import mmseg

    folder = Path(mmseg.__file__).parent / ".mim" / "configs"
    return {file.stem: file for file in sorted(folder.glob("*/*.py")) if file.parent.name != "_base_"}


def weights_of(architecture: str, options: Mapping[str, Any]) -> str:
    """The pretrained weights that a configuration names, as a path or a URL of mmengine: its `load_from`, of the whole
    model, or those of its backbone; "" if it names none.
    """
    need_mmseg()
    given = options.get(MODEL)
    configuration = {MODEL: given} if isinstance(given, Mapping) else _read(architecture)
    model = configuration[MODEL]
    backbone = model.get("backbone") or {}
    named = [configuration.get("load_from"), model.get("pretrained"), backbone.get("pretrained")]
    named += [part["init_cfg"]["checkpoint"] for part in (model, backbone) if _is_checkpoint(part.get("init_cfg"))]
    return next((each for each in named if isinstance(each, str) and each), "")


def _read(architecture: str) -> dict[str, Any]:
    """A configuration file: a path, or the name of one that mmsegmentation comes with. Its `model` is a dict."""
    from mmengine.config import Config

    file = Path(architecture).expanduser()
    if not file.is_file():
        shipped = configurations()
        stem = file.name.removesuffix(".py")
        if architecture.endswith(_SUFFIXES) and len(file.parts) > 1 and stem not in shipped:
            raise BadOption(f"there is no configuration file {architecture}")
        if stem not in shipped:
            beginnings = {each[: len(stem)]: each for each in reversed(shipped)}
            close = difflib.get_close_matches(stem, beginnings, 1)
            hint = f"did you mean {beginnings[close[0]]}? " if close else ""
            raise BadOption(
                f"mmsegmentation has no configuration {architecture!r}; {hint}Give one of its {len(shipped)} "
                "configurations by name, or the path of a file"
            )
        file = shipped[stem]
    try:
        # mmengine would import whatever modules the file names, and those are not there when the run is loaded again
        config = Config.fromfile(str(file), import_custom_modules=False)
    except Exception as error:  # the file is code
        raise BadOption(f"configuration file {file} cannot be read: {one_line(error)}") from error
    content: dict[str, Any] = config.to_dict()
    if not isinstance(content.get(MODEL), dict):
        raise BadOption(f"configuration file {file} has no `model`; give one of a whole model, not a part of one")
    return content


def _changed(model: dict[str, Any], changes: Mapping[str, Any], name: str) -> dict[str, Any]:
    from mmengine.config import Config

    config = Config({MODEL: model})
    try:
        config.merge_from_dict({f"{MODEL}.{key}": value for key, value in changes.items()})
    except Exception as error:
        raise BadOption(f"network.options do not fit {name}: {one_line(error)}") from error
    changed: dict[str, Any] = _plain(config.to_dict()[MODEL], name)
    return changed


def _plain(value: Any, name: str) -> Any:
    """`value` with nothing in it but dicts, lists, tuples and constants; a class becomes its name."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each, name) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(each, name) for each in value)
    if isinstance(value, type):
        return value.__name__
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadOption(f"{name} has a {type(value).__name__} in its model, which cannot be stored with the weights")


def _from_text(text: str, name: str) -> dict[str, Any]:
    try:
        model = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise BadOption(f"the model of {name} cannot be read: {one_line(error)}") from error
    if not isinstance(model, dict):
        raise BadOption(f"the model of {name} must be a dict, not {type(model).__name__}")
    return model


def _for_clicks(model: dict[str, Any], name: str) -> dict[str, Any]:
    """The model with two classes and no weights, auxiliary heads and losses of its own; idempotent."""
    if not isinstance(model.get("type"), str) or model["type"].rpartition(".")[2] not in SEGMENTORS:
        raise BadOption(
            f"{name} is a {model.get('type')}; clicks can be added to {' and '.join(SEGMENTORS)} of mmsegmentation"
        )
    for part in ("backbone", "decode_head"):
        if not model.get(part) or not isinstance(model[part], dict | list):
            raise BadOption(f"{name} has no {part} in its model")
    unused = ("auxiliary_head", "data_preprocessor", "train_cfg")
    kept: dict[str, Any] = _without_weights(_in_scope({k: v for k, v in model.items() if k not in unused}))
    kept["decode_head"] = _for_two_classes(kept["decode_head"])
    known = _registered()
    unknown = sorted({each for each in _types(kept) if each not in known})
    if unknown:
        import mmseg

        raise BadOption(
            f"{name} needs {few(unknown)}, which mmsegmentation {mmseg.__version__} does not have; iiszoo builds its "
            "own parts only, none of mmdet, mmpretrain or custom modules"
        )
    return kept


def _without_weights(value: Any) -> Any:
    """Pretrained weights are read by iiszoo, never by mmengine."""
    if isinstance(value, dict):
        return {
            key: _without_weights(each)
            for key, each in value.items()
            if key not in ("pretrained", "checkpoint_path") and not _is_checkpoint(each)
        }
    if isinstance(value, list | tuple):
        return type(value)(_without_weights(each) for each in value if not _is_checkpoint(each))
    return value


def _is_checkpoint(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in ("Pretrained", "PretrainedInit")


def _for_two_classes(value: Any) -> Any:
    """Every head in `value` with `N_CLASSES` and an output for each. Its loss is a default one that is never used."""
    if isinstance(value, list | tuple):
        return type(value)(_for_two_classes(each) for each in value)
    if not isinstance(value, dict):
        return value
    head = {key: _for_two_classes(each) for key, each in value.items()}
    if "num_classes" in head:
        unused = {"threshold", "sampler"}
        if head.get("out_channels") in (1, head["num_classes"]):  # K-Net's are not those of the answer
            unused.add("out_channels")
        head = {key: each for key, each in head.items() if key not in unused}
        head |= {"num_classes": N_CLASSES}
        if "loss_decode" in head:
            head["loss_decode"] = {"type": "CrossEntropyLoss"}
    return head


def _in_scope(value: Any) -> Any:
    """`mmseg.EncoderDecoder` and `mmseg.models.EncoderDecoder` are the registered `EncoderDecoder`."""
    if isinstance(value, dict):
        return {
            key: each.rpartition(".")[2]
            if key == "type" and isinstance(each, str) and each.partition(".")[0] in _SCOPES
            else _in_scope(each)
            for key, each in value.items()
        }
    return type(value)(map(_in_scope, value)) if isinstance(value, list | tuple) else value


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "type" in value:
            yield str(value["type"])
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _types(each)


def _registered() -> set[str]:
    """What a `type` may name: mmsegmentation's models, mmcv's layers and torch's, which mmcv registers."""
    from mmengine.registry import MODELS as SHARED
    from mmengine.registry import WEIGHT_INITIALIZERS
    from mmseg.registry import MODELS

    return {*MODELS.module_dict, *SHARED.module_dict, *WEIGHT_INITIALIZERS.module_dict}


def _statistics(
    preprocessor: Any, description: NetworkDescription, name: str
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std of RGB in [0, 1]. A configuration has them for RGB in [0, 255]."""
    usual = NetworkDescription()
    found = preprocessor if isinstance(preprocessor, dict) else {}
    if found.get("bgr_to_rgb") is False:
        raise BadOption(f"{name} reads BGR (bgr_to_rgb is False); only networks of RGB are supported")
    if (description.mean, description.std) != (usual.mean, usual.std):
        return description.mean, description.std
    if found.get("mean") is None or found.get("std") is None:
        return usual.mean, usual.std
    if len(found["mean"]) != 3 or len(found["std"]) != 3:
        raise BadOption(f"{name} reads images of {len(found['mean'])} channels; only networks of RGB are supported")
    return tuple(m / 255 for m in found["mean"]), tuple(s / 255 for s in found["std"])  # type: ignore[return-value]
