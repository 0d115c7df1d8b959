"""The checks, one file per subject; `iiszoo.testing.conformance` runs them.

Not `checks`: once imported, a package of that name would replace the function `iiszoo.testing.checks`.
"""

from __future__ import annotations

from importlib import import_module

_SUBJECTS = (
    "cards", "outputs", "unusual_clicks", "sessions", "state", "conventions", "devices", "precisions", "processes",
    "dataset_cards", "dataset_samples", "dataset_processes",
    "robot_clicks", "robot_randomness",
)  # fmt: skip
for _subject in _SUBJECTS:
    import_module(f"{__name__}.{_subject}")  # registers its checks, which run in this order
