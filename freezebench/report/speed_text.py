"""The speed-up of a configuration in words, which claim no more than its interval shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import ratio_text

if TYPE_CHECKING:
    from freezebench.report.rows import Row


def speed_text(row: Row) -> str:
    """Return how fast a configuration trains against no freezing, as the rest of a sentence about it.

    Only an interval that excludes 1 is called a gain or a loss.
    """
    if row.speedup is None:
        return f"its saving of time is not known ({row.speedup_reason or 'time was not measured'})"
    figure = f"trains {ratio_text(row.speedup)} as fast"
    if row.speedup_lower is None or row.speedup_upper is None:
        return f"{figure} in one pair of runs, which proves no saving of time"
    interval = f"{row.speedup_lower:.2f} to {row.speedup_upper:.2f}"
    if row.speedup_outcome == "unclear":
        return f"no proven saving of time ({ratio_text(row.speedup)}, {interval})"
    return f"{figure} ({interval})"
