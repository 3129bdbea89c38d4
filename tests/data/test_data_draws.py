"""Seeded draws: sizes, bounds, proportions and reproducibility."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from freezebench.data.draws import draw, draw_groups, held_out_size, notebook_halves, strata_of

labels_of = st.lists(st.integers(0, 5), min_size=1, max_size=80)


@given(labels=labels_of, size=st.integers(0, 100), seed=st.integers(0, 5), leave=st.integers(0, 3))
def test_draw_keeps_its_bounds(labels: list[int], size: int, seed: int, leave: int) -> None:
    """A draw has the requested size if the bounds allow it, no position twice, and leaves the minimum undrawn."""
    drawn = draw(labels, size, seed=seed, purpose="test", leave=leave)
    counts, taken = Counter(labels), Counter(labels[position] for position in drawn)
    possible = sum(max(0, count - leave) for count in counts.values())

    assert len(drawn) == min(size, possible)
    assert list(drawn) == sorted(set(drawn))
    assert all(taken[label] <= max(0, counts[label] - leave) for label in counts)


@given(labels=labels_of, size=st.integers(0, 100))
def test_draw_is_proportional(labels: list[int], size: int) -> None:
    """Without bounds every class is within one example of its share."""
    drawn = draw(labels, min(size, len(labels)), seed=1, purpose="test")
    taken = Counter(labels[position] for position in drawn)
    for label, count in Counter(labels).items():
        assert abs(taken[label] - len(drawn) * count / len(labels)) < 1


@given(labels=labels_of, extra=st.integers(0, 80))
def test_draw_covers_every_class(labels: list[int], extra: int) -> None:
    """With at least one example per class, a draw has every class."""
    classes = set(labels)
    drawn = draw(labels, len(classes) + extra, seed=1, purpose="test", at_least=1)
    assert {labels[position] for position in drawn} == classes


def test_draw_depends_on_seed_and_purpose() -> None:
    """The same seed gives the same rows, another seed or purpose others."""
    labels = [0, 1] * 100
    first = draw(labels, 20, seed=42, purpose="test")
    assert draw(labels, 20, seed=42, purpose="test") == first
    assert draw(labels, 20, seed=43, purpose="test") != first
    assert draw(labels, 20, seed=42, purpose="validation") != first


def test_draw_is_the_same_everywhere() -> None:
    """These rows are the same in every version: another draw would change the data that runs are compared on."""
    assert draw([0, 1, 2] * 20, 6, seed=42, purpose="test") == (11, 14, 25, 27, 54, 55)


def test_held_out_size() -> None:
    """It is a tenth, rounded, and at least one."""
    assert [held_out_size(number) for number in (1, 14, 16, 1000)] == [1, 1, 2, 100]


def test_notebook_halves_are_those_of_the_notebook() -> None:
    """1821 sentences give 910 and 911, in the order of `datasets`' permutation with seed 42."""
    validation, test = notebook_halves(1821)
    assert (len(validation), len(test)) == (910, 911)
    assert validation[:6] == (671, 374, 1707, 882, 1341, 772)
    assert test[:6] == (868, 371, 833, 1369, 419, 214)
    assert sorted((*validation, *test)) == list(range(1821))


@given(
    examples=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=60),
    size=st.integers(1, 20),
    leave=st.integers(0, 1),
)
def test_groups_are_drawn_whole(examples: list[tuple[int, int]], size: int, leave: int) -> None:
    """No group is parted, and every stratum keeps the minimum undrawn; the same seed gives the same groups."""
    strata, groups = [stratum for stratum, _ in examples], [group for _, group in examples]
    drawn = draw_groups(strata, groups, size, seed=1, purpose="test", leave=leave)
    assert list(drawn) == sorted(set(drawn))
    inside = {groups[position] for position in drawn}
    assert inside.isdisjoint(groups[position] for position in set(range(len(groups))) - set(drawn))
    counts, taken = Counter(strata), Counter(strata[position] for position in drawn)
    assert all(taken[stratum] <= counts[stratum] - leave for stratum in taken)
    assert drawn == draw_groups(strata, groups, size, seed=1, purpose="test", leave=leave)


def test_small_groups_meet_the_size_and_the_shares() -> None:
    """A tenth of 100 groups of mixed sizes, within a group of a tenth of the examples of each class."""
    groups = [number for number in range(100) for _ in range(number % 5 + 1)]
    strata = [int(position % 3 == 0) for position in range(len(groups))]
    drawn = draw_groups(strata, groups, 30, seed=42, purpose="test", leave=1)
    counts = Counter(strata[position] for position in drawn)
    assert abs(counts[0] - 20) <= 3
    assert abs(counts[1] - 10) <= 3
    assert drawn != draw_groups(strata, groups, 30, seed=43, purpose="test", leave=1)


def test_a_group_is_drawn_even_if_all_are_too_large() -> None:
    """The nearest one; none if it would leave nothing."""
    assert draw_groups([0] * 30, [0] * 12 + [1] * 18, 3, seed=1, purpose="test", leave=1) == tuple(range(12))
    assert draw_groups([0] * 30, [0] * 30, 3, seed=1, purpose="test", leave=1) == ()


def test_numbers_are_drawn_from_ranges_of_equal_size() -> None:
    """Equal numbers are of one range; other tasks than classes and numbers have one stratum."""
    assert Counter(strata_of([number / 7 for number in range(100)], "regression")) == dict.fromkeys(range(10), 10)
    strata = strata_of([1.0] * 50 + [2.0] * 50, "regression")
    assert strata == [0] * 50 + [1] * 50
    assert strata_of([3.0], "regression") == [0]
    assert strata_of([2, 0], "sequence-classification") == [2, 0]
    assert strata_of([(1, 0), (0, 1)], "multi-label") == strata_of([(1,), (2,)], "token-classification") == [0, 0]
