"""The layout of text on a terminal, in columns of the terminal."""

from __future__ import annotations

import re
import unicodedata

from freezebench.escaping import terminal_line

_ELLIPSIS = "…"
_NO_WIDTH = {"Mn", "Me"}


def columns_of(text: str) -> int:
    """Return the width of a text in columns of a terminal; East Asian wide characters take two."""
    return len(text) if text.isascii() else sum(map(_char_columns, text))


def _char_columns(char: str) -> int:
    # Combining marks are drawn over the character before them.
    if unicodedata.category(char) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return a text of at most ``width`` columns, its middle cut out: both ends of a name matter most."""
    if columns_of(text) <= width:
        return text
    head = _beginning(text, (width - 1) // 2)
    tail = _beginning(text[::-1], width - 1 - columns_of(head))[::-1]
    return head + _ELLIPSIS + tail


def _beginning(text: str, width: int) -> str:
    """Return the longest beginning of a text that fits into ``width`` columns."""
    columns = 0
    for end, char in enumerate(text):
        columns += _char_columns(char)
        if columns > width:
            return text[:end]
    return text


def pad(text: str, width: int, *, left: bool) -> str:
    """Return the text padded with blanks to ``width`` columns, aligned on the left or on the right."""
    blanks = " " * (width - columns_of(text))
    return text + blanks if left else blanks + text


def wrap(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return the text in lines of at most ``width`` columns; all but the first are indented, long words are broken."""
    lines: list[str] = []
    line = ""
    # A number and its per cent sign stay on one line.
    for word in filter(None, re.split(" +(?!%)", terminal_line(text))):
        if line.strip() and columns_of(line) + 1 + columns_of(word) > width:
            lines.append(line)
            line = indent
        # A piece that begins a line may look like a command only there.
        line += f" {word}" if line.strip() else terminal_line(word)
        while len(head := _beginning(line, width)) < len(line):
            lines.append(head)
            rest = line[len(head) :]
            line = indent + terminal_line(rest[:2]) + rest[2:]
    return [*lines, line]
