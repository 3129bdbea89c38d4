"""The Pareto front."""

from __future__ import annotations

import pytest

from freezebench.report.pareto import pareto


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(1.0, 80.0), (2.0, 90.0), (3.0, 85.0)], [0, 1]),
        ([(2.0, 90.0), (1.0, 95.0)], [1]),
        ([(1.0, 90.0), (1.0, 95.0), (2.0, 95.0)], [1]),
        ([], []),
    ],
)
def test_the_pareto_front_has_no_dominated_points(points: list[tuple[float, float]], front: list[int]) -> None:
    """Cheapest first; of equals the better one, then the cheaper one."""
    assert pareto(points) == front
