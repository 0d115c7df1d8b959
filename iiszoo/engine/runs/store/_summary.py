"""What was derived from all lines of a run: `summary.json`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.json_values import list_of, table, table_of, text, tuple_of, whole
from iiszoo.engine.runs.store._json_file import read_json
from iiszoo.errors import RunError

_log = logging.getLogger("iiszoo.engine")

SUMMARY = "summary.json"

_CHECKED_SUMMARY = json_values.record(
    {},
    {
        "n_done": whole(0, 2**31),
        "skipped": table_of(text),
        "times": json_values.record({}, {"invocations": list_of(tuple_of(text, text))}),
        "provenance": json_values.record(
            {},
            {
                "dataset_place": text,
                "dataset_stamp": text,
                "environment": json_values.record(
                    {},
                    {
                        "argv": list_of(text),
                        "device": text,
                        "libraries": table_of(text),
                        "machine": table,
                        "plugins": table_of(text),
                    },
                ),
            },
        ),
    },
)


def read_summary(directory: Path) -> dict[str, Any]:
    """The content of `summary.json`; {} if it is absent or, with a warning, damaged: it is derived and rewritten."""
    try:
        found = read_json(directory / SUMMARY) or {}
        return dict(_CHECKED_SUMMARY(found, ""))
    except ValueError as error:
        fault = f"{directory / SUMMARY} is damaged ({error})"
    except RunError as error:
        fault = str(error).partition(";")[0]
    _log.warning("%s: everything in it but the results is left out", fault)
    return {}
