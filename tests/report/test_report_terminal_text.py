"""Text for a terminal: escaped, measured, cut, wrapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezebench.report.terminal_text import columns_of, cut, one_line, pad, wrap


def test_characters_that_could_move_the_cursor_are_escaped() -> None:
    """Newlines, escapes, direction marks and surrogates; letters of any script stay."""
    assert one_line("a\nb\x1b[31m\u202e\ud800") == r"a\nb\x1b[31m\u202e\ud800"
    assert one_line("模型/é×") == "模型/é×"


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
    assert "".join("".join(lines).split()) == "".join(one_line(text).split())


def test_following_lines_are_indented() -> None:
    """Indentation separates sentences; a word that is too long is broken."""
    assert wrap("Broken: out of memory", 12) == ["Broken: out", "  of memory"]
    assert wrap("saves 14 % of it", 9) == ["saves", "  14 % of", "  it"]
    assert wrap("x" * 7, 5) == ["xxxxx", "  xx"]
