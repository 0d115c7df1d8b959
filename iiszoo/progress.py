"""How long work reports its progress: functions that the command line draws as bars."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called as `progress(done, total)`; `total` is None if it is unknown. In bytes or in samples."""
NamedProgress = Callable[[str, int, int | None], None]
"""Called as `progress(name, done, total)` for work of several parts, such as files."""
