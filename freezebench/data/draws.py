"""Seeded random draws of the examples of a split."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.specs.names import TaskName

HELD_OUT_FRACTION = 0.1
# Numbers are drawn from ranges that hold equally many, as classes are.
_NUM_BINS = 10
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


def draw_groups(
    strata: Sequence[int], groups: Sequence[int], size: int, *, seed: int, purpose: str, leave: int = 0
) -> tuple[int, ...]:
    """Return positions of a random draw of whole groups, in ascending order.

    Groups come in random order, and one is drawn if that brings the number of drawn examples of every stratum nearer to
    its share, as the sum of squares. So the size is met as nearly as the groups allow. If all groups are too large for
    that, it is the one that is nearest to the shares.

    Args:
        strata: Stratum of every example, such as its class.
        groups: Group of every example; examples of one group are drawn together.
        size: Number of examples to draw.
        seed: Seed of the draw.
        purpose: Makes draws for different purposes independent of each other.
        leave: Minimum of examples of every stratum that are not drawn.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    counts = Counter(strata)
    wanted = {stratum: size * count / counts.total() for stratum, count in counts.items()}
    drawn: Counter[int] = Counter()
    rng = random.Random(f"{seed}:{purpose}")  # noqa: S311 - no secret
    keys = {group: rng.random() for group in sorted(members)}
    of_groups = {group: Counter(strata[position] for position in own) for group, own in members.items()}

    def change(group: int) -> float:
        # (d + n - w)² - (d - w)², over the strata of the group: others stay as they are.
        return sum(num * (2 * (drawn[stratum] - wanted[stratum]) + num) for stratum, num in of_groups[group].items())

    def leaves_enough(group: int) -> bool:
        return all(drawn[stratum] + num <= counts[stratum] - leave for stratum, num in of_groups[group].items())

    chosen = []
    for group in sorted(members, key=keys.__getitem__):
        if change(group) < 0 and leaves_enough(group):
            drawn += of_groups[group]
            chosen.append(group)
    if size and not chosen:  # all groups are larger than what is to be drawn
        chosen = sorted(filter(leaves_enough, members), key=lambda group: (change(group), keys[group]))[:1]
    return tuple(sorted(position for group in chosen for position in members[group]))


def strata_of(labels: Sequence[Any], task: TaskName) -> list[int]:
    """Return the stratum of every example: its class, the range of its number, or none for other tasks."""
    if task == "sequence-classification":
        return list(labels)
    if task != "regression":
        return [0] * len(labels)
    # Equal numbers are of one range.
    ordered = sorted(labels)
    bounds = sorted({ordered[number * len(ordered) // _NUM_BINS] for number in range(1, _NUM_BINS)} - {ordered[0]})
    return [bisect_right(bounds, label) for label in labels]


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
