"""The Pareto front of costs and benefits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points (cost, benefit) on the Pareto front, cheapest first.

    No other point is both cheaper and better than one of them.
    """
    best = float("-inf")
    front = []
    # From cheap to expensive a point is on the front if it is better than all cheaper ones.
    for position in sorted(range(len(points)), key=lambda position: (points[position][0], -points[position][1])):
        if points[position][1] > best:
            front.append(position)
            best = points[position][1]
    return front
