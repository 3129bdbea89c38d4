"""Mean squares against published figures and independent computations, and what repeated texts change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from freezebench.verdicts.crossed import crossed_interval, interval_from_mean_squares, standard_error
from freezebench.verdicts.mean_squares import (
    OutcomesError,
    mean_squares,
    mean_squares_of_arms,
    mean_squares_of_numbers,
    outcome_differences,
)
from freezebench.verdicts.noninferiority import decide

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shrout & Fleiss (1979), Psychological Bulletin 86:420-428, tables 2 and 3: six targets rated by four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.int64
).T

arms_of_30 = st.tuples(hnp.arrays(np.bool_, (3, 30)), hnp.arrays(np.bool_, (3, 30)))
outcomes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9).flatmap(
    lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
)
GOOD = np.ones((2, 3), dtype=bool)


def test_mean_squares_agree_with_a_published_table() -> None:
    """The mean squares of Shrout & Fleiss's ratings are the published 32.49, 11.24 and 1.02."""
    squares = mean_squares(SHROUT_FLEISS)
    assert round(float(squares.seeds), 2) == 32.49
    assert round(float(squares.sentences), 2) == 11.24
    assert round(float(squares.residual), 2) == 1.02


def residual_sum_of_squares(design: NDArray[np.float64], response: NDArray[np.float64]) -> float:
    """Return the residual sum of squares of a linear model."""
    fitted = design @ np.linalg.lstsq(design, response, rcond=None)[0]
    return float(((response - fitted) ** 2).sum())


