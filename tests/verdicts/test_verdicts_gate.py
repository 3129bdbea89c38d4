"""The standing of the joint gate."""

from __future__ import annotations

from freezebench.verdicts.gate import worst


def test_the_worst_standing_counts() -> None:
    """Broken is worse than worse, worse than undecided, undecided than ok; without an assertion it is none."""
    assert worst([]) == "no_limit"
    assert worst(["ok", "undecided"]) == "undecided"
    assert worst(["worse", "undecided"]) == "worse"
    assert worst(["worse", "broken", "ok"]) == "broken"
