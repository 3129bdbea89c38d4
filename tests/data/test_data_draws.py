"""Seeded draws: sizes, bounds, proportions and reproducibility."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from freezebench.data.draws import draw, held_out_size, notebook_halves

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
