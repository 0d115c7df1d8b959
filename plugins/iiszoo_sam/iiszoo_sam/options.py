"""The values that a SAM model's options may have; told before anything is fetched."""

from __future__ import annotations

from iiszoo.errors import BadOption

RULES = ("default", "segnext", "single")
PRECISIONS = ("fp32", "bf16", "fp16")


def check_rule(rule: str) -> None:
    """Raise `BadOption` for a rule of candidates that is not known."""
    if rule not in RULES:
        raise BadOption(f"SAM's rule of candidates {rule!r} is not known; rules: {', '.join(RULES)}")


def check_precision(precision: str) -> None:
    """Raise `BadOption` for a precision that is not known."""
    if precision not in PRECISIONS:
        raise BadOption(f"SAM's precision {precision!r} is not known; precisions: {', '.join(PRECISIONS)}")
