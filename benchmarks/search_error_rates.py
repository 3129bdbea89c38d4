"""Simulates how often ``--freeze-grid=search`` is wrong, how often it agrees with ``all``, and how many runs it needs.

Reproduces the table of the statistics page. Run it with::

    python benchmarks/search_error_rates.py --replications 1000

An answer is wrong if the depth that is reported as the deepest safe one has a true drop at or above the margin. ``all``
is simulated on the same runs: every configuration gets its looks, and the prefixes are judged in order. The population
is that of ``operating_characteristics.py``, with one arm per prefix; arms share sentences and the baseline. The true
drops of a ladder follow one of several shapes, in some of which drops do not grow with depth. Those at the margin are
the hardest: each of their depths passes with the full error rate.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from operating_characteristics import MARGIN, Truth
from scipy.special import ndtri

from freezebench.planning.search import LookOutcome, search
from freezebench.specs.interim_looks import MAX_FAILED, InterimLooks
from freezebench.verdicts.crossed import standard_error, t_quantile
from freezebench.verdicts.mean_squares import mean_squares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHUNK = 20
AT_MARGIN = 100 * MARGIN


def _steps(num_prefixes: int, *parts: tuple[float, float]) -> Floats:
    """Return drops that are constant up to given shares of the ladder."""
    shares = (np.arange(num_prefixes) + 0.5) / num_prefixes
    return np.array([next(drop for end, drop in parts if share <= end) for share in shares])


def _rise(num_prefixes: int, last: float, power: float) -> Floats:
    return last * (np.arange(num_prefixes) / max(num_prefixes - 1, 1)) ** power


# True drops of the prefixes in percentage points, least frozen first.
MONOTONE: dict[str, Callable[[int], Floats]] = {
    "all at 0.3": lambda m: _steps(m, (1, 0.3)),
    "all at the margin": lambda m: _steps(m, (1, AT_MARGIN)),
    "0 to 4, evenly": lambda m: _rise(m, 4, 1),
    "0 to 8, late": lambda m: _rise(m, 8, 3),
    "0.3, half at the margin": lambda m: _steps(m, (0.5, 0.3), (1, AT_MARGIN)),
    "0.2, a third at 6": lambda m: _steps(m, (0.67, 0.2), (1, 6)),
    "0.5 once, then 2.5": lambda m: np.where(np.arange(m) < 1, 0.5, 2.5),
}
OTHERS: dict[str, Callable[[int], Floats]] = {
    "0.8 and margin in turn": lambda m: np.where(np.arange(m) % 2 == 0, 0.8, AT_MARGIN),
    "0.5, margin, 0.5": lambda m: _steps(m, (0.25, 0.5), (0.5, AT_MARGIN), (1, 0.5)),
    "margin, 0.5, margin": lambda m: _steps(m, (0.25, AT_MARGIN), (0.75, 0.5), (1, AT_MARGIN)),
    "3 to 0, evenly": lambda m: 3 - _rise(m, 3, 1),
    "0.3, 2.5, 1.8, margin": lambda m: _steps(m, (0.3, 0.3), (0.5, 2.5), (0.7, 1.8), (1, AT_MARGIN)),
}


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What one ladder gave, one entry per replication.

    Attributes:
        is_wrong: Whether the answer of the search is wrong.
        is_wrong_in_all: Whether that of ``all`` is.
        difference: How many prefixes deeper than that of ``all`` the answer of the search is.
        num_runs: Runs of the search, the baseline's included.
        share: The same, as a share of those of ``all``.
    """

    is_wrong: NDArray[np.bool_]
    is_wrong_in_all: NDArray[np.bool_]
    difference: NDArray[np.int64]
    num_runs: NDArray[np.int64]
    share: Floats


