"""Traces of power and memory over time, as records store them."""

from __future__ import annotations

from typing import TypedDict


# Dictionaries, since a trace is only stored and drawn: as dataclasses, its thousands of numbers would be converted each
# time that a record is read or written.
class SeriesJson(TypedDict):
    """One quantity of one device over time, as a record stores it; see ``meters.trace.Series``."""

    metric: str
    device: str
    times_s: list[float]
    values: list[float | None]
    num_samples: int


class TraceJson(TypedDict):
    """The series of one measurement window, and the rule by which they were downsampled."""

    rule: str
    series: list[SeriesJson]


class RunTrace(TypedDict, total=False):
    """Power and memory over time: one entry per measurement window, which is an epoch's training."""

    stretches: list[TraceJson]
