"""Simulates how often a recommendation among several sequences of configurations could be wrong.

Reproduces the table of the statistics page. Run it with::

    python benchmarks/recommendation_error_rates.py --replications 1000

A replication is wrong if any configuration that counts as shown to be safe has a true drop at the margin: whichever is
the cheapest, that one could be recommended. The population is that of ``operating_characteristics.py``, with one arm
per configuration; arms share sentences and the baseline. Configurations at the margin are the hardest: each of them
passes with the full error rate of its bound. ``uncorrected`` counts every sequence at the full error rate.
"""

from __future__ import annotations

import argparse
import itertools
import time
from typing import TYPE_CHECKING

import numpy as np
from operating_characteristics import MARGIN, Truth
from search_error_rates import AT_MARGIN, draw

from freezebench.specs.interim_looks import InterimLooks
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import mean_squares
from freezebench.verdicts.noninferiority import decide
from freezebench.verdicts.selection import num_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from freezebench.verdicts.noninferiority import Verdict

CHUNK = 20
SAFE = 0.3

# True drops of the configurations of each sequence, in percentage points: the ladder, and a number of others.
SHAPES: dict[str, Callable[[int], list[list[float]]]] = {
    "all at the margin": lambda m: [[AT_MARGIN]] * (m + 1),
    "ladder 0.3, 0.3, margin; others at the margin": lambda m: [[SAFE, SAFE, AT_MARGIN], *[[AT_MARGIN]] * m],
    "ladder the same; half of the others 0.3": lambda m: [
        [SAFE, SAFE, AT_MARGIN], *([SAFE if index % 2 else AT_MARGIN] for index in range(m)),
    ],
    "all 0.3, then margin": lambda m: [[SAFE, AT_MARGIN]] * (m + 1),
}  # fmt: skip


def verdict(differences: NDArray[np.int8], looks: InterimLooks) -> Verdict:
    """Return the verdict of the look that decides one configuration, or of the last one."""
    for count in looks.counts:
        squares = mean_squares(differences[:count])
        found = decide(interval_from_mean_squares(squares, alpha=looks.alpha), AT_MARGIN)
        if found.is_decided:
            break
    return found


def wrong(drops: list[list[float]], looks: InterimLooks, n: int, replications: int, seed: int) -> tuple[float, float]:
    """Return how often something unsafe is shown, corrected and uncorrected, in per cent."""
    rng = np.random.default_rng([seed, n, sum(map(len, drops)), *looks.counts])
    outcomes = []
    for start in range(0, replications, CHUNK):
        for judged in _judged(drops, looks, n, min(CHUNK, replications - start), rng):
            alone = [num_shown([sequence])[0] for sequence in judged]
            outcomes.append((_is_wrong(drops, num_shown(judged)), _is_wrong(drops, alone)))
    corrected, uncorrected = 100 * np.mean(outcomes, axis=0)
    return float(corrected), float(uncorrected)


def _judged(
    drops: list[list[float]], looks: InterimLooks, n: int, count: int, rng: np.random.Generator
) -> Iterator[list[list[Verdict]]]:
    """Yield the verdicts of every sequence, for every replication."""
    for arms in draw(rng, np.concatenate(drops), looks.max_seeds, n, count):
        verdicts = iter([verdict(arm, looks) for arm in arms])
        yield [list(itertools.islice(verdicts, len(sequence))) for sequence in drops]


def _is_wrong(drops: list[list[float]], counts: list[int]) -> bool:
    return any(max(sequence[:count], default=0.0) >= AT_MARGIN for sequence, count in zip(drops, counts, strict=True))


def main() -> None:
    """Read the options and print a table for each combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="simulated sessions per case (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (default 0)")
    parser.add_argument("--others", type=int, nargs="+", default=[1, 3, 6], help="sequences beside the ladder")
    parser.add_argument("--sentences", type=int, nargs="+", default=[872, 1821], help="test sentences")
    parser.add_argument("--num-seeds", nargs="+", default=["3", "5", "3,5", "3,5,8"], help="looks, as the option")
    options = parser.parse_args()
    print(f"{options.replications} replications per case, seed {options.seed}; margin {100 * MARGIN:g} points")
    print(f"population: {Truth()}")
    for looks in map(InterimLooks.parse, options.num_seeds):
        for num_others in options.others:
            start, rates = time.perf_counter(), []
            for n, (name, shape) in itertools.product(options.sentences, SHAPES.items()):
                rates.append(wrong(shape(num_others), looks, n, options.replications, options.seed))
                print(f"    {n:5d} sentences, {name:46s} {rates[-1][0]:5.1f}  uncorrected {rates[-1][1]:5.1f}")
            mean, largest = np.mean(rates, axis=0), np.max(rates, axis=0)
            print(
                f"looks after {looks!s:6s} seeds, ladder and {num_others} others: wrong {mean[0]:.1f} %, at most "
                f"{largest[0]:.1f} %; uncorrected {mean[1]:.1f} %, at most {largest[1]:.1f} % "
                f"({time.perf_counter() - start:.0f} s)"
            )


if __name__ == "__main__":
    main()
