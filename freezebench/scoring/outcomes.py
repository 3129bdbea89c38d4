"""The outcome of every example: numbers whose mean over the examples is the metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.scoring.jackknife import group_pseudovalues

if TYPE_CHECKING:
    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Metric, Values


def outcomes(metric: Metric, examples: Examples, value: float | None = None) -> Values:
    """Return the outcome of every example, shape (examples,), whose mean is the metric.

    Of a mean over examples it is the number of each example. Of other metrics it is the jackknife pseudovalue
    ``n θ - (n - 1) θ(i)``, where ``θ(i)`` is the metric without example ``i`` (Dorfman, Berbaum and Metz 1992), shifted
    so that the mean is the metric itself (Hillis, Obuchowski, Schartz and Berbaum 2005). Where ``θ(i)`` is not known in
    closed form, groups of examples are left out together (``freezebench.scoring.jackknife``).

    Args:
        metric: The metric.
        examples: The examples.
        value: The metric of all of them, if it is known.
    """
    if metric.contributions is not None:
        return metric.contributions(examples)
    if metric.leave_one_out is None:
        return group_pseudovalues(metric, examples)
    n, value = len(examples), metric.value(examples) if value is None else value
    pseudovalues: Values = n * value - (n - 1) * metric.leave_one_out(examples)
    pseudovalues += value - pseudovalues.mean()
    return pseudovalues
