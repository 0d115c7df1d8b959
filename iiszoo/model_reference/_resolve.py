"""From what a user names to a reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.errors import BadOption
from iiszoo.model_reference._card import CardReference
from iiszoo.model_reference._function import FunctionReference
from iiszoo.model_reference._loaded import LoadedReference, loaded
from iiszoo.model_reference._loading import finished
from iiszoo.model_reference._reference import ModelReference, ModelSpec
from iiszoo.model_reference._trained import of_trained
from iiszoo.models.merge_rule import MERGE, check_merge_rule
from iiszoo.names import parse_name
from iiszoo.object_path import function_name, is_function
from iiszoo.registry import resolve_model
from iiszoo.trained_file import named_file

if TYPE_CHECKING:
    from iiszoo.remote import Interpreter


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
        return of_trained(str(model), file, path, options)
    card, name = resolve_model(str(model))
    if path is not None and not path.is_file():
        cause = "is a directory, not a file" if path.is_dir() else "does not exist"
        raise BadOption(f"checkpoint {path} {cause}; give a file that torch.save wrote")
    return CardReference(card, dict(name.with_options(options).options), path)


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
    return loaded(finished(function, merge))
