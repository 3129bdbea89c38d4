"""Traces of power and memory over time, as records store them."""

from __future__ import annotations

from typing import TypedDict


# Dictionaries, since a trace is only stored and drawn: as dataclasses, its thousands of numbers would be converted each
# time that a record is read or written.
class SeriesJson(TypedDict):
    """One quantity of one device over time, as a record stores it.

    Attributes:
        metric: What was sampled, such as ``power_w`` or ``rss_bytes``.
        device: UUID of the GPU, or ``cpu``.
        times_s: Time of every sample in seconds since the window began.
        values: The samples; ``None`` where one is missing.
        num_samples: Number of samples before they were downsampled.
    """

    metric: str
    device: str
    times_s: list[float]
    values: list[float | None]
    num_samples: int


class TraceJson(TypedDict):
    """The series of one measurement window.

    Attributes:
        rule: How they were downsampled.
        series: The series.
    """

    rule: str
    series: list[SeriesJson]


class RunTrace(TypedDict, total=False):
    """Power and memory over time.

    Attributes:
        stretches: The measurement windows: one for every epoch's training.
    """

    stretches: list[TraceJson]
