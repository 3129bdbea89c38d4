"""The screen: a summary laid out for a terminal of a given width, the answer first and the evidence under it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.report.columns import Column, Style, columns
from freezebench.report.summary import NUM_ANSWERS
from freezebench.report.terminal_text import cut, one_line, pad, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.summary import Summary

Span = tuple[str, Style]
Line = tuple[Span, ...]

_GAP = "  "
# Specs of many parts are rare: their middle gives way before the figures do.
_WIDEST_NAME = 24


def title_line(summary: Summary, width: int) -> str:
    """Return what was trained on what, in one short line."""
    return cut(one_line(f"freezebench: {summary.title.split('; ')[0]}"), width)


def summary_lines(summary: Summary, width: int) -> list[Line]:
    """Return the whole summary in lines of at most so many columns, each made of texts and how they look."""
    lines: list[Line] = []
    for sentence in summary.lines[:NUM_ANSWERS]:
        lines += _sentence(sentence, width)
    for table in figure_tables(summary, width):
        lines += [(), *table]
    headers, cells = summary.breakdown
    if headers:
        lines += [(), *(((line, ""),) for line in text_tables(headers, cells, width))]
    lines.append(())
    for sentence in (f"Setting: {summary.title}.", *summary.lines[NUM_ANSWERS:]):
        lines += _sentence(sentence, width)
    return lines


def figure_tables(summary: Summary, width: int) -> list[list[Line]]:
    """Return one table or, where that is too wide, several: accuracy and verdicts first, what training takes after it.

    Figures that can be missed appear as far as there is room. All of them stand in the files of the report.
    """
    first, *rest = columns(summary.rows, summary.results)
    first = replace(first, cells=tuple(cut(cell, _WIDEST_NAME) for cell in first.cells))
    needed = [column for column in rest if column.rank == 0]
    groups = [needed]
    if _width([first, *needed]) > width:
        halves = ([column for column in needed if column.about_cost is about_cost] for about_cost in (False, True))
        groups = list(itertools.chain.from_iterable(_packed(first, half, width) for half in halves))
    for column in sorted((column for column in rest if column.rank), key=lambda column: column.rank):
        for group in groups:
            is_kin = len(groups) == 1 or group[0].about_cost is column.about_cost
            if is_kin and _width([first, *group, column]) <= width:
                group.append(column)
                break
    return [_table([first, *sorted(group, key=rest.index)]) for group in groups]


def text_tables(headers: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table of texts, cut into several with the same first column where it is too wide.

    Args:
        headers: One per column.
        cells: Rows.
        width: Most columns of the terminal that a line may take.
    """
    first, *rest = (
        Column(heading=(header,), cells=tuple(row[index] for row in cells), is_left=True)
        for index, header in enumerate(headers)
    )
    groups = _packed(first, rest, width)
    return "\n\n".join(plain_text(_table([first, *group])) for group in groups).splitlines()


def _packed(first: Column, needed: Sequence[Column], width: int) -> list[list[Column]]:
    """Return columns in as many groups as they need to fit beside the first one."""
    groups: list[list[Column]] = []
    for column in needed:
        if groups and _width([first, *groups[-1], column]) <= width:
            groups[-1].append(column)
        else:
            groups.append([column])
    return groups


def _width(shown: Sequence[Column]) -> int:
    return sum(column.width for column in shown) + len(_GAP) * (len(shown) - 1)


def _table(shown: Sequence[Column]) -> list[Line]:
    """Return heading, rule and rows."""
    height = max(len(column.heading) for column in shown)
    # Short headings stand right above their figures.
    heads = [("",) * (height - len(column.heading)) + column.heading for column in shown]
    lines = [_line(shown, [(head[index], "strong") for head in heads]) for index in range(height)]
    lines.append(_line(shown, [("-" * column.width, "faint") for column in shown]))
    for index in range(len(shown[0].cells)):
        cells = [(column.cells[index], column.styles[index] if column.styles else "") for column in shown]
        lines.append(_line(shown, cells))
    return lines


def _line(shown: Sequence[Column], cells: Sequence[Span]) -> Line:
    """Return one line of a table, without blanks at its end."""
    spans: list[Span] = []
    for column, (text, style) in zip(shown, cells, strict=True):
        spans += [(_GAP if spans else "", ""), (pad(text, column.width, left=column.is_left), style)]
    while spans and not spans[-1][0].strip():
        spans.pop()
    last, style = spans[-1]
    return (*(span for span in spans[:-1] if span[0]), (last.rstrip(), style))


_LABELS: dict[str, Style] = {
    "Deepest safe prefix": "strong",
    "Recommended": "strong",
    "Limit WORSE": "bad",
    "Limit UNDECIDED": "unsure",
    "Limit BROKEN": "bad",
    "Broken": "bad",
    "Warning": "unsure",
    "Undertrained": "unsure",
}


def _sentence(text: str, width: int) -> list[Line]:
    """Return a sentence in lines; what it begins with may be told by its colour as well."""
    first, *rest = wrap(text, width)
    label, colon, said = first.partition(":")
    style = _LABELS.get(label, "")
    begin: Line = ((label + colon, style), (said, "")) if style else ((first, ""),)
    return [begin, *(((line, ""),) for line in rest)]


def plain_text(lines: Sequence[Line]) -> str:
    """Return lines without their looks."""
    return "\n".join("".join(text for text, _ in line) for line in lines)
