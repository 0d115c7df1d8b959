"""The valid values of a SAM model's options, checked before anything is fetched."""

from __future__ import annotations

from iiszoo.errors import BadOption

RULES = ("default", "segnext", "single")
PRECISIONS = ("fp32", "bf16", "fp16")


def check_rule(rule: str) -> None:
    """Raise `BadOption` for an unknown candidate rule."""
    if rule not in RULES:
        raise BadOption(f"option rule={rule} is unknown; rules: {', '.join(RULES)}")


def check_precision(precision: str) -> None:
    """Raise `BadOption` for an unknown precision."""
    if precision not in PRECISIONS:
        raise BadOption(f"option precision={precision} is unknown; precisions: {', '.join(PRECISIONS)}")
