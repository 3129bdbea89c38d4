"""Simulates how often the accuracy verdict is right, wrong, undecided, or different on a rerun.

Reproduces the tables of the statistics page: operating characteristics of 3 -> 5 -> 8 seeds, the rate of reruns that go
from pass to fail, three methods compared at the margin, and the coverage of the interval over a grid of variance
components. Run it with::

    python benchmarks/operating_characteristics.py --replications 2000

The population: every arm, seed and sentence has a latent score, and a prediction is right where the score is positive.
The score is a sum of normal variables: sentence (shared by the arms), arm x sentence, arm x seed, and a residual. Their
variances follow from accuracy, the disagreement between arms and between seeds, and the spread of true accuracy between
seeds. The seeds of the two arms are independent, which is the harder case: a shared part would cancel.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal, norm

from freezebench.specs.interim_looks import InterimLooks
from freezebench.verdicts.crossed import standard_error, t_quantile
from freezebench.verdicts.mean_squares import MeanSquares, mean_squares
from freezebench.verdicts.power import resolvable_margin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

MARGIN = 0.02
CHUNK = 100


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The true state of affairs; shares, not percentages. The defaults are the design's population."""

    drop: float = 0.0
    accuracy: float = 0.89
    arm_disagreement: float = 0.07
    seed_disagreement: float = 0.05
    seed_sd: float = 0.005

    def latent(self) -> Latent:
        """Return the normal model with these figures; disagreements are those at a drop of zero."""
        mean = float(ndtri(self.accuracy))
        sentence = _correlation(mean, self.arm_disagreement)
        within_arm = _correlation(mean, self.seed_disagreement)
        seed = (self.seed_sd / float(norm.pdf(mean))) ** 2
        return Latent(
            means=(mean, float(ndtri(self.accuracy - self.drop))),
            sentence=sentence,
            arm_sentence=max(within_arm - sentence, 0.0),
            seed=seed,
            residual=1 - max(within_arm, sentence) - seed,
        )


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Means of the two arms and variances of the latent score, which sum to 1."""

    means: tuple[float, float]
    sentence: float
    arm_sentence: float
    seed: float
    residual: float


def _correlation(mean: float, disagreement: float) -> float:
    """Return the correlation at which two scores above zero with the same mean disagree that often."""
    accuracy = float(norm.cdf(mean))

    def excess(rho: float) -> float:
        both = multivariate_normal.cdf([mean, mean], mean=[0.0, 0.0], cov=[[1.0, rho], [rho, 1.0]])
        return 2 * (accuracy - float(both)) - disagreement

    return float(brentq(excess, 0.0, 1 - 1e-6))


def draw_sentences(rng: np.random.Generator, latent: Latent, shape: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Return per arm the part of the score that belongs to the sentences, ``(replications, 1, sentences)``."""
    shared = math.sqrt(latent.sentence) * rng.standard_normal((shape[0], 1, shape[1]), dtype=np.float32)
    scale = math.sqrt(latent.arm_sentence)
    return [mean + shared + scale * rng.standard_normal(shared.shape, dtype=np.float32) for mean in latent.means]


def draw_differences(
    rng: np.random.Generator, latent: Latent, sentences: list[NDArray[np.float32]], num_seeds: int
) -> NDArray[np.int8]:
    """Return baseline - candidate of fresh seeds on given sentences, ``(replications, seeds, sentences)``."""
    replications, _, n = sentences[0].shape
    correct = []
    for part in sentences:
        seeds = math.sqrt(latent.seed) * rng.standard_normal((replications, num_seeds, 1), dtype=np.float32)
        residual = rng.standard_normal((replications, num_seeds, n), dtype=np.float32)
        residual *= np.float32(math.sqrt(latent.residual))
        correct.append((residual + (part + seeds) > 0).astype(np.int8))
    return correct[0] - correct[1]


def draw(truth: Truth, k: int, n: int, replications: int, rng: np.random.Generator) -> Iterator[NDArray[np.int8]]:
    """Yield chunks of differences of independent replications."""
    latent = truth.latent()
    for start in range(0, replications, CHUNK):
        count = min(CHUNK, replications - start)
        yield draw_differences(rng, latent, draw_sentences(rng, latent, (count, n)), k)


def bounds(squares: MeanSquares, alpha: float) -> tuple[Floats, Floats]:
    """Return lower and upper bounds of the drop for a batch."""
    se, df = standard_error(squares)
    half_width = t_quantile(1 - alpha, df) * se
    return squares.drop - half_width, squares.drop + half_width


def sequential(differences: NDArray[np.int8], looks: InterimLooks) -> tuple[Booleans, Booleans]:
    """Return which replications of a batch pass and fail when seeds are added until a look decides."""
    passed = np.zeros(len(differences), dtype=bool)
    failed = np.zeros(len(differences), dtype=bool)
    for count in looks.counts:
        lower, upper = bounds(mean_squares(differences[:, :count]), looks.alpha)
        undecided = ~(passed | failed)
        passed |= undecided & (upper < MARGIN)
        failed |= undecided & (lower > MARGIN)
    return passed, failed


def operating_characteristics(replications: int, seed: int) -> None:
    """Print pass / inconclusive / fail with 3 -> 5 -> 8 seeds."""
    print("\nverdicts with 3 -> 5 -> 8 seeds, margin 2 points, % pass / inconclusive / fail")
    looks = InterimLooks()
    for n in (872, 1821):
        for drop in (0, 1, 2, 4):
            rng = np.random.default_rng([seed, n, drop])
            truth = Truth(drop=drop / 100)
            parts = [sequential(each, looks) for each in draw(truth, looks.max_seeds, n, replications, rng)]
            passed, failed = (100 * np.concatenate(part).mean() for part in zip(*parts, strict=True))
            print(f"  n {n:5d}  drop {drop}:  {passed:6.2f} / {100 - passed - failed:6.2f} / {failed:6.2f}")


