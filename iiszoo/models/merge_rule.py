"""The option `progressive_merge`, which every model has: the rule by which its outputs are merged (`merge.py`)."""

from __future__ import annotations

from typing import Any

from iiszoo.errors import BadOption

MERGE = "progressive_merge"
"""The option's name."""
RULES = ("published", "fixed")


def check_merge_rule(rule: Any) -> None:
    """Raise `BadOption` unless `rule` is one of `RULES`."""
    if rule not in RULES:
        raise BadOption(
            f"option {MERGE} must be {' or '.join(map(repr, RULES))}, not {rule!r}; leave it out for no merge"
        )
