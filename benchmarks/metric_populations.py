"""Populations of test examples and runs for the simulation of metrics, whose true values are known.

Every run has noise of unit variance for every example, as in ``operating_characteristics.py``: a part of the example,
which all runs of both arms share, one of the arm and the example, and one of the run. Each run also has two effects of
its seed, on all examples. The seeds of the two arms are independent, which is the harder case: a shared part would
cancel. A true value is the mean over seeds of the metric of infinitely many examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from operating_characteristics import Truth
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from freezebench.scoring.examples import Examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ARMS = 2
_NUM_NODES = 9


@dataclass(frozen=True, kw_only=True)
class Population:
    """What all populations have: the spread between seeds, and how much worse the candidate is.

    Attributes:
        seed_sd: Standard deviation of each of the two effects of a seed, where that of an example's noise is 1.
        worse: What the candidate lacks, in the same unit; ``at_drop`` finds it.
    """

    seed_sd: float = 0.05
    worse: float = 0.0

    def value(self, worse: float, first: Floats, second: Floats) -> Floats:
        """Return the metric of infinitely many examples, for the effects of seeds."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, num_seeds: int, num_examples: int) -> list[list[Examples]]:
        """Return the examples of every run: baseline and candidate, for every seed."""
        raise NotImplementedError

    @property
    def drop(self) -> float:
        """The true drop of the candidate."""
        return self._mean(0.0) - self._mean(self.worse)

    def at_drop(self, drop: float) -> float:
        """Return what the candidate has to lack for a true drop."""
        return float(brentq(lambda worse: self._mean(0.0) - self._mean(worse) - drop, 0.0, 3.0))

    def _mean(self, worse: float) -> float:
        """Return the mean over seeds, by Gauss-Hermite quadrature over both effects."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NUM_NODES)
        weights = weights / weights.sum()
        first, second = np.meshgrid(self.seed_sd * nodes, self.seed_sd * nodes)
        return float((np.outer(weights, weights) * self.value(worse, first, second)).sum())


def noise(rng: np.random.Generator, num_seeds: int, *shape: int) -> Floats:
    """Return noise of unit variance, shape (arms, seeds, ...), with the correlations of the design's population."""
    latent = Truth().latent()
    total = latent.sentence + latent.arm_sentence + latent.residual
    parts = (
        math.sqrt(latent.sentence / total) * rng.standard_normal((1, 1, *shape)),
        math.sqrt(latent.arm_sentence / total) * rng.standard_normal((ARMS, 1, *shape)),
        math.sqrt(latent.residual / total) * rng.standard_normal((ARMS, num_seeds, *shape)),
    )
    values: Floats = parts[2] + parts[1] + parts[0]
    return values


@dataclass(frozen=True, kw_only=True)
class TwoClasses(Population):
    """Two classes, of which class 1 is the rarer one. Runs shift all scores, and move the classes apart.

    Attributes:
        of_rates: Returns the metric by the share of class 1, its recall, and the share of class 0 that is taken for it;
            ``None``: the area under the ROC curve.
        share: Share of class 1.
        recall: Its recall in the baseline.
        specificity: The recall of class 0.
    """

    of_rates: Callable[[float, Floats, Floats], Floats] | None
    share: float
    recall: float = 0.75
    specificity: float = 0.97

    @property
    def _means(self) -> tuple[float, float]:
        """Means of the scores of both classes in the baseline, class 0 first."""
        return -float(ndtri(self.specificity)), float(ndtri(self.recall))

    def value(self, worse: float, first: Floats, second: Floats) -> Floats:
        """Return the metric; the first effect shifts all scores, the second moves the classes apart."""
        below, above = self._means[0] + worse + first - second, self._means[1] - worse + first + second
        if self.of_rates is None:
            area: Floats = ndtr((above - below) / math.sqrt(2))
            return area
        return self.of_rates(self.share, ndtr(above), ndtr(below))

    def draw(self, rng: np.random.Generator, num_seeds: int, num_examples: int) -> list[list[Examples]]:
        """Return examples whose classes are drawn, too."""
        labels = (rng.random(num_examples) < self.share).astype(np.int64)
        effects = self.seed_sd * rng.standard_normal((2, ARMS, num_seeds, 1))
        signs = 2 * labels - 1
        means = np.array(self._means)[labels] - signs * np.array([0.0, self.worse])[:, None, None]
        scores = means + effects[0] + signs * effects[1] + noise(rng, num_seeds, num_examples)
        return [
            [
                Examples(
                    task="sequence-classification",
                    labels=labels,
                    predictions=(run > 0).astype(np.int64),
                    scores=np.stack([np.zeros_like(run), run], axis=1).astype(np.float32),
                    label_names=("common", "rare"),
                )
                for run in arm
            ]
            for arm in scores
        ]


