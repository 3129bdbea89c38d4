"""Simulated error rates of a recommendation, with the script that makes the published table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from freezebench.specs.interim_looks import InterimLooks

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import recommendation_error_rates

    return recommendation_error_rates


def test_the_correction_keeps_wrong_recommendations_rare(script: Any) -> None:
    """Five sequences at the margin: about 5 %, and several times as much without the correction."""
    drops = script.SHAPES["all at the margin"](4)
    corrected, uncorrected = script.wrong(drops, InterimLooks(counts=(5,)), 300, 200, 0)
    assert corrected <= 5 + 4.5  # three standard errors of 200 replications
    assert uncorrected > corrected + 5


def test_clearly_unsafe_configurations_are_never_shown(script: Any) -> None:
    """Of sequences of safe configurations and one that loses ten points, nothing wrong is shown."""
    corrected, uncorrected = script.wrong([[0.0, 10.0], [10.0], [0.0]], InterimLooks(counts=(5,)), 1000, 20, 0)
    assert (corrected, uncorrected) == (0.0, 0.0)
