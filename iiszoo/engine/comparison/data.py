"""Which runs have the same data: those of the same fingerprints, whatever the dataset is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iiszoo import units
from iiszoo.file_names import unescaped

Data = tuple[str, str]
"""The fingerprints of a dataset and of the masks that sessions start from; of the latter "" if there are none."""
_DIGITS = 6
"""Hex digits of a fingerprint that tell datasets of the same name apart."""


def data_of(summary: dict[str, Any]) -> Data:
    """What identifies the data of a run; the dataset's name, where no fingerprint is known."""
    known = summary.get("provenance", {})
    fingerprint = known.get("dataset", {}).get("fingerprint", summary["dataset"])
    return fingerprint, known.get("initial", {}).get("fingerprint", "")


def names(summaries: Sequence[dict[str, Any]]) -> dict[Data, str]:
    """A name for the data of every run: that of the dataset, with digits of the fingerprint if other data have the same
    name, as two directories `my` do that are both called `folder:my`.
    """
    first: dict[Data, str] = {}
    for summary in summaries:
        first.setdefault(data_of(summary), summary["dataset"])
    return {data: f"{name}{_mark(data, _rivals(data, name, first))}" for data, name in first.items()}


def _rivals(data: Data, name: str, first: dict[Data, str]) -> list[Data]:
    return [other for other, also in first.items() if other != data and also == name]


def _mark(data: Data, rivals: Sequence[Data]) -> str:
    if not rivals:
        return ""
    same_images = any(other[0] == data[0] for other in rivals)
    return f" #{data[1][:_DIGITS] if same_images and data[1] else data[0][:_DIGITS]}"


def notes(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every name that was given apart: where those data were."""
    places: dict[str, str] = {}
    shown = names(summaries)
    for summary in summaries:
        name = shown[data_of(summary)]
        if name != summary["dataset"] and "#" in name:
            place = summary.get("provenance", {}).get("dataset_place")
            where = f" in {unescaped(place)}" if place else ""
            places.setdefault(name, f"{name}: {units.number_of(summary['n_samples'], 'sample')}{where}")
    return [f"different data of the same name: {'; '.join(places.values())}"] if places else []
