"""Numbers as people read them: `4.2 M`, `8.5 MB`, `1.4 s`. What is unknown is an empty text."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: float | None) -> str:
    """A large number, to two or three digits: `4.2 M`."""
    return _scaled(number, ("", " k", " M", " G", " T"))


def size(n_bytes: float | None) -> str:
    """Bytes, in powers of 1000: `8.5 MB`."""
    return _scaled(n_bytes, (" bytes", " kB", " MB", " GB", " TB"))


def time(seconds: float | None) -> str:
    """`82 ms`, `1.4 s`, `12 s`; from two minutes on `3 min 20 s`, `1 h 5 min`."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{_digits(1e3 * seconds)} ms"
    if seconds < 120:
        return f"{_digits(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number_of(n: int, thing: str) -> str:
    """`1 sample`, `2 samples`."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _scaled(value: float | None, units: Sequence[str]) -> str:
    if value is None:
        return ""
    for unit in units[:-1]:
        if value < 999.5:
            return f"{_digits(value)}{unit}"
        value /= 1000
    return f"{_digits(value)}{units[-1]}"


def _digits(value: float) -> str:
    """Two digits below 100, none behind the point above."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")
