"""What a design can resolve."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezebench.errors import SettingsError
from freezebench.specs.interim_looks import InterimLooks
from freezebench.verdicts.power import Population, resolvable_margin


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