@settings(max_examples=50, deadline=None)
@given(outcomes)
def test_mean_squares_agree_with_least_squares(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    """The mean squares are the reductions in residual sum of squares of models fitted with explicit dummies."""
    differences = outcome_differences(*arms)
    k, n = differences.shape
    response = differences.astype(float).ravel()
    one = np.ones((k * n, 1))
    seeds: NDArray[np.float64] = np.repeat(np.eye(k), n, axis=0)
    sentences: NDArray[np.float64] = np.tile(np.eye(n), (k, 1))
    neither = residual_sum_of_squares(one, response)
    only_seeds = residual_sum_of_squares(seeds, response)
    both = residual_sum_of_squares(np.hstack([one, seeds, sentences]), response)
    squares = mean_squares(differences)
    assert float(squares.seeds) == pytest.approx((neither - only_seeds) / (k - 1), abs=1e-9)
    assert float(squares.sentences) == pytest.approx((only_seeds - both) / (n - 1), abs=1e-9)
    assert float(squares.residual) == pytest.approx(both / ((k - 1) * (n - 1)), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_variance_agrees_with_moments_of_pairs(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    """Without truncation and floor, SE² is Gallas's (2006) estimate from means over pairs of seeds and sentences."""
    d = outcome_differences(*arms).astype(float)
    k, n = d.shape
    same_seed, same_sentence = ~np.eye(n, dtype=bool), ~np.eye(k, dtype=bool)
    products = np.einsum("si,tj->stij", d, d)
    both_same = np.mean(d**2)
    one_seed = np.mean([products[s, s][same_seed] for s in range(k)])
    one_sentence = np.mean([products[:, :, i, i][same_sentence] for i in range(n)])
    neither = np.mean(products[same_sentence][:, same_seed])
    variance = (both_same + (n - 1) * one_seed + (k - 1) * one_sentence + (n - 1) * (k - 1) * neither) / (k * n)
    squares = mean_squares(outcome_differences(*arms))
    ours = float(squares.seeds + squares.sentences - squares.residual) / (k * n)
    assert ours == pytest.approx(float(variance - neither), abs=1e-12)


@settings(deadline=None)
@given(arms_of_30, st.integers(1, 20))
def test_repeats_of_all_sentences_leave_the_interval_as_it_was(
    arms: tuple[NDArray[np.bool_], NDArray[np.bool_]], times: int
) -> None:
    """The same 30 outcomes, up to twenty times, give the interval of the 30 to the last bit."""
    repeated = [np.tile(arm, times) for arm in arms]
    assert crossed_interval(*repeated, groups=np.tile(np.arange(30), times)) == crossed_interval(*arms)


@st.composite
def grouped_outcomes(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[int]]:
    """Draw outcomes of sentences some of which repeat a text, with outcomes of their own."""
    baseline, candidate = draw(outcomes)
    n = baseline.shape[1]
    groups = draw(st.lists(st.integers(-3, n), min_size=n, max_size=n).filter(lambda texts: len(set(texts)) > 1))
    return baseline, candidate, groups


@settings(deadline=None)
@given(grouped_outcomes())
def test_mean_squares_of_texts_are_those_of_the_ratio_estimator(
    case: tuple[NDArray[np.bool_], NDArray[np.bool_], list[int]],
) -> None:
    """They are the mean squares of z = D + (m / n) (y - n_c D), computed text by text in fractions of floats."""
    baseline, candidate, groups = case
    d = outcome_differences(baseline, candidate).astype(float)
    k, n = d.shape
    texts = sorted(set(groups))
    m, mean = len(texts), d.mean()
    members = [np.flatnonzero(np.asarray(groups) == text) for text in texts]
    z = np.stack([mean + m / n * (d[:, own].sum(axis=1) - len(own) * mean) for own in members], axis=1)
    assert z.mean(axis=1) == pytest.approx(d.mean(axis=1))
    between_seeds = m * ((z.mean(axis=1) - mean) ** 2).sum()
    between_texts = k * ((z.mean(axis=0) - mean) ** 2).sum()
    residual = ((z - mean) ** 2).sum() - between_seeds - between_texts
    squares = mean_squares(outcome_differences(baseline, candidate), groups)
    assert (squares.num_seeds, squares.num_sentences) == (k, m)
    assert float(squares.drop) == pytest.approx(mean)
    assert float(squares.seeds) == pytest.approx(between_seeds / (k - 1), abs=1e-9)
    assert float(squares.sentences) == pytest.approx(between_texts / (m - 1), abs=1e-9)
    assert float(squares.residual) == pytest.approx(residual / ((k - 1) * (m - 1)), abs=1e-9)


@settings(deadline=None)
@given(grouped_outcomes(), st.randoms(use_true_random=False))
def test_repeats_keep_the_symmetries(
    case: tuple[NDArray[np.bool_], NDArray[np.bool_], list[int]],
    random: Any,  # hypothesis's random.Random
) -> None:
    """Swapped arms mirror the interval, and neither the order of sentences nor the numbers of texts matter."""
    baseline, candidate, groups = case
    there = crossed_interval(baseline, candidate, groups=groups)
    back = crossed_interval(candidate, baseline, groups=groups)
    assert (there.drop_pp, there.lower_pp, there.upper_pp) == (-back.drop_pp, -back.upper_pp, -back.lower_pp)
    order = list(range(len(groups)))
    random.shuffle(order)
    renumbered = [1000 - 7 * groups[position] for position in order]
    assert crossed_interval(baseline[:, order], candidate[:, order], groups=renumbered) == there
    assert crossed_interval(baseline, candidate, groups=np.arange(len(groups))) == crossed_interval(baseline, candidate)


def test_one_seed_with_repeats_has_the_standard_error_of_a_ratio() -> None:
    """It is Cochran's for clusters of unequal size, sqrt(sum (y - n_c D)^2 / (m (m - 1))) / (n / m)."""
    baseline = np.array([[True, True, True, True, False, True]])
    candidate = np.array([[False, False, True, False, True, True]])
    interval = crossed_interval(baseline, candidate, groups=[0, 0, 1, 1, 2, 3])
    sums, sizes = np.array([2, 1, -1, 0]), np.array([2, 2, 1, 1])
    residuals = sums - sizes * (2 / 6)
    assert interval.se_pp == pytest.approx(100 * math.sqrt((residuals**2).sum() / (4 * 3)) / (6 / 4))
    assert (interval.df, interval.num_sentences) == (3, 4)


@pytest.mark.parametrize("repeats", ["all alike", "one text of a quarter", "of one to four"])
def test_bounds_cover_new_texts_whatever_repeats(repeats: str) -> None:
    """One-sided 95 % bounds miss in about 5 % of the cases, where bounds that count sentences miss far more often."""
    rng = np.random.default_rng(7)
    k, m, replications = 3, 60, 1500
    sizes = {
        "all alike": np.full(m, 5),
        "one text of a quarter": np.array([20, *[1] * (m - 1)]),
        "of one to four": 1 + np.arange(m) % 4,
    }[repeats]
    groups = np.repeat(np.arange(m), sizes)
    # Texts have an effect of their own and one per seed; all repeats of a text have the same outcome.
    texts = rng.standard_normal((replications, 1, m)) + rng.standard_normal((replications, k, m))
    differences = np.repeat(np.sign(np.round(texts / 2)), sizes, axis=-1).astype(np.int8)

    def misses(numbers: NDArray[np.int64] | None) -> float:
        squares = mean_squares(differences, numbers)
        se, df = standard_error(squares)
        return float((squares.drop - stats.t.ppf(0.95, df) * se > 0).mean())

    assert misses(groups) < 0.075
    assert misses(None) > misses(groups) + 0.015


@pytest.mark.parametrize("groups", [[0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]], ["a", "b", "c"]])
def test_groups_that_do_not_fit_are_refused(groups: Any) -> None:
    """Every sentence has the number of one text."""
    with pytest.raises(OutcomesError, match="one whole number per sentence, 3 of them"):
        crossed_interval(GOOD, GOOD, groups=groups)


def test_one_text_is_refused() -> None:
    """However often it is repeated, one text has no spread to judge by."""
    with pytest.raises(OutcomesError, match="2 seeds x 1 distinct sentences: give at least 1 seed and 2 distinct"):
        crossed_interval(GOOD, GOOD, groups=[4, 4, 4])


@pytest.mark.parametrize(
    ("candidate", "complaint"),
    [
        (np.ones((2, 4), dtype=bool), "same seeds and sentences"),
        (np.ones((3, 3), dtype=bool), "same seeds and sentences"),
        (np.ones(3, dtype=bool), "for one seed"),
        (np.ones((2, 3)), "not boolean"),
        (np.array([[1, 0, 1], [1, 1, 1]]), "not boolean"),
        (np.full((2, 3), np.nan), "not boolean"),
        (np.array([[True, None, True], [True, True, True]]), "not boolean"),
        ([[True], [True, False]], "ragged"),
        (np.ones((2, 0), dtype=bool), "empty"),
        (np.ones((0, 3), dtype=bool), "empty"),
    ],
)
def test_unfit_outcomes_are_refused(candidate: Any, complaint: str) -> None:
    """Outcomes of the wrong shape or type are refused, never cast or broadcast."""
    with pytest.raises(OutcomesError, match=complaint):
        crossed_interval(GOOD, candidate)


def test_one_sentence_is_refused() -> None:
    """One sentence has no spread to judge by."""
    with pytest.raises(OutcomesError, match="2 sentences"):
        crossed_interval([[True], [True]], [[True], [False]])


def test_differences_must_be_integers_with_two_axes() -> None:
    """Mean squares are exact for integers only, so nothing else is taken."""
    with pytest.raises(OutcomesError, match="integers"):
        mean_squares(np.zeros(3, dtype=np.int8))
    with pytest.raises(OutcomesError, match="integers"):
        mean_squares(np.zeros((2, 3)))  # type: ignore[arg-type]


def _numbers(rng: np.random.Generator, k: int, n: int) -> NDArray[np.float64]:
    return np.asarray(rng.normal(size=(k, n)) + rng.normal(size=(k, 1)) + rng.normal(size=n))


@given(seed=st.integers(0, 10**6), k=st.integers(1, 4), n=st.integers(2, 12))
def test_numbers_have_the_mean_squares_of_whole_numbers(seed: int, k: int, n: int) -> None:
    """The analysis of numbers is that of right and wrong outcomes, with and without repeated texts."""
    rng = np.random.default_rng(seed)
    baseline, candidate = rng.integers(0, 2, size=(2, k, n)).astype(bool)
    groups = rng.integers(0, 3, size=n)
    groups[:2] = 0, 1
    for texts in (None, groups):
        exact = mean_squares(outcome_differences(baseline, candidate), texts)
        assert mean_squares_of_arms(baseline.astype(float), candidate.astype(float), texts) == exact
        squares = mean_squares_of_arms(3.0 * baseline + 0.5, 3.0 * candidate + 0.5, texts)
        assert float(squares.drop) == pytest.approx(3 * float(exact.drop))
        for name in ("seeds", "sentences", "residual"):
            assert float(getattr(squares, name)) == pytest.approx(9 * float(getattr(exact, name)), abs=1e-9)


@given(seed=st.integers(0, 10**6), higher_is_better=st.booleans())
def test_swapped_arms_of_numbers_mirror_the_interval(seed: int, higher_is_better: bool) -> None:
    """So does another direction of the metric; the order of seeds and sentences does not matter."""
    rng = np.random.default_rng(seed)
    baseline, candidate, groups = _numbers(rng, 3, 20), _numbers(rng, 3, 20), rng.integers(0, 9, size=20)
    options: dict[str, Any] = {"scale": 1.0, "higher_is_better": higher_is_better}
    there = interval_from_mean_squares(mean_squares_of_arms(baseline, candidate, groups, **options))
    for squares in (
        mean_squares_of_arms(candidate, baseline, groups, **options),
        mean_squares_of_arms(baseline, candidate, groups, scale=1.0, higher_is_better=not higher_is_better),
    ):
        back = interval_from_mean_squares(squares)
        assert (back.drop_pp, back.lower_pp, back.upper_pp) == pytest.approx(
            (-there.drop_pp, -there.upper_pp, -there.lower_pp)
        )
    seeds, sentences = rng.permutation(3), rng.permutation(20)
    moved = mean_squares_of_arms(
        baseline[seeds][:, sentences], candidate[seeds][:, sentences], groups[sentences], **options
    )
    assert interval_from_mean_squares(moved).upper_pp == pytest.approx(there.upper_pp)


def test_a_drop_of_a_metric_in_points_is_a_hundredth_of_its_scale() -> None:
    """A margin in nats is compared with the drop itself."""
    baseline, candidate = np.full((2, 4), 0.75), np.full((2, 4), 0.5)
    assert interval_from_mean_squares(mean_squares_of_arms(baseline, candidate)).drop_pp == pytest.approx(25)
    assert interval_from_mean_squares(mean_squares_of_arms(baseline, candidate, scale=1.0)).drop_pp == 0.25


@pytest.mark.parametrize("scale", [100.0, 1.0])
def test_the_same_numbers_in_both_arms_have_an_interval_of_some_width(scale: float) -> None:
    """Equal outcomes, even ones that are all the same, are no proof that there is no difference at all."""
    for outcomes in (np.full((3, 40), 0.7), np.tile(np.arange(40.0), (3, 1)), np.zeros((3, 40)), np.ones((3, 40))):
        interval = interval_from_mean_squares(mean_squares_of_arms(outcomes, outcomes, scale=scale))
        assert interval.drop_pp == 0
        assert interval.lower_pp < -0.01 * scale / 100
        assert interval.upper_pp > 0.01 * scale / 100


def test_the_floor_of_other_metrics_is_at_least_that_of_accuracy() -> None:
    """An outcome in points changes by 1 at least, and by two standard deviations where they are larger."""
    halves = np.tile([0.25, 0.75], (3, 20))
    assert mean_squares_of_arms(halves, halves).least_change == 1
    assert mean_squares_of_arms(halves, halves, scale=1.0).least_change == pytest.approx(0.5)
    assert mean_squares_of_arms(8 * halves, 8 * halves).least_change == pytest.approx(4)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_outcomes_that_are_not_finite_never_pass(value: float) -> None:
    """One of them makes the verdict invalid."""
    baseline = np.tile([0.25, 0.75], (3, 20))
    candidate = baseline.copy()
    candidate[1, 3] = value
    for arms in ((baseline, candidate), (candidate, baseline), (candidate, candidate)):
        interval = interval_from_mean_squares(mean_squares_of_arms(*arms))
        assert decide(interval, margin_pp=1e9).outcome == "invalid"


def test_arms_of_other_shapes_cannot_be_paired() -> None:
    """The message has both shapes."""
    with pytest.raises(OutcomesError, match=r"shape \(2, 3\) with a candidate of \(2, 4\)"):
        mean_squares_of_arms(np.zeros((2, 3)), np.zeros((2, 4)))


def test_mean_squares_of_numbers_agree_with_a_published_table() -> None:
    """The table of Shrout & Fleiss in tenths: four judges and six targets; mean squares are in hundredths then."""
    squares = mean_squares_of_numbers(SHROUT_FLEISS / 10)
    figures = [float(figure) for figure in (squares.seeds, squares.sentences, squares.residual)]
    assert [round(100 * figure, 2) for figure in figures] == [32.49, 11.24, 1.02]
