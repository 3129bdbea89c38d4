"""Text for a terminal: measured, cut, wrapped."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.escaping import terminal_line
from freezebench.report.terminal_text import columns_of, cut, pad, wrap


def test_wide_characters_take_two_columns_and_accents_none() -> None:
    """Widths are those of a terminal."""
    assert columns_of("模型") == 4
    assert columns_of("e\u0301") == 1
    assert pad("模", 4, left=True) == "模  "
    assert pad("7", 3, left=False) == "  7"


@pytest.mark.parametrize(("width", "shown"), [(9, "namespace"), (8, "nam…pace"), (1, "…")])
def test_a_cut_keeps_both_ends(width: int, shown: str) -> None:
    """The middle of a name is replaced by an ellipsis."""
    assert cut("namespace", width) == shown


@given(st.text(max_size=60), st.integers(3, 40))
def test_no_text_is_wider_than_the_limit(text: str, width: int) -> None:
    """This holds for any text, and wrapping loses no word."""
    assert columns_of(cut(text, width)) <= width
    lines = wrap(text, width, indent="")
    assert all(columns_of(line) <= width for line in lines)
    shown, whole = ("".join("".join(pieces).split()) for pieces in (lines, [terminal_line(text)]))
    assert shown.replace(r"\x3a", ":") == whole.replace(r"\x3a", ":")


def test_following_lines_are_indented() -> None:
    """Indentation separates sentences; a word that is too long is broken."""
    assert wrap("Broken: out of memory", 12) == ["Broken: out", "  of memory"]
    assert wrap("saves 14 % of it", 9) == ["saves", "  14 % of", "  it"]
    assert wrap("x" * 7, 5) == ["xxxxx", "  xx"]


@pytest.mark.parametrize("sign", ["x", "模", "\u202e", ":"])
def test_a_name_as_long_as_a_cell_is_wrapped_at_once(sign: str) -> None:
    """The time grows with the length, not with its square: a class may have such a name."""
    start_s = time.process_time()
    lines = wrap(sign * 131_072, 100)
    assert time.process_time() - start_s < 5
    assert all(columns_of(line) <= 100 for line in lines[:50])
