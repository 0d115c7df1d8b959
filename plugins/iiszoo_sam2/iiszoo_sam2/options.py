"""The valid values of the models' options, checked before anything is fetched."""

from __future__ import annotations

from iiszoo.errors import BadOption

RULES = ("default", "segnext", "single")


def check_rule(rule: str) -> None:
    """Raise `BadOption` for an unknown candidate rule."""
    if rule not in RULES:
        raise BadOption(f"option rule={rule} is unknown; rules: {', '.join(RULES)}")
