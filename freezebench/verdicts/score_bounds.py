"""Bounds of the drop of a metric that is a share, such as F1 and AUROC, by its variance at the bound.

The variance of such a metric shrinks towards 1. Runs that happen to lose little then seem certain of it, and an
interval of one width on both sides would miss a larger loss too often: of two arms of AUROC 0.965 and 0.935, 300
examples and 45 of the rarer class, 9 to 10 % of its upper 95 % bounds are too low. So each bound takes the variances
that both arms would have there, as a score interval does (Wilson 1927, Journal of the American Statistical Association
22:209-212), where the variance of an arm is proportional to ``θ (1 - θ)``. Then 7 % are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_NUM_ITERATIONS = 50  # bounds approach their values from one side, and a few suffice for all digits that are shown
_LEAST_RATIO = 0.5


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Both arms of a comparison, in the scale of the outcomes.

    Attributes:
        baseline: The metric of the baseline, 0 to 1.
        candidate: That of the candidate.
        baseline_se: Standard error of the baseline's metric.
        candidate_se: That of the candidate's.
        drop_se: Standard error of their difference.
        num_examples: Number of distinct examples.
    """

    baseline: float
    candidate: float
    baseline_se: float
    candidate_se: float
    drop_se: float
    num_examples: int

    def bounds(self, quantile: float) -> tuple[float, float]:
        """Return the lower and the upper bound of the drop, ``quantile`` standard errors away from it."""
        drop, half_width = self.baseline - self.candidate, quantile * self.drop_se
        lower, upper, observed = drop - half_width, drop + half_width, self._spread_at(drop)
        if not observed > 0:
            return lower, upper
        for _ in range(_NUM_ITERATIONS):
            # Where nearly all variance disappears, too little is known of it to narrow an interval any further.
            lower = drop - half_width * max(self._spread_at(lower) / observed, _LEAST_RATIO)
            upper = drop + half_width * max(self._spread_at(upper) / observed, _LEAST_RATIO)
        return lower, upper

    def _spread_at(self, drop: float) -> float:
        """Return the standard error of the difference of two arms with this drop and the mean of the observed ones."""
        mean = (self.baseline + self.candidate) / 2
        baseline = self.baseline_se * self._ratio(mean + drop / 2, self.baseline)
        candidate = self.candidate_se * self._ratio(mean - drop / 2, self.candidate)
        covariance = (self.baseline_se**2 + self.candidate_se**2 - self.drop_se**2) / 2
        product = self.baseline_se * self.candidate_se
        correlation = min(max(covariance / product, -1.0), 1.0) if product > 0 else 0.0
        return math.sqrt(max(baseline**2 + candidate**2 - 2 * correlation * baseline * candidate, 0.0))

    def _ratio(self, value: float, observed: float) -> float:
        """Return the standard error at a value as a multiple of that at the observed one."""
        return math.sqrt(self._variance(value) / self._variance(observed))

    def _variance(self, value: float) -> float:
        """Return a number that the variance is proportional to; half an example away from 0 and 1, it is not 0."""
        least = 0.5 / self.num_examples
        share = min(max(value, least), 1 - least)
        return share * (1 - share)
