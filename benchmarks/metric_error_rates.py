"""Simulates how often verdicts on metrics that are no mean over examples are wrong, and measures how long they take.

Reproduces the table of the page on metrics. Run it with::

    python benchmarks/metric_error_rates.py --replications 2000
    python benchmarks/metric_error_rates.py --time

Both arms share seeds and examples, and the candidate has a true drop of exactly the margin: ``passed`` is how often it
would pass, and ``failed`` how often it would fail, each nominally 5 %. ``too few`` is how often a run has too few
examples for the metric; the verdict is then inconclusive, and counts neither as passed nor as failed. The last columns
are the shares of one-sided 95 % bounds that miss the true drop, whether examples are too few or not.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from metric_populations import Entities, Numbers, Population, TwoClasses, macro_f1, mcc

from freezebench.scoring.metrics import METRICS
from freezebench.scoring.outcomes import outcomes
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.metric_values import mean_squares_of_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.crossed import Interval

MARGIN = 0.03
SIZES = (300, 2000)

# Metric, what the population is, and the population.
CELLS: tuple[tuple[str, str, Population], ...] = (
    ("macro-f1", "3 % minority", TwoClasses(of_rates=macro_f1, share=0.03)),
    ("macro-f1", "15 % minority", TwoClasses(of_rates=macro_f1, share=0.15)),
    ("mcc", "3 % minority", TwoClasses(of_rates=mcc, share=0.03)),
    ("mcc", "15 % minority", TwoClasses(of_rates=mcc, share=0.15)),
    ("auroc", "3 % minority", TwoClasses(of_rates=None, share=0.03)),
    ("auroc", "15 % minority", TwoClasses(of_rates=None, share=0.15)),
    ("auroc", "15 %, harder", TwoClasses(of_rates=None, share=0.15, recall=0.6, specificity=0.9)),
    ("auroc", "50 % each", TwoClasses(of_rates=None, share=0.5)),
    ("pearson", "normal numbers", Numbers()),
    ("pearson", "ratings 1 to 5", Numbers(is_rating=True)),
    ("entity-f1", "1.2 entities each", Entities()),
)


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of the replications, in per cent.

    Attributes:
        passed: The upper bound is below the margin.
        failed: The lower bound is above it.
        too_few: Some run has too few examples.
        missed_below: The upper bound is below the true drop, too few examples or not.
        missed_above: The lower bound is above it.
    """

    passed: float
    failed: float
    too_few: float
    missed_below: float
    missed_above: float


def judged(metric: Metric, arms: Sequence[Sequence[Examples]]) -> Interval:
    """Return the interval of the drop between two arms, each a run per seed."""
    baseline, candidate = (np.stack([outcomes(metric, examples) for examples in arm]) for arm in arms)
    return interval_from_mean_squares(mean_squares_of_metric(baseline, candidate, metric=metric))


def rates(
    metric: Metric, population: Population, num_examples: int, replications: int, *, num_seeds: int = 3, seed: int = 0
) -> Rates:
    """Return how often a candidate whose true drop is the margin passes and fails."""
    population = replace(population, worse=population.at_drop(MARGIN))
    rng = np.random.default_rng([seed, num_examples, num_seeds])
    rows = []
    for _ in range(replications):
        arms = population.draw(rng, num_seeds, num_examples)
        interval = judged(metric, arms)
        is_too_few = metric.too_few([examples for arm in arms for examples in arm]) is not None
        rows.append((interval.upper_pp < 100 * MARGIN, interval.lower_pp > 100 * MARGIN, is_too_few))
    is_low, is_high, is_too_few = np.array(rows).T
    return Rates(
        passed=100 * float((is_low & ~is_too_few).mean()),
        failed=100 * float((is_high & ~is_too_few).mean()),
        too_few=100 * float(is_too_few.mean()),
        missed_below=100 * float(is_low.mean()),
        missed_above=100 * float(is_high.mean()),
    )


def table(replications: int, seed: int) -> None:
    """Print one line per metric, population and number of examples."""
    print(f"{replications} replications per line, seed {seed}; 3 seeds, true drop and margin {100 * MARGIN:g} points")
    print("  metric     population           n   passed  failed  too few   bounds that miss: upper  lower")
    for name, kind, population in CELLS:
        for num_examples in SIZES:
            start = time.perf_counter()
            found = rates(METRICS[name], population, num_examples, replications, seed=seed)
            print(
                f"  {name:10s} {kind:18s} {num_examples:4d}   {found.passed:6.1f}  {found.failed:6.1f}  "
                f"{found.too_few:7.1f}   {found.missed_below:23.1f}  {found.missed_above:5.1f}   "
                f"({time.perf_counter() - start:.0f} s)",
                flush=True,
            )


def durations(num_examples: int = 10_000, num_seeds: int = 5, num_configurations: int = 8) -> None:
    """Print the seconds that every metric takes for a grid: its outcomes of all runs, and the intervals."""
    print(f"{num_examples:,} test examples x {num_seeds} seeds x {num_configurations} configurations and the baseline")
    populations = {
        "sequence-classification": CELLS[1][2],
        "regression": Numbers(),
        "token-classification": Entities(),
    }
    for metric in METRICS.values():
        task = metric.tasks[0]
        if task == "multi-label":
            continue  # counted as classes are
        rng = np.random.default_rng(0)
        draws = [populations[task].draw(rng, num_seeds, num_examples) for _ in range(num_configurations)]
        start = time.perf_counter()
        baseline = np.stack([outcomes(metric, examples) for examples in draws[0][0]])
        for _, candidate in draws:
            own = np.stack([outcomes(metric, examples) for examples in candidate])
            interval_from_mean_squares(mean_squares_of_metric(baseline, own, metric=metric))
        print(f"  {metric.name:18s} {time.perf_counter() - start:6.2f} s", flush=True)


def main() -> None:
    """Read the options and print what is requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="simulated studies per line (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (default 0)")
    parser.add_argument("--time", action="store_true", help="measure durations instead")
    options = parser.parse_args()
    if options.time:
        durations()
    else:
        table(options.replications, options.seed)


if __name__ == "__main__":
    main()
