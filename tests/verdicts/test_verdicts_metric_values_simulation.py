"""Simulated error rates of verdicts on metrics, with the script that makes the published table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.scoring.metrics import METRICS

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script() -> Any:
    """Import the script, which imports others of its folder."""
    sys.path.insert(0, str(FOLDER))
    try:
        import metric_error_rates
    finally:
        sys.path.remove(str(FOLDER))
    return metric_error_rates


def test_populations_have_the_stated_values(script: Any) -> None:
    """Metrics of many simulated examples are near the true ones, and so are their drops."""
    for name, kind, population in script.CELLS[1::2]:
        equal = script.replace(population, seed_sd=0.0)
        worse = script.replace(equal, worse=equal.at_drop(script.MARGIN))
        assert worse.drop == pytest.approx(script.MARGIN)
        arms = worse.draw(np.random.default_rng(0), 1, 6000)
        values = [METRICS[name].value(examples) for (examples,) in arms]
        assert values[0] == pytest.approx(worse._mean(0.0), abs=0.03), kind
        assert values[0] - values[1] == pytest.approx(worse.drop, abs=0.02), kind


def test_false_passes_at_the_margin_reduced(script: Any) -> None:
    """With three seeds, a correlation that drops by the margin passes about as often as it may."""
    found = script.rates(METRICS["pearson"], script.Numbers(), 300, 120)
    assert found.passed < 12
    assert found.failed < 12
    assert found.passed + found.failed > 2


def test_few_examples_neither_pass_nor_fail(script: Any) -> None:
    """At a share of 3 %, 300 examples hardly ever have enough of the rarer class."""
    found = script.rates(METRICS["macro-f1"], script.CELLS[0][2], 300, 20)
    assert found.too_few > 80
    assert found.passed + found.failed <= 20


@pytest.mark.slow
@pytest.mark.parametrize(("name", "share"), [("macro-f1", 0.15), ("mcc", 0.15), ("auroc", 0.5)], ids=str)
def test_false_passes_at_the_margin(script: Any, name: str, share: float) -> None:
    """At most 7 % pass, and as many fail, but for 2.5 points of simulation error."""
    cells = {cell_name: population for cell_name, _, population in script.CELLS}
    found = script.rates(METRICS[name], script.replace(cells[name], share=share), 300, 400)
    assert found.too_few < 30
    assert found.missed_below < 9.5
    assert found.missed_above < 9.5
