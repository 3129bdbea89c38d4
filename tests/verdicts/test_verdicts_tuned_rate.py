"""The choice among learning rates."""

from __future__ import annotations

import math

import pytest

from freezebench.verdicts.tuned_rate import RateTrial, TunedRate


@pytest.mark.parametrize(
    ("losses", "chosen", "is_at_edge"),
    [
        ((0.3, 0.2, 0.4), 2.0, False),
        ((0.2, 0.2, 0.2), 1.0, True),
        ((0.4, 0.3, 0.2), 3.0, True),
        ((None, 0.5, math.nan), 2.0, False),
        ((None, math.inf, None), None, False),
    ],
)
def test_the_lowest_loss_chooses(losses: tuple[float | None, ...], chosen: float | None, is_at_edge: bool) -> None:
    """The smaller rate of equal ones; none where all broke."""
    trials = tuple(RateTrial(rate=rate, loss=loss) for rate, loss in zip((1.0, 2.0, 3.0), losses, strict=True))
    tuned = TunedRate(trials=trials[::-1], seed=41)
    assert (tuned.chosen, tuned.is_at_edge) == (chosen, is_at_edge)
