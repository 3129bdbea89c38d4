"""Simulated error rates of the search, with the script that makes the published table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezebench.specs.interim_looks import InterimLooks

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import search_error_rates

    return search_error_rates


def test_simulated_ladders_have_the_stated_drops(script: Any) -> None:
    """Each arm loses what its depth is stated to lose, and every shape fits any number of prefixes."""
    drops = script.MONOTONE["0 to 4, evenly"](5)
    assert drops.tolist() == [0, 1, 2, 3, 4]
    differences = script.draw(np.random.default_rng(0), drops, 3, 20_000, 1)
    assert 100 * differences.mean(axis=(0, 2, 3)) == pytest.approx(drops, abs=0.5)
    for shape in (*script.MONOTONE.values(), *script.OTHERS.values()):
        assert [len(shape(num)) for num in (1, 7, 25)] == [1, 7, 25]


def test_search_over_a_clear_ladder_agrees_with_all(script: Any) -> None:
    """With many sentences, both find the depth after which six points are lost."""
    drops = script.MONOTONE["0.2, a third at 6"](7)
    rates = script.rates(drops, InterimLooks(counts=(8,)), 4000, 20, np.random.default_rng(0))
    assert not rates.is_wrong.any()
    assert (rates.difference == 0).mean() > 0.7
    assert (rates.num_runs == 32).all()
    assert (rates.share == 32 / 64).all()


@pytest.mark.slow
@pytest.mark.parametrize("num_layers", [6, 12, 24])
@pytest.mark.parametrize("looks", [(5,), (3, 5, 8)])
def test_wrong_answers_are_rare(script: Any, num_layers: int, looks: tuple[int, ...]) -> None:
    """At most 5 % on every ladder (and 3 of simulation error); 24 layers need at most a third of the runs of all."""
    for number, shape in enumerate((*script.MONOTONE.values(), *script.OTHERS.values())):
        drops, rng = shape(num_layers + 1), np.random.default_rng([num_layers, number])
        rates = script.rates(drops, InterimLooks(counts=looks), 872, 200, rng)
        assert 100 * rates.is_wrong.mean() <= 5 + 3
        assert num_layers < 24 or rates.share.max() <= 1 / 3


@pytest.mark.slow
def test_the_script_runs() -> None:
    """It prints a line per ladder, and one per kind of ladder."""
    arguments = ["--replications", "2", "--layers", "6", "--sentences", "100", "--num-seeds", "3", "2,3"]
    output = subprocess.run(
        [sys.executable, str(BENCHMARKS / "search_error_rates.py"), *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.count("all at the margin") == output.count("not growing with depth") == 2
