"""The summary on a terminal of a given width: the answer first, then the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.summary import NUM_ANSWERS
from freezebench.report.terminal_table import figure_tables, text_tables
from freezebench.report.terminal_text import cut, one_line, wrap
from freezebench.verdicts.vocabulary import STANDINGS

if TYPE_CHECKING:
    from freezebench.report.summary import Summary
    from freezebench.report.terminal_table import Line, Style

# How the beginning of a line, up to its colon, is shown.
_LABELS: dict[str, Style] = {
    "Deepest safe prefix": "strong",
    "Recommended": "strong",
    **{f"Limit {term.word}": term.tone for standing, term in STANDINGS.items() if standing != "ok"},
    "Broken": "bad",
    "Contended": "unsure",
    "Warning": "unsure",
    "Undertrained": "unsure",
}


def title_line(summary: Summary, width: int) -> str:
    """Return what was trained on what, in one short line."""
    return cut(one_line(f"freezebench: {summary.title.split('; ')[0]}"), width)


def summary_lines(summary: Summary, width: int) -> list[Line]:
    """Return the whole summary in lines of at most ``width`` columns, each made of texts with their styles."""
    lines: list[Line] = []
    for sentence in summary.lines[:NUM_ANSWERS]:
        lines += _sentence(sentence, width)
    for table in figure_tables(summary, width):
        lines += [(), *table]
    headers, cells = summary.breakdown
    if headers:
        lines += [(), *(((line, ""),) for line in text_tables(headers, cells, width))]
    lines.append(())
    # The page has the sentences on smaller gaps.
    left_out = summary.gaps[1:]
    for sentence in (f"Setting: {summary.title}.", *summary.lines[NUM_ANSWERS:]):
        lines += [] if sentence in left_out else _sentence(sentence, width)
    return lines


def _sentence(text: str, width: int) -> list[Line]:
    """Return a sentence in lines, its label coloured."""
    first, *rest = wrap(text, width)
    label, colon, remainder = first.partition(":")
    style = _LABELS.get(label, "")
    begin: Line = ((label + colon, style), (remainder, "")) if style else ((first, ""),)
    return [begin, *(((line, ""),) for line in rest)]
