"""Tables on a terminal: numbers aligned at the decimal point, units in the headings, split to a given width."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from freezebench.escaping import terminal_line
from freezebench.report.columns import heading_words, result_columns
from freezebench.report.summary import MAJORITY_CLASS
from freezebench.report.terminal_text import columns_of, cut, pad
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from freezebench.report.column import Column, RowT
    from freezebench.report.summary import Summary
    from freezebench.verdicts.vocabulary import Term, Tone

Style = Literal["strong", "", "good", "unsure", "bad", "faint"]
Span = tuple[str, Style]
Line = tuple[Span, ...]

_GAP = "  "
# Specs of many parts are rare: the middle of their name is cut before figures are left out.
_WIDEST_NAME = 24
_SHORTEST_NAME = 8
_WIDEST_WORD = 34


@dataclass(frozen=True, kw_only=True)
class TerminalColumn:
    """One column as a terminal shows it.

    Attributes:
        heading: Lines of the heading.
        cells: One text per configuration.
        tones: Colour of each cell; empty: the usual one.
        rank: When it goes to a further table where the terminal is narrow: the higher the sooner; 0 is in the first
            ones.
        is_cost: Whether it is about what training takes, not about how good the result is.
        is_left: Whether its cells are aligned on the left.
        is_accuracy: Whether its figures are accuracies on the test split.
    """

    heading: tuple[str, ...]
    cells: tuple[str, ...]
    tones: tuple[Tone, ...] = ()
    rank: int = 0
    is_cost: bool = False
    is_left: bool = False
    is_accuracy: bool = False

    @property
    def width(self) -> int:
        """Width of its widest line."""
        return max(map(columns_of, (*self.heading, *self.cells)))


def figure_tables(summary: Summary, width: int) -> list[list[Line]]:
    """Return the result columns as one table or, if that is too wide, as several.

    Accuracy and verdicts come first, then what training takes. Columns with a rank are added while they fit, and the
    others follow in further tables.
    """
    words = heading_words(summary.rows, summary.results, summary.margin_pp)
    groups = _groups(result_columns(summary.rows), summary.rows, words, width)
    if summary.majority_accuracy is not None:
        groups = [_with_room_for_majority(shown, width) for shown in groups]
    return [[*_table(shown), *_majority_line(summary, shown)] for shown in groups]


def column_tables(
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    words: Mapping[str, str],
    width: int,
    *,
    widest_name: int = _WIDEST_NAME,
) -> list[list[Line]]:
    """Return rows of any kind as one table or, if that is too wide, as several, in the way of ``figure_tables``.

    Columns with a rank are left out where they do not fit: there may be many rows, and the files have all columns.

    Args:
        columns: The first one names the rows.
        rows: At least one row.
        words: What headings depend on.
        width: Most columns of the terminal that a line may take.
        widest_name: Names that are longer are cut in the middle.
    """
    groups = _groups(columns, rows, words, width, widest_name=widest_name, with_further=False)
    return [_table(shown) for shown in groups]


def _groups(
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    words: Mapping[str, str],
    width: int,
    *,
    widest_name: int = _WIDEST_NAME,
    with_further: bool = True,
) -> list[list[TerminalColumn]]:
    """Return the columns of each table, the one with the names first."""
    # Layout in three steps. The columns that are always shown make one table if it fits. If not, accuracy and costs get
    # tables of their own, packed to the width. Then each column with a rank joins a table of its kind while it fits,
    # and those that fit into none form a further one.
    shown = [column for column in columns if not column.page_only and not column.is_empty(rows)]
    first, *rest = (_terminal_column(column, rows, words) for column in shown)
    rest = [replace(column, cells=tuple(cut(cell, _WIDEST_WORD) for cell in column.cells)) for column in rest]
    first = _cut_names(first, rest, width, widest_name)
    needed = [column for column in rest if column.rank == 0]
    groups = [needed]
    if _width([first, *needed]) > width:
        halves = ([column for column in needed if column.is_cost is is_cost] for is_cost in (False, True))
        groups = list(itertools.chain.from_iterable(_packed(first, half, width) for half in halves))
    further: list[TerminalColumn] = []
    for column in sorted((column for column in rest if column.rank), key=lambda column: column.rank):
        # In split tables a cost belongs with costs, an accuracy with accuracies.
        kin = [group for group in groups if len(groups) == 1 or group[0].is_cost is column.is_cost]
        roomy = next((group for group in kin if _width([first, *group, column]) <= width), further)
        roomy.append(column)
    groups += _packed(first, sorted(further, key=rest.index), width) if with_further else []
    return [[first, *sorted(group, key=rest.index)] for group in groups]


def _cut_names(first: TerminalColumn, rest: Sequence[TerminalColumn], width: int, widest: int) -> TerminalColumn:
    """Return the column of names, cut where the other columns need the room: each of them has to fit next to it."""
    if _width([first, *rest]) <= width:
        return first
    room = width - len(_GAP) - max((column.width for column in rest), default=0)
    most = max(_SHORTEST_NAME, min(widest, room))
    return replace(first, cells=tuple(cut(cell, most) for cell in first.cells))


def _with_room_for_majority(shown: list[TerminalColumn], width: int) -> list[TerminalColumn]:
    """Return the columns, with more room for names where the accuracy is right behind names that are short."""
    first, *rest = shown
    missing = len(MAJORITY_CLASS) - first.width
    if missing <= 0 or not (rest and rest[0].is_accuracy) or _width(shown) + missing > width:
        return shown
    heading = (*first.heading[:-1], pad(first.heading[-1], len(MAJORITY_CLASS), left=True))
    return [replace(first, heading=heading), *rest]


def _majority_line(summary: Summary, shown: Sequence[TerminalColumn]) -> list[Line]:
    """Return the accuracy of always predicting the most frequent class, below the accuracies; nothing elsewhere."""
    position = next((index for index, column in enumerate(shown) if column.is_accuracy), None)
    if position is None or summary.majority_accuracy is None:
        return []
    # Its decimal point is below those of the accuracies, which may have a spread behind them.
    example = next((cell for cell in shown[position].cells if "." in cell), "0.0")
    figure = f"{100 * summary.majority_accuracy:.1f}"
    begin = _width(shown[:position]) + len(_GAP) + shown[position].width - columns_of(example)
    blanks = begin + example.index(".") - figure.index(".")
    return [((pad(cut(MAJORITY_CLASS, blanks - 1), blanks, left=True), "faint"), (figure, "faint"))]


def text_tables(headers: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table of texts, split into several with the same first column if it is too wide.

    Args:
        headers: One per column.
        cells: Rows.
        width: Most columns of the terminal that a line may take.
    """
    first, *rest = (
        TerminalColumn(heading=(header,), cells=tuple(row[index] for row in cells), is_left=True)
        for index, header in enumerate(headers)
    )
    groups = _packed(first, rest, width)
    return "\n\n".join(plain_text(_table([first, *group])) for group in groups).split("\n")


