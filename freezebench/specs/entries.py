"""Entries of lists and of values per configuration, as options give them."""

from __future__ import annotations

import re

from freezebench.specs.strategies import split_outside_parentheses

_LINE_BREAKS = re.compile(r"[ \t]*[\r\n]\s*")


def split_entries(text: str) -> list[str]:
    """Return the entries of a text, separated by commas or, as in an ini file, by line breaks.

    What is in parentheses, the arguments of a strategy, is one entry, on however many lines. A comma at the end of a
    line is no other separator than the line break itself. An entry between two commas may be empty.
    """
    entries: list[str] = []
    for line in split_outside_parentheses(text.strip(), "\n"):
        one_line = _LINE_BREAKS.sub("", line)
        if one_line:
            entries += split_outside_parentheses(one_line.removesuffix(","), ",")
    # A comma at the very end leaves an entry empty, since nothing follows it.
    return [*entries, ""] if text.strip().endswith(",") or not entries else entries
