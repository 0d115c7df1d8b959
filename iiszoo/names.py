"""The grammar of names, one for models, datasets and robots: `id[:ARGUMENT][?option=value&option=value]`.

    sam/vit-b?rule=segnext          folder:photos?initial=perturb:seed=0,iou=0.75-0.85          noisy-ritm:sigma=0.3

In an argument or a value (such as a directory's name) `%3F` stands for `?`, `%26` for `&`, and `%E9` for a byte that is
not UTF-8 (`iiszoo.file_names`). A value that reads as a number, `true` or `false` becomes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iiszoo.errors import BadOption
from iiszoo.file_names import escaped, printable, unescaped


@dataclass(frozen=True)
class Name:
    """A parsed name; `str(name)` is its canonical spelling, options in alphabetical order."""

    id: str
    argument: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        whole = f"{self.id}:{escaped(self.argument, '?')}" if self.argument else self.id
        options = [f"{key}={escaped(text_of_value(value), '&')}" for key, value in sorted(self.options.items())]
        return f"{whole}?{'&'.join(options)}" if options else whole

    def with_options(self, options: Mapping[str, Any]) -> Name:
        """The name with `options` added; they override its own."""
        return replace(self, options={**self.options, **options})

    def without(self, option: str) -> Name:
        """The name without one of its options."""
        return replace(self, options={key: value for key, value in self.options.items() if key != option})


def parse_name(text: str) -> Name:
    """The parts of a name. Raises `BadOption` if its options are not `option=value`, each given once."""
    head, mark, query = printable(text).partition("?")
    id, _, argument = head.partition(":")
    options: dict[str, Any] = {}
    for part in query.split("&") if mark else []:
        key, equals, value = part.partition("=")
        if not key.isidentifier() or not equals or not value or key in options:
            hint = " (a ? in the name of a directory is written %3F)" if argument else ""
            raise BadOption(
                f"{text!r}: {part!r} is not a valid option; write {head}?OPTION=VALUE&OPTION=VALUE, each once{hint}"
            )
        options[key] = _value(unescaped(value))
    return Name(id, unescaped(argument), options)


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def text_of_value(value: Any) -> str:
    """How a name writes an option's value."""
    return json.dumps(value) if isinstance(value, bool) else str(value)