def reruns(replications: int, seed: int, num_reruns: int = 10) -> None:
    """Print how often a pass turns into a fail when the same sentences are run with fresh seeds."""
    print(f"\nreruns, same sentences and fresh seeds, % pass then fail ({num_reruns} reruns of each test set)")
    looks = InterimLooks()
    for n in (872, 1821):
        for drop in (0, 1, 2, 4):
            rng = np.random.default_rng([seed, n, drop, 1])
            latent = Truth(drop=drop / 100).latent()
            flips = []
            for start in range(0, replications, CHUNK):
                sentences = draw_sentences(rng, latent, (min(CHUNK, replications - start), n))
                runs = [
                    sequential(draw_differences(rng, latent, sentences, looks.max_seeds), looks)
                    for _ in range(num_reruns)
                ]
                passes, fails = (np.sum(part, axis=0) for part in zip(*runs, strict=True))
                # Every ordered pair of different reruns counts once: unbiased for P(pass) * P(fail) of a test set.
                flips.append(passes * fails / (num_reruns * (num_reruns - 1)))
            rates = np.concatenate(flips)
            error = rates.std(ddof=1) / math.sqrt(len(rates))
            print(f"  n {n:5d}  drop {drop}:  {100 * rates.mean():.4f} (standard error {100 * error:.4f})")


def at_the_margin(replications: int, seed: int) -> None:
    """Print how often each of three methods passes a true drop at the margin, 3 seeds, one look at 5 %."""
    print("\nfalse passes at the margin, 3 seeds, nominal 5 %")
    k = 3
    for n in (872, 1821):
        rng = np.random.default_rng([seed, n, 2])
        chunks = [mean_squares(each) for each in draw(Truth(drop=MARGIN), k, n, replications, rng)]
        drop, seeds, sentences, residual = (
            np.concatenate([getattr(chunk, field) for chunk in chunks])
            for field in ("drop", "seeds", "sentences", "residual")
        )
        squares = MeanSquares(
            drop=drop, seeds=seeds, sentences=sentences, residual=residual, num_seeds=k, num_sentences=n
        )
        total = seeds * (k - 1) + sentences * (n - 1) + residual * (k - 1) * (n - 1)
        pooled = np.sqrt(total / (k * n)) / math.sqrt(k * n) * float(norm.ppf(0.95))
        seed_means = np.sqrt(seeds / (k * n)) * t_quantile(0.95, k - 1)
        crossed = bounds(squares, 0.05)[1] - drop
        rates = [100 * float((drop + width < MARGIN).mean()) for width in (pooled, seed_means, crossed)]
        print(f"  n {n:5d}:  pooled counts {rates[0]:.1f}, t-test on seed means {rates[1]:.1f}, crossed {rates[2]:.1f}")


def coverage(replications: int, seed: int) -> None:
    """Print the coverage of both one-sided 95 % bounds over a grid of variance components."""
    print("\ncoverage of the one-sided 95 % bounds, lower / upper, in %")
    figures = []
    for k in (2, 3, 5, 8):
        for n in (200, 872):
            for seed_sd in (0.0, 0.005, 0.02):
                for between in (0.0, 0.02, 0.06):
                    truth = Truth(seed_sd=seed_sd, arm_disagreement=0.05 + between, drop=0.02)
                    rng = np.random.default_rng([seed, k, n, round(1000 * seed_sd), round(100 * between)])
                    parts = [bounds(mean_squares(each), 0.05) for each in draw(truth, k, n, replications, rng)]
                    lower, upper = (np.concatenate(part) for part in zip(*parts, strict=True))
                    figures.append((100 * (lower <= truth.drop).mean(), 100 * (upper >= truth.drop).mean()))
                    print(
                        f"  k {k}  n {n:4d}  seed SD {100 * seed_sd:.1f}  arm x sentence {100 * between:.0f} %:  "
                        f"{figures[-1][0]:.1f} / {figures[-1][1]:.1f}"
                    )
    print(f"  from {np.min(figures):.1f} to {np.max(figures):.1f}")


def planning(replications: int, seed: int) -> None:
    """Print the resolvable margins and the power that they have in simulation."""
    print("\nresolvable margin at 80 % power, points, and the simulated power at that margin")
    for k, n in ((3, 872), (5, 872), (8, 872), (3, 1821), (5, 1821), (8, 1821)):
        margin = resolvable_margin(k, n)
        rng = np.random.default_rng([seed, k, n, 3])
        uppers = [bounds(mean_squares(each), 0.05)[1] for each in draw(Truth(), k, n, replications, rng)]
        power = 100 * float((np.concatenate(uppers) < margin / 100).mean())
        print(f"  {k} seeds x {n} sentences: {margin:.2f} points, power {power:.1f} %")


PARTS = {
    "table": operating_characteristics,
    "reruns": reruns,
    "margin": at_the_margin,
    "coverage": coverage,
    "planning": planning,
}


def main() -> None:
    """Read the options and print the requested parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000, help="simulated studies per cell (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (default 0)")
    parser.add_argument("--part", choices=sorted(PARTS), action="append", help="part to run; all of them if not given")
    options = parser.parse_args()
    print(f"{options.replications} replications per cell, seed {options.seed}")
    print(f"population: {Truth()}")
    for name in options.part or PARTS:
        start = time.perf_counter()
        PARTS[name](options.replications, options.seed)
        print(f"  ({name}: {time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