def draw(rng: np.random.Generator, drops: Floats, num_seeds: int, n: int, count: int) -> NDArray[np.int8]:
    """Return baseline - candidate of several replications, ``(replications, prefixes, seeds, sentences)``."""
    latent = Truth().latent()
    means = np.array([latent.means[0], *(float(ndtri(Truth.accuracy - drop / 100)) for drop in drops)])
    arms = len(means)

    def normal(variance: float, *shape: int) -> NDArray[np.float32]:
        return np.float32(math.sqrt(variance)) * rng.standard_normal((count, *shape), dtype=np.float32)

    scores = normal(latent.residual, arms, num_seeds, n)
    scores += normal(latent.sentence, 1, 1, n) + normal(latent.arm_sentence, arms, 1, n)
    scores += normal(latent.seed, arms, num_seeds, 1) + means.astype(np.float32)[:, None, None]
    correct = (scores > 0).astype(np.int8)
    return correct[:, :1] - correct[:, 1:]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Drop and its bounds after every look, ``(looks, replications, prefixes)``."""

    drop: Floats
    lower: Floats
    upper: Floats

    def is_decided(self, look: int, *at: int) -> bool:
        """Return whether the interval lies on one side of the margin."""
        return bool(self.upper[look, *at] < MARGIN or self.lower[look, *at] > MARGIN)


def bounds(differences: NDArray[np.int8], looks: InterimLooks) -> Bounds:
    """Return what every look at every prefix shows, at the error rate of the looks."""
    squares = [mean_squares(differences[..., :count, :]) for count in looks.counts]
    widths = [t_quantile(1 - looks.alpha, df) * se for se, df in map(standard_error, squares)]
    drop = np.array([each.drop for each in squares])
    return Bounds(drop=drop, lower=drop - np.array(widths), upper=drop + np.array(widths))


def answer_of_all(plain: Bounds, replication: int, counts: tuple[int, ...]) -> tuple[int, int]:
    """Return the number of safe prefixes when all are trained and judged in order, and the number of runs."""
    seeds, safe = [], []
    for prefix in range(plain.drop.shape[-1]):
        at = (replication, prefix)
        last = next((look for look in range(len(counts)) if plain.is_decided(look, *at)), len(counts) - 1)
        seeds.append(counts[last])
        safe.append(bool(plain.upper[last, *at] < MARGIN))
    return [*safe, False].index(False), sum(seeds) + max(seeds)


def answer_of_search(plain: Bounds, strict: Bounds, replication: int, counts: tuple[int, ...]) -> tuple[int, int]:
    """Return the number of safe prefixes that the search reports, and the number of runs."""
    ladder = [str(prefix) for prefix in range(plain.drop.shape[-1])]

    def look(freeze: str, num_seeds: int) -> LookOutcome:
        at = counts.index(num_seeds), replication, int(freeze)
        return LookOutcome(
            is_safe=bool(strict.upper[at] < MARGIN),
            may_become_safe=not strict.is_decided(*at) and bool(strict.drop[at] < MARGIN),
            is_open_in_all=not plain.is_decided(*at),
        )

    found = search(ladder, counts, look)
    seeds = [trial.num_seeds for trial in found.trials]
    return 0 if found.deepest_safe is None else int(found.deepest_safe) + 1, sum(seeds) + max(seeds)


def rates(drops: Floats, looks: InterimLooks, n: int, replications: int, rng: np.random.Generator) -> Rates:
    """Return how search and ``all`` do on one ladder."""
    rows = list(_rows(drops, looks, n, replications, rng))
    of_search, runs, of_all, runs_of_all = (np.array(column) for column in zip(*rows, strict=True))
    # No prefix: no drop.
    is_unsafe = np.concatenate([[False], drops >= AT_MARGIN - 1e-9])
    return Rates(
        is_wrong=is_unsafe[of_search],
        is_wrong_in_all=is_unsafe[of_all],
        difference=of_search - of_all,
        num_runs=runs,
        share=runs / runs_of_all,
    )


def _rows(
    drops: Floats, looks: InterimLooks, n: int, replications: int, rng: np.random.Generator
) -> Iterator[tuple[int, int, int, int]]:
    """Yield answer and runs of the search, and of ``all``, for every replication."""
    for start in range(0, replications, CHUNK):
        count = min(CHUNK, replications - start)
        differences = draw(rng, drops, looks.max_seeds, n, count)
        plain, strict = bounds(differences, looks), bounds(differences, looks.shared_by(MAX_FAILED))
        for replication in range(count):
            found = answer_of_search(plain, strict, replication, looks.counts)
            yield *found, *answer_of_all(plain, replication, looks.counts)


def table(num_layers: int, n: int, looks: InterimLooks, replications: int, seed: int) -> None:
    """Print one line per ladder, and one per kind of ladder."""
    print(f"\n{num_layers} layers, {n} sentences, looks after {looks} seeds")
    print(f"  {'true drops':24s} wrong  (all)   same  deeper  less deep   runs  share of all: mean, largest")
    for kind, shapes in (("growing with depth", MONOTONE), ("not growing with depth", OTHERS)):
        results = []
        for number, (name, drops) in enumerate(shapes.items()):
            rng = np.random.default_rng([seed, num_layers, n, len(kind), number, *looks.counts])
            results.append(rates(drops(num_layers + 1), looks, n, replications, rng))
            print(f"  {name:24s} {_figures(results[-1:])}")
        worst = max(100 * float(result.is_wrong.mean()) for result in results)
        print(f"  {kind + ':':24s} {_figures(results)}; most wrong answers on a ladder {worst:.1f} %")


def _figures(results: list[Rates]) -> str:
    wrong, wrong_in_all, difference, runs, share = (
        np.concatenate([getattr(result, name) for result in results])
        for name in ("is_wrong", "is_wrong_in_all", "difference", "num_runs", "share")
    )
    percentages = (wrong, wrong_in_all, difference == 0, difference > 0, difference < 0, share)
    of_answers = [100 * float(np.mean(values)) for values in percentages]
    return (
        f"{of_answers[0]:5.1f}  {of_answers[1]:5.1f}  {of_answers[2]:5.0f}  {of_answers[3]:6.0f}  {of_answers[4]:9.0f}"
        f"  {runs.mean():5.1f}  {of_answers[5]:18.0f} %, {100 * share.max():.0f} %"
    )


def main() -> None:
    """Read the options and print a table for each combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="simulated sessions per ladder (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (default 0)")
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 12, 24], help="depths (default 6 12 24)")
    parser.add_argument("--sentences", type=int, nargs="+", default=[1821], help="test sentences (default 1821)")
    parser.add_argument("--num-seeds", nargs="+", default=["3,5,8"], help="looks, as the option (default 3,5,8)")
    options = parser.parse_args()
    print(f"{options.replications} replications per ladder, seed {options.seed}")
    print(f"population: {Truth()}")
    for looks in map(InterimLooks.parse, options.num_seeds):
        for n in options.sentences:
            for num_layers in options.layers:
                start = time.perf_counter()
                table(num_layers, n, looks, options.replications, options.seed)
                print(f"  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