def macro_f1(share: float, recall: Floats, false_rate: Floats) -> Floats:
    """Return macro F1 by the share of class 1, its recall, and the share of class 0 that is taken for it."""
    rare = 2 * share * recall / (share + share * recall + (1 - share) * false_rate)
    others = 1 - false_rate
    common = 2 * (1 - share) * others / ((1 - share) * (1 + others) + share * (1 - recall))
    values: Floats = (rare + common) / 2
    return values


def mcc(share: float, recall: Floats, false_rate: Floats) -> Floats:
    """Return the Matthews correlation by the same."""
    predicted = share * recall + (1 - share) * false_rate
    covariance = share * recall - share * predicted
    values: Floats = covariance / np.sqrt(share * (1 - share) * predicted * (1 - predicted))
    return values


@dataclass(frozen=True, kw_only=True)
class Numbers(Population):
    """Regression: the predicted number is the label and an error, whose spread depends on seed and arm.

    Attributes:
        correlation: That of the baseline.
        is_rating: Whether labels are the ratings 1 to 5 and not normal numbers.
    """

    correlation: float = 0.85
    is_rating: bool = False

    def _error(self, worse: float, first: Floats) -> Floats:
        """Return the standard deviation of the error, where that of the labels is 1."""
        spread = math.sqrt(1 / self.correlation**2 - 1)
        errors: Floats = spread * np.exp(worse + first)
        return errors

    def value(self, worse: float, first: Floats, second: Floats) -> Floats:
        """Return Pearson's correlation; only the first effect of a seed has a part in it."""
        values: Floats = 1 / np.sqrt(1 + np.square(self._error(worse, first))) + 0 * second
        return values

    def draw(self, rng: np.random.Generator, num_seeds: int, num_examples: int) -> list[list[Examples]]:
        """Return examples whose labels are drawn, too."""
        ratings = (rng.choice(5, num_examples, p=(0.1, 0.1, 0.2, 0.3, 0.3)) - 2.6) / math.sqrt(1.64)
        labels = ratings if self.is_rating else rng.standard_normal(num_examples)
        effects = self.seed_sd * rng.standard_normal((2, ARMS, num_seeds, 1))
        errors = self._error(np.array([0.0, self.worse])[:, None, None], effects[0])  # type: ignore[arg-type]
        predictions = labels + effects[1] + errors * noise(rng, num_seeds, num_examples)
        return [
            [
                Examples(task="regression", labels=labels, predictions=run, scores=None, label_names=("rating",))
                for run in arm
            ]
            for arm in predictions
        ]


@dataclass(frozen=True, kw_only=True)
class Entities(Population):
    """Sentences of some places, each with an entity of two words or without one. Places of a sentence are alike.

    Attributes:
        num_places: Places of a sentence; each has three words.
        share: Share of places with an entity.
        recall: Share of entities that are found in the baseline; half of the others get another type.
        false_rate: Share of places without one in which one is predicted.
    """

    num_places: int = 4
    share: float = 0.3
    recall: float = 0.88
    false_rate: float = 0.04

    def value(self, worse: float, first: Floats, second: Floats) -> Floats:
        """Return the F1 of entities; the first effect predicts more of them, the second finds more of the true ones."""
        found = ndtr(float(ndtri(self.recall)) - worse + first + second)
        false = ndtr(float(ndtri(self.false_rate)) + worse + first - second)
        predicted = self.share * (found + (1 - found) / 2) + (1 - self.share) * false
        values: Floats = 2 * self.share * found / (self.share + predicted)
        return values

    def draw(self, rng: np.random.Generator, num_seeds: int, num_examples: int) -> list[list[Examples]]:
        """Return sentences whose entities are drawn, too. Half of the noise is of the sentence."""
        shape = (num_examples, self.num_places)
        is_entity = rng.random(shape) < self.share
        is_other_type = rng.random((ARMS, num_seeds, *shape)) < 0.5  # noqa: PLR2004 - half of them
        effects = self.seed_sd * rng.standard_normal((2, ARMS, num_seeds, 1, 1))
        sentences = noise(rng, num_seeds, num_examples)[..., None]
        scores = math.sqrt(0.5) * (sentences + noise(rng, num_seeds, *shape))
        worse = np.array([0.0, self.worse])[:, None, None, None]
        found = float(ndtri(self.recall)) - worse + effects[0] + effects[1] + scores > 0
        false = float(ndtri(self.false_rate)) + worse + effects[0] - effects[1] + scores > 0
        # 0: no entity, 1: an entity of the type that entities have, 2: of another type.
        places = np.where(is_entity, np.where(found, 1, np.where(is_other_type, 2, 0)), false.astype(np.int64))
        words = np.array([[0, 0, 0], [1, 2, 0], [3, 4, 0]])
        lengths = np.full(num_examples, 3 * self.num_places)
        return [
            [
                Examples(
                    task="token-classification",
                    labels=words[is_entity.astype(np.int64)].reshape(-1),
                    predictions=words[run].reshape(-1),
                    scores=None,
                    label_names=("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
                    lengths=lengths,
                )
                for run in arm
            ]
            for arm in places
        ]
