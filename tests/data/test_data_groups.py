"""Units of intervals, and slices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.data.groups import category, linked, slices_of
from freezebench.errors import DataError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a b ", "a b"),
        (3, "3"),
        (3.0, "3"),
        (0.5, "0.5"),
        (True, "True"),
        ("", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
        (1, "1"),
    ],
)
def test_values_are_read_as_text(value: object, text: str | None) -> None:
    """Whole numbers that pandas writes as floats are whole numbers."""
    assert category(value) == text


def test_numbers_may_have_names() -> None:
    """As those of a ``ClassLabel``; other numbers stay."""
    assert [category(value, ("news", "mail")) for value in (0, 1, 2, -1)] == ["news", "mail", "2", "-1"]


def test_a_repeat_joins_two_groups() -> None:
    """Units are numbered in the order of their first examples; missing values link nothing."""
    assert linked(["x", "y", "x", "z"]) == (0, 1, 0, 2)
    texts, groups = ["a", "b", "b", "c", "d"], ["1", "1", "2", "3", None]
    assert linked(texts, groups) == (0, 0, 0, 1, 2)
    assert linked([None, None]) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=12))
def test_units_are_connected_components(rows: list[tuple[int, int | None]]) -> None:
    """Two examples are of one unit exactly if a chain of equal keys leads from one to the other."""
    texts, groups = [text for text, _ in rows], [group for _, group in rows]
    units = linked(texts, groups)
    reached = [{number} for number in range(len(rows))]
    for _ in rows:
        for own in reached:
            for other in list(own):
                for third, (text, group) in enumerate(rows):
                    if text == rows[other][0] or (group is not None and group == rows[other][1]):
                        own.add(third)
    for number, own in enumerate(reached):
        assert {other for other in range(len(rows)) if units[other] == units[number]} == own


def test_slices_are_numbered_in_the_order_of_their_names() -> None:
    """Without a column there are none."""
    assert slices_of(("b", "a", "b"), "domain", "the test split") == ((1, 0, 1), ("a", "b"))
    assert slices_of(None, None, "the test split") == (None, ())


def test_too_many_slices_are_refused() -> None:
    """A column of ids is no column of slices."""
    values = tuple(str(number) for number in range(101))
    with pytest.raises(DataError, match=r"column 'id' divides the test split into 101 slices .* at most 100 can"):
        slices_of(values, "id", "the test split")
