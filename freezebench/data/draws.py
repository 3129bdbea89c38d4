"""Seeded random draws of the examples of a split."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HELD_OUT_FRACTION = 0.1
NOTEBOOK_SPLIT_SEED = 42


def draw(
    labels: Sequence[int], size: int, *, seed: int, purpose: str, at_least: int = 0, leave: int = 0
) -> tuple[int, ...]:
    """Return positions of a random draw that keeps the share of every class, in ascending order.

    Args:
        labels: Class of every example.
        size: Number of examples to draw; fewer are drawn if the bounds allow no more.
        seed: Seed of the draw.
        purpose: Makes draws for different purposes independent of each other.
        at_least: Minimum of drawn examples of every class, as far as it has so many.
        leave: Minimum of examples of every class that are not drawn.
    """
    positions: dict[int, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        positions[label].append(position)
    shares = _shares(Counter(labels), size, at_least, leave)
    # Only `random()` gives the same numbers in all versions of Python, so examples are shuffled by sorting.
    rng = random.Random(f"{seed}:{purpose}")  # noqa: S311 - no secret
    drawn: list[int] = []
    for label in sorted(positions):
        keys = [rng.random() for _ in positions[label]]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        drawn.extend(positions[label][index] for index in order[: shares[label]])
    return tuple(sorted(drawn))


def _shares(counts: Counter[int], size: int, at_least: int, leave: int) -> dict[int, int]:
    """Return how many of each class are drawn: proportional, rounded by largest remainder, within bounds."""
    total = counts.total()
    # The method of largest remainders (Hamilton's), within the bounds of every class.
    quotas = {label: size * count / total for label, count in counts.items()}
    upper = {label: max(0, count - leave) for label, count in counts.items()}
    lower = {label: min(at_least, upper[label]) for label in counts}
    shares = {label: min(max(math.floor(quotas[label]), lower[label]), upper[label]) for label in counts}
    missing = size - sum(shares.values())
    step = 1 if missing > 0 else -1
    bound = upper if step > 0 else lower
    # Each iteration adds or removes one example. Ties go to the smaller class number, so the draw is reproducible.
    heap = [(step * (shares[label] - quotas[label]), label) for label in counts if shares[label] != bound[label]]
    heapq.heapify(heap)
    while missing and heap:
        urgency, label = heapq.heappop(heap)
        shares[label] += step
        missing -= step
        if shares[label] != bound[label]:
            heapq.heappush(heap, (urgency + 1, label))
    return shares


def held_out_size(num_examples: int) -> int:
    """Return the size of a split that is drawn from ``num_examples``: a tenth, at least one."""
    return max(1, round(num_examples * HELD_OUT_FRACTION))


def notebook_halves(num_examples: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the positions of the notebook's validation and test sentences within the test split, in its order.

    The notebook calls ``Dataset.train_test_split`` of `datasets`, whose permutation differs from scikit-learn's, so the
    same method is used here: 1821 sentences give 910 and 911.
    """
    if num_examples < 2:  # noqa: PLR2004 - one for each half
        return (), tuple(range(num_examples))
    from datasets import Dataset

    halves = Dataset.from_dict({"position": list(range(num_examples))}).train_test_split(
        test_size=0.5, seed=NOTEBOOK_SPLIT_SEED, shuffle=True
    )
    return tuple(halves["train"]["position"]), tuple(halves["test"]["position"])
