"""Text in columns: names made harmless, and widths as a terminal counts them."""

from __future__ import annotations

import re
import unicodedata

_ELLIPSIS = "…"
# Control characters, invisible format characters (which may turn the direction of writing), surrogates, separators.
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NO_WIDTH = {"Mn", "Me"}


def one_line(text: str) -> str:
    r"""Return the text with every character that could move the cursor spelled out: ``\n``, ``\x1b``."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _HARMFUL else char
        for char in text
    )


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes; East Asian wide characters take two."""
    return sum(map(_char_columns, text))


def _char_columns(char: str) -> int:
    if unicodedata.category(char) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return the text, its middle left out where it is wider than so many columns: both ends of a name tell most."""
    if columns_of(text) <= width:
        return text
    head = _first(text, (width - 1) // 2)
    tail = _first(text[::-1], width - 1 - columns_of(head))[::-1]
    return head + _ELLIPSIS + tail


def _first(text: str, width: int) -> str:
    """Return as much of a text's beginning as fits."""
    columns = 0
    for end, char in enumerate(text):
        columns += _char_columns(char)
        if columns > width:
            return text[:end]
    return text


def pad(text: str, width: int, *, left: bool) -> str:
    """Return the text filled up with blanks, itself on the left or on the right."""
    blanks = " " * (width - columns_of(text))
    return text + blanks if left else blanks + text


def wrap(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return the text in lines of at most so many columns; all but the first are indented, long words are broken."""
    lines: list[str] = []
    line = ""
    # A number stays with its per cent.
    for word in filter(None, re.split(" +(?!%)", one_line(text))):
        if line.strip() and columns_of(line) + 1 + columns_of(word) > width:
            lines.append(line)
            line = indent
        line += ("" if not line.strip() else " ") + word
        while columns_of(line) > width:
            head = _first(line, width)
            lines.append(head)
            line = indent + line[len(head) :]
    return [*lines, line]
