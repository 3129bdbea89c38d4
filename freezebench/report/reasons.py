"""Why a figure is missing, in the words of the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord


def why_not_measured(records: Sequence[RunRecord], metric: str) -> str:
    """Return why the runs have no figure for a metric."""
    if not records:
        return "no run was finished"
    readings = [record.readings.get(metric) for record in records]
    reasons = [reading.reason for reading in readings if reading is not None and reading.reason]
    return reasons[0].rstrip(".") if reasons else "the runs did not record it"
