"""The speed-up of a configuration in words, which claim no more than its interval shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.units import percent_text, saving_text
from freezebench.verdicts.speedup import OTHER_SESSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult

# Ratios are written in whole numbers from here on, and in tenths from there on.
_WHOLE_FROM = 20
_TENTHS_FROM = 1.15


def speed_text(row: Row, result: ConfigurationResult) -> str:
    """Return how much faster a configuration trains, with its interval, or that this is not known, and why."""
    if row.speedup is None:
        return _why_unknown(row, result)
    if row.speedup_lower is None or row.speedup_upper is None:
        return "its speed-up is not known: one pair of runs has no spread"
    if row.speedup_outcome == "loss":
        return f"training is {_times(1 / row.speedup, 1 / row.speedup_upper, 1 / row.speedup_lower, 'slower')}"
    if row.speedup_outcome == "gain":
        return f"training is {_times(row.speedup, row.speedup_lower, row.speedup_upper, 'faster')}"
    return f"training is not shown to be faster ({row.speedup_lower:.2f}–{row.speedup_upper:.2f}×)"


def _why_unknown(row: Row, result: ConfigurationResult) -> str:
    """Return that there is no speed-up, and why."""
    if row.speedup_reason == OTHER_SESSION:
        return "its speed-up is not known: the unfrozen runs are of another session"
    share = contended_share(result)
    if share is not None:
        return f"its speed-up is not known: the machine was busy ({percent_text(share, 0)} of the time)"
    return "its speed-up was not measured"


def _times(ratio: float, lower: float, upper: float, word: str) -> str:
    """Return a ratio above 1 with its interval: ``1.7× faster (1.6–1.8)``."""
    # A bound just above 1 must not be rounded to it.
    digits = 0 if lower >= _WHOLE_FROM else 1 if lower >= _TENTHS_FROM else 2
    figure, low, high = (f"{value:.{digits}f}" for value in (ratio, lower, upper))
    return f"{figure}× {word}" + (f" ({low}–{high})" if low != high else "")


def saving_sentence(row: Row) -> str | None:
    """Return how much less memory and energy a configuration takes, or more; ``None`` where that is not known.

    A saving that rounds to nothing is left out.
    """
    savings = {"peak memory": row.memory_saving or 0.0, "energy": row.energy_saving or 0.0}
    parts = [f"{saving_text(saving)} {name}" for name, saving in savings.items() if round(100 * saving)]
    return f"It takes {' and '.join(parts)}." if parts else None


def other_session_sentence(rows: Sequence[Row]) -> str | None:
    """Return which configurations have no speed-up, since they trained in another session; ``None`` if none has."""
    names = [row.freeze for row in rows if row.speedup_reason == OTHER_SESSION]
    return f"No speed-up of {', '.join(names)}: {OTHER_SESSION}." if names else None


def contended_share(result: ConfigurationResult) -> float | None:
    """Return the largest share of the contended runs of a configuration and its baseline; ``None`` if none is."""
    runs = (*result.records, *result.baseline)
    return max((record.contended_share or 0.0 for record in runs if record.is_contended), default=None)
