"""Tests of the delete-group jackknife."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drawn_examples import drawn
from freezebench.scoring.confusion import ACCURACY, MACRO_F1
from freezebench.scoring.jackknife import NUM_GROUPS, deletion_groups, group_pseudovalues, jackknife_text
from freezebench.scoring.metric import Metric
from freezebench.scoring.outcomes import outcomes

MEAN = Metric(name="mean", label="mean", tasks=("regression",), value=lambda examples: float(examples.labels.mean()))
UNKNOWN_F1 = replace(MACRO_F1, leave_one_out=None)


def test_groups_are_of_equal_size_and_always_the_same() -> None:
    """Both arms need the same ones; few examples are a group each."""
    sizes = np.bincount(deletion_groups(1234))
    assert (len(sizes), sizes.min(), sizes.max()) == (NUM_GROUPS, 12, 13)
    assert np.array_equal(deletion_groups(1234), deletion_groups(1234))
    assert deletion_groups(30).tolist() == list(range(30))


def test_units_of_the_interval_stay_together() -> None:
    """Repeats of a text are left out together."""
    units = np.random.default_rng(0).integers(0, 300, 1000)
    groups = deletion_groups(1000, units)
    assert len(set(zip(units.tolist(), groups.tolist(), strict=True))) == len(set(units.tolist()))


def test_the_spread_of_a_mean_is_that_of_its_examples() -> None:
    """The variance of the mean is the one that the examples themselves give, but for the draw of the groups."""
    labels = np.random.default_rng(1).normal(size=5000)
    examples = replace(drawn("regression", 0), labels=labels, predictions=labels, scores=None)
    pseudovalues = group_pseudovalues(MEAN, examples)
    assert pseudovalues.mean() == pytest.approx(labels.mean())
    assert pseudovalues.var(ddof=1) == pytest.approx(1, rel=0.4)


def test_variances_agree_with_the_closed_form() -> None:
    """Over several data sets, the mean variance of a metric by groups is that by examples."""
    variances = []
    for seed in range(4):
        examples = drawn("sequence-classification", seed, 600)
        variances.append([outcomes(metric, examples).var() for metric in (MACRO_F1, UNKNOWN_F1)])
    by_example, by_group = np.mean(variances, axis=0)
    assert by_group == pytest.approx(by_example, rel=0.2)


def test_variances_of_repeated_texts_agree_with_the_closed_form() -> None:
    """Where each text is there four times, the sums over texts vary as much."""
    variances = []
    for seed in range(4):
        once = drawn("sequence-classification", seed, 300)
        examples = replace(
            once,
            labels=np.tile(once.labels, 4),
            predictions=np.tile(once.predictions, 4),
            scores=None,
            units=np.tile(np.arange(300), 4),
        )
        sums = (outcomes(metric, examples).reshape(4, 300).sum(axis=0) for metric in (MACRO_F1, UNKNOWN_F1))
        variances.append([values.var() for values in sums])
    by_example, by_group = np.mean(variances, axis=0)
    assert by_group == pytest.approx(by_example, rel=0.2)


def test_the_report_says_where_groups_are_left_out() -> None:
    """Not for metrics in closed form, and not for few examples."""
    assert (
        jackknife_text(UNKNOWN_F1, 2000) == "delete-group jackknife, 100 groups of the 2,000 examples drawn at random"
    )
    assert jackknife_text(UNKNOWN_F1, 100) is None
    assert jackknife_text(MACRO_F1, 2000) is None
    assert jackknife_text(ACCURACY, 2000) is None
