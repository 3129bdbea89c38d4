"""Why a figure is missing, in the words of the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.contention import MARK
from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row


def why_missing(experiment: Experiment, metric: str) -> str:
    """Return why an experiment has no figure for a metric."""
    if experiment.rows and all(row.broken for row in experiment.rows):
        return "no configuration has valid runs"
    if not experiment.records:
        return "no run was finished"
    readings = [record.readings.get(metric) for record in experiment.cost_records]
    reasons = [reading.reason for reading in readings if reading is not None and reading.reason]
    return reasons[0].rstrip(".") if reasons else "the runs did not record it"


def busy_note(rows: Sequence[Row]) -> str:
    """Return the sentence, after a blank, that explains the mark of contended times; empty if there are none."""
    contended = [row for row in rows if row.is_contended]
    if not contended:
        return ""
    share = percent_text(max(row.contended_share or 0.0 for row in contended), 0)
    return (
        f" {MARK} trained on a busy machine, waiting for a processor in up to {share} of the time: these times do not "
        "count."
    )
