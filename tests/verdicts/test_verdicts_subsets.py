"""Tests of verdicts on parts of the evidence, which share the error rate."""

from __future__ import annotations

import re

import numpy as np
import pytest

from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import MeanSquares, mean_squares_of_arms
from freezebench.verdicts.subsets import MIN_EXAMPLES, SubsetEvidence, judge_subsets, limit_part, too_few_units


def _squares(drop: float, *, num: int = 200, seed: int = 1) -> MeanSquares:
    """Return the mean squares of three seeds whose drop is about this proportion."""
    rng = np.random.default_rng(seed)
    baseline = rng.normal(0.8, 0.1, size=(3, num))
    return mean_squares_of_arms(baseline, baseline - rng.normal(drop, 0.2, size=(3, num)))


def _evidence(name: str, squares: MeanSquares | None, *, too_few: str | None = None) -> SubsetEvidence:
    return SubsetEvidence(
        name=name, kind="slice", num_examples=200, baseline=0.8, candidate=0.7, squares=squares, too_few=too_few
    )


def _judged(*evidence: SubsetEvidence, reference_pp: float = 2.0):  # type: ignore[no-untyped-def] # noqa: ANN202
    return judge_subsets(evidence, margin_pp=2.0, reference_pp=reference_pp, alpha=0.04, unit="points of macro F1")


def test_one_subset_has_the_interval_of_the_whole_error_rate() -> None:
    """There is nothing to share it with."""
    (only,) = _judged(_evidence("a", _squares(0.2)))
    interval = interval_from_mean_squares(_squares(0.2), alpha=0.04)
    assert only.verdict is not None
    assert only.verdict.interval == interval
    assert only.verdict.reason.endswith("is above 2 points of macro F1, 3 seeds")
    assert (only.name, only.kind, only.baseline, only.candidate) == ("a", "slice", 0.8, 0.7)


def test_the_error_rate_is_shared_by_holms_method() -> None:
    """The clearest subset has a quarter of it, the next a third; the undecided ones have that of the first of them."""
    squares = [_squares(0.02, seed=1), _squares(0.8, seed=2), _squares(0.021, seed=3), _squares(-0.2, seed=4)]
    verdicts = [item.verdict for item in _judged(*(_evidence(str(drop), item) for drop, item in enumerate(squares)))]
    assert [verdict and verdict.alpha for verdict in verdicts] == pytest.approx([0.02, 0.01, 0.02, 0.04 / 3])
    assert [verdict and verdict.outcome for verdict in verdicts] == [
        "inconclusive",
        "inferior",
        "inconclusive",
        "non_inferior",
    ]


def test_too_few_examples_decide_nothing() -> None:
    """Without an interval the reason says so; with one that does not hold the verdict does."""
    without, unreliable = _judged(
        _evidence("a", None, too_few="3, and an interval needs 10"),
        _evidence("b", _squares(0.4), too_few="4 examples of class x"),
    )
    assert (without.verdict, without.reason) == (None, "too few examples: 3, and an interval needs 10")
    assert unreliable.verdict is not None
    assert unreliable.verdict.outcome == "inconclusive"
    assert unreliable.verdict.reason == "too few examples: 4 examples of class x"


def test_a_metric_without_a_value_has_no_verdict() -> None:
    """It is never a pass."""
    undefined = mean_squares_of_arms(np.full((3, 40), np.nan), np.full((3, 40), 0.5))
    subset, other = _judged(_evidence("a", undefined), _evidence("b", _squares(-0.3)))
    assert (subset.verdict, subset.reason) == (None, "the metric has no value here")
    assert other.verdict is not None
    assert limit_part("slices", [subset, other], 2.0, "points").standing == "undecided"


@pytest.mark.parametrize(
    ("drops", "standing", "text"),
    [
        ((0.0, 0.4, 0.05), "worse", "slices: a drop of at most 5 points is allowed; inferior: 1 38.8 ("),
        ((0.0, 0.0, 0.05), "undecided", "slices: a drop of at most 5 points is allowed; inconclusive: 2 "),
        ((0.0, -0.1, 0.0), "ok", "slices: a drop of at most 5 points is allowed; all non-inferior: 0 "),
    ],
)
def test_a_limit_holds_for_every_subset(drops: tuple[float, ...], standing: str, text: str) -> None:
    """One that is past it fails, one that is undecided leaves all undecided; the sentence names these alone."""
    evidence = [_evidence(str(number), _squares(drop, seed=number)) for number, drop in enumerate(drops)]
    part = limit_part("slices", _judged(*evidence, reference_pp=5.0), 5.0, "points")
    assert part.standing == standing
    assert part.sentence.startswith(text)
    assert part.sentence.count(" to ") == (3 if standing == "ok" else 1)


def test_of_many_subsets_those_with_the_largest_drops_are_named() -> None:
    """A message of a hundred slices would hide everything else; reports have the tables of all."""
    drops = [0.3 + number / 100 for number in range(12)]
    evidence = [_evidence(f"s{number}", _squares(drop, seed=number)) for number, drop in enumerate(drops)]
    subsets = _judged(*evidence, reference_pp=5.0)
    names = {drop: subset.name for subset in subsets if subset.verdict and (drop := subset.verdict.drop_pp) is not None}
    sentence = limit_part("slices", subsets, 5.0, "points").sentence
    assert f"; inferior: {names[max(names)]} " in sentence
    assert sentence.count(" to ") == 8
    assert sentence.endswith(" and 4 more")


def test_drops_in_a_unit_of_the_metrics_own_have_more_decimals() -> None:
    """A drop of 0.03 nats is not written as 0.0."""
    rng = np.random.default_rng(1)
    losses = rng.normal(0.4, 0.1, size=(3, 200))
    squares = mean_squares_of_arms(losses, losses - rng.normal(0.03, 0.05, size=(3, 200)), scale=1.0)
    subsets = judge_subsets([_evidence("a", squares)], margin_pp=0.05, reference_pp=0.05, alpha=0.04, unit="nats")
    sentence = limit_part("slices", subsets, 0.05, "nats").sentence
    assert re.search(
        r"of at most 0\.05 nats is allowed; all non-inferior: a 0\.0\d\d \(0\.0\d\d to 0\.0\d\d\)$", sentence
    )


def test_a_subset_needs_some_distinct_texts() -> None:
    """Repeats of one text are one."""
    assert too_few_units(MIN_EXAMPLES, None) is None
    assert too_few_units(9, None) == "9, and an interval needs 10"
    assert too_few_units(40, np.arange(40) % 9) == "9 texts or groups, and an interval needs 10"