def term_tables(
    names: tuple[str, Sequence[str]], columns: Sequence[tuple[str, Sequence[Term]]], width: int
) -> list[list[Line]]:
    """Return a table of words and their colours, split into several with the same first column if it is too wide.

    Args:
        names: Heading and cells of the first column.
        columns: Heading and cells of every other one.
        width: Most columns of the terminal that a line may take.
    """
    most = min(_WIDEST_WORD, width - len(_GAP) - _SHORTEST_NAME)
    rest = [
        TerminalColumn(
            heading=(cut(terminal_line(heading), most),),
            cells=tuple(cut(terminal_line(term.word), most) for term in terms),
            tones=tuple(term.tone for term in terms),
            is_left=True,
        )
        for heading, terms in columns
    ]
    heading, cells = names
    first = TerminalColumn(heading=(heading,), cells=tuple(map(terminal_line, cells)), is_left=True)
    first = _cut_names(first, rest, width, _WIDEST_NAME)
    return [_table([first, *group]) for group in _packed(first, rest, width)]


def plain_text(lines: Sequence[Line]) -> str:
    """Return lines without their styles."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def aligned(values: Sequence[float | None], text: Callable[[float], str]) -> tuple[str, ...]:
    """Return texts of equal width, aligned at the decimal point; what was not measured is a dash.

    Args:
        values: The numbers.
        text: Writes a number.
    """
    texts = [NOT_MEASURED if value is None else text(value) for value in values]
    # Blanks after shorter fractions put all decimal points into one column.
    fractions = [len(cell) - cell.index(".") if "." in cell else 0 for cell in texts]
    longest = max(fractions)
    texts = [cell + " " * (longest - fraction) for cell, fraction in zip(texts, fractions, strict=True)]
    width = max(map(columns_of, texts))
    return tuple(pad(cell, width, left=False) for cell in texts)


def _terminal_column(column: Column[RowT], rows: Sequence[RowT], words: Mapping[str, str]) -> TerminalColumn:
    """Return one column, in the unit that suits its smallest figure."""
    if column.term is not None:
        terms = [column.term(row) for row in rows]
        cells, tones, unit = (
            tuple(terminal_line(term.word) for term in terms),
            tuple(term.tone for term in terms),
            "",
        )
    else:
        cells, unit = _number_cells(column, rows)
        tones = ()
    return TerminalColumn(
        heading=tuple(line.format_map({**words, "unit": unit}) for line in column.short_heading),
        cells=cells,
        tones=tones,
        rank=column.rank,
        is_cost=column.is_cost,
        is_left=column.term is not None,
        is_accuracy=column.name == "accuracy",
    )


def _number_cells(column: Column[RowT], rows: Sequence[RowT]) -> tuple[tuple[str, ...], str]:
    """Return the cells of a column of numbers and the unit of its heading."""
    values, text, unit = [column.source(row) for row in rows], column.text, ""
    # One unit for the whole column, so that its figures can be compared at a glance.
    if column.scale is not None:
        scale = column.scale(min((value for value in values if value is not None), default=0.0))
        values = [None if value is None else value / scale.factor for value in values]
        text, unit = scale.text, scale.unit
    cells = aligned(values, text)
    if column.spread is not None:
        spreads = [column.spread(row) for row in rows]
        cells = tuple(
            cell if value is None or spread is None else f"{cell} ± {shown}"
            for cell, value, spread, shown in zip(
                cells, values, spreads, aligned(spreads, column.spread_text), strict=True
            )
        )
    if column.bounds is not None:
        bounds = [[bound(row) for row in rows] for bound in column.bounds]
        texts = zip(*(aligned(side, column.bound_text) for side in bounds), strict=True)
        # A figure without bounds keeps its place.
        brackets = [
            f" [{low}, {high}]" if None not in pair else ""
            for (low, high), pair in zip(texts, zip(*bounds, strict=True), strict=True)
        ]
        widest = max(map(columns_of, brackets))
        cells = tuple(
            cell.strip() if value is None else cell + pad(bracket, widest, left=True)
            for cell, value, bracket in zip(cells, values, brackets, strict=True)
        )
    marks = [column.mark(row) for row in rows]
    longest = max(map(columns_of, marks))
    return tuple(cell + pad(mark, longest, left=True) for cell, mark in zip(cells, marks, strict=True)), unit


def _packed(first: TerminalColumn, needed: Sequence[TerminalColumn], width: int) -> list[list[TerminalColumn]]:
    """Return columns in as many groups as they need to fit next to the first one."""
    groups: list[list[TerminalColumn]] = []
    for column in needed:
        if groups and _width([first, *groups[-1], column]) <= width:
            groups[-1].append(column)
        else:
            groups.append([column])
    return groups


def _width(shown: Sequence[TerminalColumn]) -> int:
    return sum(column.width for column in shown) + len(_GAP) * (len(shown) - 1)


def _table(shown: Sequence[TerminalColumn]) -> list[Line]:
    """Return heading, rule and rows."""
    height = max(len(column.heading) for column in shown)
    # Short headings are right above their figures.
    heads = [("",) * (height - len(column.heading)) + column.heading for column in shown]
    lines = [_line(shown, [(head[index], "strong") for head in heads]) for index in range(height)]
    lines.append(_line(shown, [("-" * column.width, "faint") for column in shown]))
    for index in range(len(shown[0].cells)):
        cells: list[Span] = [(column.cells[index], column.tones[index] if column.tones else "") for column in shown]
        lines.append(_line(shown, cells))
    return lines


def _line(shown: Sequence[TerminalColumn], cells: Sequence[Span]) -> Line:
    """Return one line of a table, without blanks at its end."""
    spans: list[Span] = []
    for column, (text, style) in zip(shown, cells, strict=True):
        spans += [(_GAP if spans else "", ""), (pad(text, column.width, left=column.is_left), style)]
    # Trailing blanks would wrap on a terminal of exactly this width.
    while spans and not spans[-1][0].strip():
        spans.pop()
    last, style = spans[-1]
    return (*(span for span in spans[:-1] if span[0]), (last.rstrip(), style))
