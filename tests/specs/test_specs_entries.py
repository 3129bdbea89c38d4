"""Entries of lists and of values per configuration."""

from __future__ import annotations

import pytest

from freezebench.specs.entries import split_entries


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("none, emb", ["none", "emb"]),
        ("lora(r=4,alpha=8),emb+lora(r=4)", ["lora(r=4,alpha=8)", "emb+lora(r=4)"]),
        ("lora(r=4,alpha=8):5,3", ["lora(r=4,alpha=8):5", "3"]),
        ("none\nlora(r=4,alpha=8)", ["none", "lora(r=4,alpha=8)"]),
        ("\n  none,\r\n  lora(r=4,\r\n    alpha=8),\n\n  emb\n", ["none", "lora(r=4,alpha=8)", "emb"]),
        ("", [""]),
        ("emb,", ["emb", ""]),
        ("emb,,head", ["emb", "", "head"]),
        (",emb", ["", "emb"]),
    ],
)
def test_commas_and_line_breaks_separate_unless_they_are_in_parentheses(text: str, entries: list[str]) -> None:
    """A strategy's arguments belong together; a gap remains one."""
    assert split_entries(text) == entries
