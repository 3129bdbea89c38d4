"""Verdicts: one interval, any margin, and nothing passes without proof."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from freezebench.errors import SettingsError
from freezebench.verdicts.crossed import Interval, crossed_interval, interval_from_mean_squares
from freezebench.verdicts.mean_squares import OutcomesError, mean_squares_of_arms
from freezebench.verdicts.noninferiority import Verdict, decide, deepest_safe, invalid_verdict, noninferiority

if TYPE_CHECKING:
    from numpy.typing import NDArray

BADNESS = {"non_inferior": 0, "inconclusive": 1, "inferior": 2}

margins = st.floats(min_value=0.1, max_value=100)


@st.composite
def intervals(draw: st.DrawFn, *, min_seeds: int = 1) -> Interval:
    """Draw an interval of any place and width."""
    drop, half_width = draw(st.floats(-100, 100)), draw(st.floats(0.01, 100))
    return Interval(
        drop_pp=drop,
        lower_pp=drop - half_width,
        upper_pp=drop + half_width,
        se_pp=half_width / 2,
        df=draw(st.floats(1, 1000)),
        alpha=0.05,
        num_seeds=draw(st.integers(min_seeds, 8)),
        num_sentences=872,
    )


def interval(lower_pp: float, upper_pp: float, *, num_seeds: int = 3) -> Interval:
    """Return an interval with these bounds."""
    return Interval(
        drop_pp=(lower_pp + upper_pp) / 2,
        lower_pp=lower_pp,
        upper_pp=upper_pp,
        se_pp=(upper_pp - lower_pp) / 4,
        df=5.0,
        alpha=0.05,
        num_seeds=num_seeds,
        num_sentences=872,
    )


@pytest.mark.parametrize(
    ("lower", "upper", "outcome", "reason"),
    [
        (-1.0, 1.3, "non_inferior", "upper bound 1.3 is below 2 points, 3 seeds"),
        (-1.0, 1.96, "non_inferior", "upper bound 1.96 is below 2 points, 3 seeds"),
        (-1.0, 2.0, "inconclusive", "the bounds -1.0 to 2.0000 contain 2 points, 3 seeds"),
        (1.0, 3.0, "inconclusive", "the bounds 1.0 to 3.0 contain 2 points, 3 seeds"),
        (2.0, 3.0, "inconclusive", "the bounds 2.0000 to 3.0 contain 2 points, 3 seeds"),
        (2.3, 4.0, "inferior", "lower bound 2.3 is above 2 points, 3 seeds"),
    ],
)
def test_the_table_of_outcomes(lower: float, upper: float, outcome: str, reason: str) -> None:
    """Each outcome comes from its side of the margin, bounds on the margin decide nothing, reasons show both."""
    verdict = decide(interval(lower, upper), 2.0)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_arrays_to_verdict() -> None:
    """Equal arms are non-inferior at two points, a large loss is inferior, and the interval is the crossed one."""
    rng = np.random.default_rng(0)
    baseline = rng.random((3, 872)) < 0.9
    same, worse = noninferiority(baseline, baseline), noninferiority(baseline, baseline & (rng.random((3, 872)) < 0.8))
    assert (same.outcome, worse.outcome) == ("non_inferior", "inferior")
    assert same.interval == crossed_interval(baseline, baseline, alpha=0.05)
    assert (same.num_seeds, same.num_sentences, same.margin_pp, same.alpha) == (3, 872, 2.0, 0.05)


def test_bounds_are_drops_that_there_can_be() -> None:
    """A t interval of two sentences is wider than all drops of a share; what is cut off decided nothing."""
    baseline = np.array([[True, False]] * 3)
    candidate = ~baseline
    whole = crossed_interval(baseline, candidate)
    assert whole.lower_pp < -100
    assert whole.upper_pp > 100
    verdict = noninferiority(baseline, candidate, 100.0)
    assert (verdict.drop_pp, verdict.lower_pp, verdict.upper_pp) == (whole.drop_pp, -100.0, 100.0)
    assert verdict.outcome == "inconclusive"
    assert verdict.reason == "the bounds -100.0 to 100.0000 contain 100 points, 3 seeds"


@pytest.mark.parametrize(
    ("scale", "is_share", "is_cut"), [(100.0, True, True), (100.0, False, False), (1.0, False, False)]
)
def test_only_differences_of_shares_have_a_largest_drop(scale: float, is_share: bool, is_cut: bool) -> None:
    """Correlations, R² and losses can drop by more than 100 points."""
    rng = np.random.default_rng(3)
    baseline, candidate = rng.random((2, 2)), rng.random((2, 2))
    squares = mean_squares_of_arms(baseline, candidate, scale=scale, is_share=is_share)
    whole = interval_from_mean_squares(squares)
    assert whole.upper_pp > scale
    verdict = decide(whole, 100.0)
    assert verdict.upper_pp == (scale if is_cut else whole.upper_pp)


def test_one_seed_gives_figures_and_no_verdict() -> None:
    """One seed is inconclusive whatever the margin, with that reason and the interval over sentences."""
    verdict = noninferiority(np.ones((1, 50), dtype=bool), np.ones((1, 50), dtype=bool), 100.0)
    assert verdict.outcome == "inconclusive"
    assert "one seed" in verdict.reason
    assert verdict.upper_pp is not None
    assert verdict.upper_pp < 100


@settings(deadline=None)
@given(intervals(), margins, margins)
def test_widening_the_margin_never_worsens_a_verdict(given_interval: Interval, first: float, second: float) -> None:
    """At the wider of two margins the outcome is at least as good."""
    narrow, wide = sorted((first, second))
    assert BADNESS[decide(given_interval, wide).outcome] <= BADNESS[decide(given_interval, narrow).outcome]


@settings(deadline=None)
@given(intervals(min_seeds=2), margins)
def test_a_verdict_never_contradicts_its_drop(given_interval: Interval, margin: float) -> None:
    """What passes has a drop below the margin, what fails one above it."""
    verdict = decide(given_interval, margin)
    assert verdict.outcome != "non_inferior" or given_interval.drop_pp < margin
    assert verdict.outcome != "inferior" or given_interval.drop_pp > margin


@settings(deadline=None)
@given(
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8).flatmap(
        lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
    ),
    st.integers(2, 4),
    margins,
)
def test_repeating_the_same_seeds_never_reverses_a_verdict(
    arms: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    times: int,
    margin: float,
) -> None:
    """More seeds of the same data may decide a verdict or open it, but not turn it round."""
    baseline, candidate = arms
    once = noninferiority(baseline, candidate, margin)
    more = noninferiority(np.tile(baseline, (times, 1)), np.tile(candidate, (times, 1)), margin)
    assert {once.outcome, more.outcome} != {"non_inferior", "inferior"}


@settings(deadline=None)
@given(intervals(), margins, margins)
def test_the_same_interval_serves_a_second_margin(given_interval: Interval, first: float, second: float) -> None:
    """Judging a verdict again at another margin is deciding its interval there."""
    assert decide(given_interval, first).at_margin(second) == decide(given_interval, second)


@pytest.mark.parametrize("field", ["drop_pp", "lower_pp", "upper_pp", "se_pp", "df"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_never_pass(field: str, value: float) -> None:
    """A figure that is not finite makes the verdict invalid at every margin."""
    change: dict[str, Any] = {field: value}
    verdict = decide(replace(interval(-1.0, 1.0), **change), 100.0)
    assert verdict.outcome == "invalid"
    assert verdict.at_margin(50.0).outcome == "invalid"


def test_a_share_is_no_margin() -> None:
    """No experiment resolves 0.02 points; an interval may be in another unit."""
    good = np.ones((2, 3), dtype=bool)
    with pytest.raises(SettingsError, match=r"the margin is 0\.02: give percentage points, 0\.1 or more\. .* 2 points"):
        noninferiority(good, good, 0.02)
    assert decide(interval(0.0, 0.01), 0.02).margin_pp == 0.02


@pytest.mark.parametrize("margin", [0.0, -2.0, math.nan, math.inf])
def test_unfit_margins_are_refused(margin: float) -> None:
    """A margin that is not a positive number is refused wherever it is given."""
    good = np.ones((2, 3), dtype=bool)
    verdict = decide(interval(0.0, 1.0))
    with pytest.raises(SettingsError, match="positive number"):
        decide(interval(0.0, 1.0), margin)
    with pytest.raises(SettingsError, match="positive number"):
        noninferiority(good, good, margin)
    with pytest.raises(SettingsError, match="positive number"):
        verdict.at_margin(margin)
    with pytest.raises(SettingsError, match="positive number"):
        invalid_verdict("crash", margin_pp=margin)


def test_unfit_outcomes_are_refused_by_the_public_function() -> None:
    """NaN among the outcomes is an error, not a verdict."""
    with pytest.raises(OutcomesError, match="not boolean"):
        noninferiority(np.ones((2, 3)), np.full((2, 3), np.nan))


def test_invalid_has_a_cause_and_no_figures() -> None:
    """An invalid verdict carries its cause, stays invalid at any margin, and refuses to be without a cause."""
    verdict = invalid_verdict("out of memory at step 12", num_seeds=3)
    assert (verdict.outcome, verdict.drop_pp, verdict.upper_pp, verdict.interval) == ("invalid", None, None, None)
    assert verdict.is_decided
    assert verdict.at_margin(5.0) == replace(verdict, margin_pp=5.0)
    with pytest.raises(SettingsError, match="cause"):
        invalid_verdict(" ")


SAFE, OPEN, WORSE = (decide(interval(low, high)) for low, high in ((-1.0, 1.0), (1.0, 3.0), (3.0, 5.0)))
BROKEN = invalid_verdict("crash")


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ([], None),
        ([OPEN, SAFE], None),
        ([SAFE, SAFE, OPEN, SAFE], "1"),
        ([SAFE, WORSE, SAFE], "0"),
        ([SAFE, BROKEN, SAFE], "0"),
        ([SAFE, SAFE], "1"),
    ],
)
def test_deepest_safe_stops_at_the_first_doubt(ladder: list[Verdict], expected: str | None) -> None:
    """The deepest safe configuration comes before the first one that is not non-inferior; later passes do not count."""
    assert deepest_safe({str(depth): verdict for depth, verdict in enumerate(ladder)}) == expected


def test_deepest_safe_needs_one_margin() -> None:
    """Verdicts at the asserted limits of different depths answer another question and are refused."""
    with pytest.raises(SettingsError, match="one margin"):
        deepest_safe({"emb": SAFE, "emb+L0": SAFE.at_margin(5.0)})


@settings(deadline=None)
@given(intervals(min_seeds=2), margins)
def test_a_verdict_holds_its_interval(given_interval: Interval, margin: float) -> None:
    """The interval can be taken back out of a verdict unchanged."""
    assume(given_interval.is_finite)
    assert decide(given_interval, margin).interval == given_interval


def test_repeated_sentences_are_no_further_evidence() -> None:
    """Counted as sentences, twenty copies of 30 outcomes would decide; as texts they decide as little as the 30."""
    rng = np.random.default_rng(40)
    baseline = rng.random((3, 30)) < 0.9
    candidate = np.where(rng.random((3, 30)) < 0.06, ~baseline, baseline)
    copies = np.tile(baseline, 20), np.tile(candidate, 20)
    own = noninferiority(baseline, candidate, margin_pp=5.0)
    naive = noninferiority(*copies, 5.0)
    assert (own.outcome, naive.outcome) == ("inconclusive", "non_inferior")
    bounds = [(verdict.interval.lower_pp, verdict.interval.upper_pp) for verdict in (own, naive) if verdict.interval]
    assert bounds == [pytest.approx((-6.8, 9.1), abs=0.05), pytest.approx((-2.1, 4.4), abs=0.05)]
    assert noninferiority(*copies, 5.0, groups=np.tile(np.arange(30), 20)) == own


def test_too_few_examples_decide_nothing_at_any_margin() -> None:
    """An interval that cannot be trusted is neither non-inferior nor inferior, and more seeds do not help."""
    for drop in (-9.0, 0.0, 50.0):
        verdict = decide(interval(drop - 1, drop + 1), 2.0, unit="points of macro F1", too_few="3 examples of class b")
        for each in (verdict, verdict.at_margin(40.0)):
            assert (each.outcome, each.reason) == ("inconclusive", "too few examples: 3 examples of class b")
            assert each.drop_pp == drop
            assert each.is_decided


def test_a_metric_without_a_value_has_no_figures() -> None:
    """Where examples are too few, a metric may have no value: that is undecided, and without the reason invalid."""
    undefined = replace(interval(-1.0, 1.0), drop_pp=math.nan, lower_pp=math.nan, upper_pp=math.nan)
    verdict = decide(undefined, 2.0, too_few="0 examples of class b")
    assert (verdict.outcome, verdict.drop_pp, verdict.interval) == ("inconclusive", None, None)
    assert verdict.at_margin(3.0).outcome == "inconclusive"
    assert decide(undefined, 2.0).outcome == "invalid"


@pytest.mark.parametrize("unit", ["points", "nats", "points of macro F1"])
def test_reasons_name_the_unit(unit: str) -> None:
    """A margin without a unit means nothing."""
    assert decide(interval(-1.0, 1.0), 2.0, unit=unit).reason.endswith(f"is below 2 {unit}, 3 seeds")
    one = unit.replace("points", "point")
    assert f"above 1 {one}, " in decide(interval(8.0, 10.0), 2.0, unit=unit).at_margin(1.0).reason


def test_transposed_arrays_are_refused() -> None:
    """A thousand seeds of three sentences are three seeds of a thousand sentences."""
    baseline = np.random.default_rng(1).random((1000, 3)) < 0.9
    with pytest.raises(OutcomesError, match=r"1000 seeds and 3 distinct sentences: .* Give them transposed"):
        noninferiority(baseline, baseline)
    assert noninferiority(baseline.T, baseline.T).num_seeds == 3
