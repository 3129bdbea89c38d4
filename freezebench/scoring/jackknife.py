"""The delete-group jackknife, of metrics whose values without one example each are not known in closed form.

Such a metric is computed once without each of at most 100 groups of examples, rather than without each example. The
groups are drawn at random, the same in every run; examples of one unit of the interval, such as repeats of a text or
the sentences of one person, are in one group. With at most 100 units each is a group, and this is the usual jackknife.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.scoring.metric import Metric, Values

NUM_GROUPS = 100


def jackknife_text(metric: Metric, num_units: int) -> str | None:
    """Return how the interval of a metric is computed, if that is by groups: ``delete-group jackknife, 100 groups``.

    Args:
        metric: The metric.
        num_units: Number of units of the interval: distinct texts, or groups of the group column.
    """
    if metric.is_mean or metric.leave_one_out is not None or num_units <= NUM_GROUPS:
        return None
    return f"delete-group jackknife, {NUM_GROUPS} groups of the {num_units:,} examples drawn at random"


def deletion_groups(num_examples: int, units: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the group of every example, counted from 0; the groups have the same number of units, or one more.

    Args:
        num_examples: Number of examples.
        units: Number of the unit of the interval that each belongs to; ``None``: each is a unit by itself.
    """
    names = np.arange(num_examples) if units is None else units
    distinct, unit_of = np.unique(names, return_inverse=True)
    num_units = len(distinct)
    if num_units <= NUM_GROUPS:
        return unit_of.astype(np.int64)
    # The seed is fixed: both arms, and a second judgement, need the same groups.
    order = np.random.default_rng(0).permutation(num_units)
    groups: NDArray[np.int64] = (order % NUM_GROUPS)[unit_of].astype(np.int64)
    return groups


def group_pseudovalues(metric: Metric, examples: Examples) -> Values:
    """Return a number for every example, whose mean is the metric and whose spread is that of the jackknife.

    Of ``G`` groups the pseudovalues are ``G θ - (G - 1) θ(g)``, for the metric ``θ(g)`` without group ``g``, and their
    mean has the variance ``S² / G``, for the variance ``S²`` between them (Busing, Meijer and van der Leeden 1999).
    Every example has the pseudovalue of its group, and deviations from the metric are multiplied by ``√(U / G)`` for
    ``U`` units of the interval, so that an analysis of ``U`` units, which divides by ``U``, has the same variance.
    """
    groups = deletion_groups(len(examples), examples.units)
    num_groups = int(groups.max()) + 1
    num_units = len(examples) if examples.units is None else len(np.unique(examples.units))
    value = metric.value(examples)
    without = np.array([metric.value(examples.only(groups != group)) for group in range(num_groups)])
    deviations = (num_groups - 1) * (value - without)[groups]
    pseudovalues: Values = math.sqrt(num_units / num_groups) * (deviations - deviations.mean()) + value
    return pseudovalues
