"""What a design can resolve."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezebench.errors import SettingsError
from freezebench.specs.interim_looks import InterimLooks
from freezebench.verdicts.crossed import interval_from_mean_squares
from freezebench.verdicts.mean_squares import MeanSquares, mean_squares_of_arms
from freezebench.verdicts.power import Population, deciding_counts, resolvable_margin, resolving_counts


@pytest.mark.parametrize(("num_seeds", "num_sentences", "expected"), [(3, 872, 2.2), (5, 1821, 1.4)])
def test_resolvable_margin_of_the_design(num_seeds: int, num_sentences: int, expected: float) -> None:
    """Three seeds x 872 sentences resolve about 2.2 points and five x 1821 about 1.4, as the design states."""
    assert round(resolvable_margin(num_seeds, num_sentences), 1) == expected


@settings(deadline=None)
@given(st.integers(3, 20), st.integers(10, 1821), st.sampled_from([0.02, 0.05]))
def test_more_data_and_milder_demands_resolve_more(num_seeds: int, num_sentences: int, alpha: float) -> None:
    """More seeds, less power or a larger error rate resolve more, and so do sentences where seeds are not the limit."""
    margin = resolvable_margin(num_seeds, num_sentences, alpha=alpha)
    assert resolvable_margin(num_seeds + 1, num_sentences, alpha=alpha) < margin
    assert resolvable_margin(num_seeds, 2 * num_sentences, alpha=alpha) < margin
    assert resolvable_margin(num_seeds, num_sentences, alpha=alpha, power=0.7) < margin
    assert resolvable_margin(num_seeds, num_sentences, alpha=alpha + 0.05) < margin


def test_one_seed_resolves_nothing() -> None:
    """With one seed no margin is wide enough."""
    assert resolvable_margin(1, 10_000) == math.inf


def test_a_quieter_population_resolves_more() -> None:
    """Less disagreement and less spread between seeds need a smaller margin."""
    quiet = Population(arm_disagreement=0.03, seed_disagreement=0.02, seed_sd_pp=0.1)
    assert resolvable_margin(3, 872, population=quiet) < resolvable_margin(3, 872) / 1.5


@pytest.mark.parametrize(
    ("counts", "options"),
    [((0, 100), {}), ((3, 1), {}), ((3, 100), {"power": 1.0}), ((3, 100), {"alpha": 0.0}), ((3, 100), {"power": 0.2})],
)
def test_unfit_plans_are_refused(counts: tuple[int, int], options: dict[str, float]) -> None:
    """Counts, power and error rates out of range are refused."""
    with pytest.raises(SettingsError):
        resolvable_margin(*counts, **options)  # type: ignore[arg-type]


def test_looks_share_the_error_rate() -> None:
    """Several looks spend 0.02 each, one look 0.05."""
    assert (InterimLooks().counts, InterimLooks().alpha, InterimLooks().max_seeds) == ((3, 5, 8), 0.02, 8)
    assert InterimLooks(counts=(3,)).alpha == 0.05
    assert [InterimLooks().after(done) for done in (0, 3, 4, 5, 8, 9)] == [3, 5, 5, 8, None, None]


@pytest.mark.parametrize("counts", [(), (0, 3), (3, 3), (5, 3)])
def test_unfit_looks_are_refused(counts: tuple[int, ...]) -> None:
    """Counts of seeds must be positive and increasing."""
    with pytest.raises(SettingsError, match="increasing"):
        InterimLooks(counts=counts)


def _squares(drop: float, *, num_seeds: int = 3, seed_sd: float = 0.004, num_sentences: int = 1000) -> MeanSquares:
    expected = Population(seed_sd_pp=100 * seed_sd).expected_mean_squares(num_seeds, num_sentences)
    return replace(expected, drop=np.asarray(drop))


def test_the_deciding_counts_are_the_smallest_that_decide() -> None:
    """In a design of that size the same variance components put the bound below the margin, one seed less does not."""
    squares = _squares(0.008)
    counts = deciding_counts(squares, 2.0)
    assert counts.num_seeds is not None
    for num_seeds, is_enough in ((counts.num_seeds, True), (counts.num_seeds - 1, False)):
        at_size = _squares(0.008, num_seeds=num_seeds)
        assert (interval_from_mean_squares(at_size).upper_pp < 2.0) is is_enough


def test_the_number_of_sentences_is_exact_to_a_few_per_cent() -> None:
    """With a small spread between seeds more sentences decide as well."""
    counts = deciding_counts(_squares(0.012, seed_sd=0.0005), 2.0)
    assert counts.num_sentences is not None
    sizes = (counts.num_sentences, True), (round(counts.num_sentences / 1.03), False)
    for num_sentences, is_enough in sizes:
        at_size = _squares(0.012, seed_sd=0.0005, num_sentences=num_sentences)
        assert (interval_from_mean_squares(at_size).upper_pp < 2.0) is is_enough


def test_what_is_decided_needs_nothing_more() -> None:
    """The counts are then those that were observed."""
    counts = deciding_counts(_squares(0.0, seed_sd=0.0005), 4.0)
    assert (counts.num_seeds, counts.num_sentences) == (3, 1000)


def test_no_count_undoes_a_drop_beyond_the_margin() -> None:
    """More runs would only prove the loss."""
    counts = deciding_counts(_squares(0.025), 2.0)
    assert (counts.num_seeds, counts.num_sentences) == (None, None)


def test_one_source_of_error_may_not_be_enough() -> None:
    """Sentences do not lessen the spread between seeds, and few sentences stay few with any number of seeds."""
    assert deciding_counts(_squares(0.01, seed_sd=0.02), 2.0).num_sentences is None
    assert deciding_counts(_squares(0.018, num_sentences=200), 2.0).num_seeds is None


def test_one_seed_has_no_spread_to_extrapolate() -> None:
    """Its mean square between seeds is zero because there is nothing to compare."""
    with pytest.raises(SettingsError, match="one seed"):
        deciding_counts(_squares(0.0, num_seeds=1), 2.0)


@pytest.mark.parametrize(
    ("design", "margin_pp", "counts"),
    [
        ((3, 872), 2.0, (4, 1308, True)),
        ((3, 872), 3.0, (3, 872, True)),  # it resolves the margin already
        ((3, 100), 2.0, (None, 1292, True)),  # few sentences remain few, whatever the number of seeds
        ((3, 872), 1.0, (None, None, True)),
        ((3, 872), 0.1, (None, None, False)),
    ],
)
def test_the_resolving_counts_are_the_smallest(
    design: tuple[int, int], margin_pp: float, counts: tuple[int | None, int | None, bool]
) -> None:
    """One seed less does not resolve the margin, and where no number suffices none is given."""
    num_seeds, num_sentences = design
    smallest = resolving_counts(*design, margin_pp)
    seeds, sentences = smallest.num_seeds, smallest.num_sentences
    assert (seeds, sentences, smallest.both_suffice) == counts
    if seeds is not None and seeds > num_seeds:
        assert resolvable_margin(seeds, num_sentences) <= margin_pp < resolvable_margin(seeds - 1, num_sentences)
    if sentences is not None:
        assert resolvable_margin(num_seeds, sentences) <= margin_pp
    if seeds is None:
        assert resolvable_margin(100, num_sentences) > margin_pp


def test_a_drop_above_the_margin_is_decided_by_its_lower_bound() -> None:
    """As far above the margin as another one is below, it takes as much; at the margin no number suffices."""
    below, above = deciding_counts(_squares(0.012), 2.0), deciding_counts(_squares(0.028), 2.0)
    assert below == above
    assert below.num_seeds is not None
    assert below.both_suffice
    at = deciding_counts(_squares(0.02), 2.0)
    assert (at.num_seeds, at.num_sentences, at.both_suffice) == (None, None, False)


def test_counts_are_those_of_the_metrics_own_unit() -> None:
    """A drop in nats needs as many seeds or sentences as the same figures in points do."""
    rng = np.random.default_rng(5)
    baseline, candidate = rng.normal(1.0, 0.3, size=(2, 3, 200))
    nats = mean_squares_of_arms(baseline, candidate, scale=1.0)
    points = replace(nats, scale=100.0)
    margin = float(nats.drop) + 0.01
    counts = deciding_counts(nats, margin)
    assert counts == deciding_counts(points, 100 * margin)
    assert counts.num_sentences is not None
    assert 200 < counts.num_sentences < 100_000
