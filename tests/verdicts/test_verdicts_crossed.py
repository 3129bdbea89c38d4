"""The crossed interval against published figures, independent computations, and the properties of the design."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.verdicts.crossed import crossed_interval, interval_from_mean_squares, standard_error
from freezebench.verdicts.mean_squares import MeanSquares, mean_squares, outcome_differences

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Output of OR-DBM MRMC 2.51 (Schartz, Hillis, Pesce & Berbaum, University of Iowa) for the VanDyke data: 5 readers,
# 114 cases, trapezoidal area, jackknife, readers and cases random. Stored publicly in github.com/dpc10ster/RJafroc,
# inst/IowaResults/VanDyke_trap_area_jackknife_anova.txt; the R package MRMCaov computes the same analysis.
READERS, CASES = 5, 114

outcomes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9).flatmap(
    lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
)


def squares_of_obuchowski_rockette(*, drop: float, reader_ms: float, case_covariance: float) -> MeanSquares:
    """Return our mean squares from those of reader-level figures: the case-level scale is ``CASES`` times larger."""
    return MeanSquares(
        drop=np.asarray(drop),
        seeds=np.asarray(CASES * reader_ms),
        sentences=np.asarray(CASES * READERS * case_covariance),
        residual=np.asarray(0.0),  # only the difference MS_I - MS_E = n k (covariance) enters
        num_seeds=READERS,
        num_sentences=CASES,
    )


@pytest.mark.parametrize(
    ("inputs", "printed"),
    [
        # Treatment 1 - 2; a difference has twice the treatment x reader mean square and twice Cov2 - Cov3.
        ((-0.04380032, 2 * 0.00055103, 2 * (0.00034407 - 0.00023903)), (0.02075, 15.26, -0.08796, 0.00036)),
        # Each treatment alone: MS(R) and Cov2 of that treatment.
        ((0.89703704, 0.00308263, 0.00048396), (0.03317360, 12.74, 0.82522360, 0.96885048)),
        ((0.94083736, 0.00130460, 0.00020419), (0.02156637, 12.71, 0.89413783, 0.98753689)),
    ],
)
def test_interval_agrees_with_published_multi_reader_analysis(
    inputs: tuple[float, float, float], printed: tuple[float, float, float, float]
) -> None:
    """Standard error, Hillis degrees of freedom and 95 % interval are those that OR-DBM MRMC prints for VanDyke."""
    drop, reader_ms, case_covariance = inputs
    squares = squares_of_obuchowski_rockette(drop=drop, reader_ms=reader_ms, case_covariance=case_covariance)
    interval = interval_from_mean_squares(squares, alpha=0.025)
    se, df, lower, upper = printed
    assert interval.se_pp / 100 == pytest.approx(se, abs=5e-6)
    assert interval.df == pytest.approx(df, abs=0.011)  # the published inputs are rounded to eight decimals
    assert interval.lower_pp / 100 == pytest.approx(lower, abs=2e-5)
    assert interval.upper_pp / 100 == pytest.approx(upper, abs=2e-5)


def test_one_seed_is_a_paired_t_interval_over_sentences() -> None:
    """With one seed the bounds are those of SciPy's one-sample t interval of the differences."""
    rng = np.random.default_rng(0)
    baseline, candidate = rng.random((1, 200)) < 0.9, rng.random((1, 200)) < 0.8
    interval = crossed_interval(baseline, candidate, alpha=0.05)
    expected = stats.ttest_1samp(outcome_differences(baseline, candidate)[0], 0.0).confidence_interval(0.90)
    assert (interval.lower_pp, interval.upper_pp) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert interval.df == 199
    assert interval.covers == "sentences only"


def test_drop_is_the_difference_of_accuracies() -> None:
    """The drop is baseline - candidate in percentage points, positive when the candidate is worse."""
    interval = crossed_interval([[True, True, True, False]] * 2, [[True, False, True, False]] * 2)
    assert interval.drop_pp == 25
    assert interval.covers == "seeds and sentences"


