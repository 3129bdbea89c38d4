"""Which of several configurations may be recommended, at the error rate of one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from freezebench.verdicts.crossed import Interval
from freezebench.verdicts.noninferiority import decide, invalid_verdict
from freezebench.verdicts.selection import num_shown, p_value
from freezebench.verdicts.superiority import holm

if TYPE_CHECKING:
    from freezebench.verdicts.noninferiority import Verdict

ALPHA, DF = 0.05, 10.0


def verdict(p: float, *, num_seeds: int = 3) -> Verdict:
    """Return a verdict at a margin of 2 points with this p-value and a standard error of 1 point."""
    drop_pp, width = 2.0 + float(stats.t.ppf(p, DF)), float(stats.t.ppf(1 - ALPHA, DF))
    interval = Interval(
        drop_pp=drop_pp, lower_pp=drop_pp - width, upper_pp=drop_pp + width, se_pp=1.0, df=DF, alpha=ALPHA,
        num_seeds=num_seeds, num_sentences=872,
    )  # fmt: skip
    return decide(interval, 2.0)


def shown(*sequences: tuple[float, ...]) -> list[int]:
    """Return how many of each sequence of p-values are shown."""
    return num_shown([[verdict(p) for p in sequence] for sequence in sequences])


def test_the_p_value_is_that_of_the_bound_at_the_margin() -> None:
    """With an error rate of p, the upper bound is the margin; one seed shows nothing."""
    assert p_value(verdict(0.013)) == pytest.approx(0.013)
    assert p_value(verdict(0.013, num_seeds=1)) == 1.0
    assert p_value(invalid_verdict("it crashed")) == 1.0


def test_one_sequence_is_judged_in_order_at_the_full_error_rate() -> None:
    """What is behind a verdict that is not non-inferior does not count."""
    assert shown((0.04, 0.049, 0.06, 0.001)) == [2]
    assert shown(()) == [0]


def test_several_sequences_share_the_error_rate() -> None:
    """Alone 0.03 would do; with a second sequence it has to be 0.025."""
    assert shown((0.03,), (0.2,)) == [0, 0]
    assert shown((0.024, 0.026), (0.2,)) == [1, 0]


def test_a_sequence_that_is_shown_as_a_whole_passes_its_share_on() -> None:
    """As long as the last one of a sequence is not shown, it keeps its share."""
    assert shown((0.03,), (0.02,)) == [1, 1]
    assert shown((0.03,), (0.02, 0.9)) == [0, 1]


def test_invalid_and_lost_classes_stop_a_sequence() -> None:
    """A small p-value does not make a configuration safe that is not, for another reason."""
    lost = replace(verdict(0.001), outcome="inferior")
    assert num_shown([[lost, verdict(0.001)], [invalid_verdict("it crashed")]]) == [0, 0]


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 0.2), min_size=1, max_size=8))
def test_single_verdicts_are_corrected_by_holm(p_values: list[float]) -> None:
    """The same hypotheses are rejected as by adjusted p-values."""
    adjusted = holm(p_values)
    if all(abs(p - ALPHA) > 1e-9 for p in adjusted):  # the p-values are recomputed, which rounds
        assert shown(*((p,) for p in p_values)) == [int(p <= ALPHA) for p in adjusted]
