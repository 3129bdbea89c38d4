"""Speed-ups in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments import judged
from freezebench.report.rows import Row, row
from freezebench.report.speed_text import speed_text

_ROW: Row = row(judged("emb", 0.9))


@pytest.mark.parametrize(
    ("ratio", "lower", "upper", "text"),
    [
        (1.7, 1.62, 1.79, "trains 1.70× as fast (1.62 to 1.79)"),
        (0.8, 0.7, 0.9, "trains 0.80× as fast (0.70 to 0.90)"),
        (1.19, 0.9, 1.5, "no proven saving of time (1.19×, 0.90 to 1.50)"),
        (1.7, None, None, "trains 1.70× as fast in one pair of runs, which proves no saving of time"),
        (None, None, None, "its saving of time is not known (3 of 3 seeds …)"),
    ],
)
def test_words_claim_what_the_interval_shows(
    ratio: float | None, lower: float | None, upper: float | None, text: str
) -> None:
    """A gain or loss has its interval; without one, or with 1 in it, nothing is claimed."""
    reason = "3 of 3 seeds …" if ratio is None else None
    shown = replace(_ROW, speedup=ratio, speedup_lower=lower, speedup_upper=upper, speedup_reason=reason)
    assert speed_text(shown) == text