@pytest.mark.parametrize(("k", "n"), [(1, 100), (2, 50), (3, 872), (8, 2)])
def test_identical_predictions_have_the_floor_as_standard_error(k: int, n: int) -> None:
    """Arms that never differ get SE = sqrt(2) / (n sqrt(k)), not an interval without width."""
    same = np.ones((k, n), dtype=bool)
    interval = crossed_interval(same, same)
    assert interval.se_pp == pytest.approx(100 * math.sqrt(2) / (n * math.sqrt(k)))
    assert interval.lower_pp < 0 < interval.upper_pp


def test_no_spread_between_seeds_leaves_the_sentences() -> None:
    """Seeds that agree on every sentence have n - 1 degrees of freedom and the variance over sentences."""
    row = np.arange(40) % 8 > 0
    interval = crossed_interval(np.ones((3, 40), dtype=bool), np.tile(row, (3, 1)))
    assert interval.df == 39
    assert interval.se_pp == pytest.approx(100 * np.std(~row, ddof=1) / math.sqrt(40))


@settings(deadline=None)
@given(outcomes)
def test_swapping_the_arms_mirrors_the_interval(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    """Exchanging baseline and candidate exchanges the bounds and their signs, exactly."""
    there, back = crossed_interval(*arms), crossed_interval(arms[1], arms[0])
    assert (there.drop_pp, there.lower_pp, there.upper_pp) == (-back.drop_pp, -back.upper_pp, -back.lower_pp)


@settings(deadline=None)
@given(outcomes, st.randoms(use_true_random=False))
def test_order_of_seeds_and_sentences_is_irrelevant(
    arms: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    random: Any,  # hypothesis's random.Random
) -> None:
    """A joint permutation of seeds or sentences gives the same interval to the last bit."""
    seeds, sentences = list(range(arms[0].shape[0])), list(range(arms[0].shape[1]))
    random.shuffle(seeds)
    random.shuffle(sentences)
    shuffled = [arm[seeds][:, sentences] for arm in arms]
    assert crossed_interval(*shuffled) == crossed_interval(*arms)


@settings(deadline=None)
@given(outcomes)
def test_degrees_of_freedom_stay_in_their_range(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    """The degrees of freedom lie within k - 1 and n - 1, or are n - 1 when there are fewer sentences than seeds."""
    k, n = arms[0].shape
    assert min(k - 1, n - 1) <= crossed_interval(*arms).df <= n - 1


@pytest.mark.parametrize(
    ("k", "sentences", "df"),
    [(2, 3.0, 3.0), (2, 0.5, 1.0), (2, 0.0, 1.0), (2, 1e9, 99.0), (3, 3.0, 32.0), (3, 0.5, 4.5), (5, 3.0, 64.0)],
)
def test_two_seeds_have_fewer_degrees_of_freedom(k: int, sentences: float, df: float) -> None:
    """From three seeds on they are Hillis's; two take the plain ratio, which a lucky mean square inflates less."""
    squares = MeanSquares(
        drop=np.asarray(0.0),
        seeds=np.asarray(1.0),
        sentences=np.asarray(sentences),
        residual=np.asarray(0.0),
        num_seeds=k,
        num_sentences=100,
    )
    assert float(standard_error(squares)[1]) == df


def test_a_batch_gives_what_its_layouts_give() -> None:
    """Leading axes are a batch of independent layouts."""
    batch = np.random.default_rng(1).integers(-1, 2, size=(4, 3, 10))
    se, df = standard_error(mean_squares(batch))
    singles = [standard_error(mean_squares(layout)) for layout in batch]
    assert se.tolist() == [float(each[0]) for each in singles]
    assert df.tolist() == [float(each[1]) for each in singles]


GOOD = np.ones((2, 3), dtype=bool)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, -0.1, math.nan])
def test_unfit_error_rates_are_refused(alpha: float) -> None:
    """Error rates outside 0 to 0.5, and NaN, are refused with an error of the package."""
    with pytest.raises(SettingsError, match="error rate"):
        crossed_interval(GOOD, GOOD, alpha=alpha)
    assert issubclass(SettingsError, FreezebenchError)
