"""The summary as Markdown: tables and sentences, in which names from models and data stay text."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from tabulate import tabulate

from freezebench.escaping import markdown_text
from freezebench.report.columns import heading_words, result_columns
from freezebench.report.overview.columns import overview_columns, overview_words
from freezebench.report.overview.front_columns import front_columns, front_words
from freezebench.report.summary import MAJORITY_CLASS
from freezebench.report.tracebacks import markdown_tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.report.column import Column, RowT
    from freezebench.report.overview.overview import Overview
    from freezebench.report.summary import Summary


def markdown_report(summaries: Iterable[Summary], overview: Overview | None = None) -> str:
    """Return the content of ``report.md``; of several experiments the overview comes first."""
    parts = ["# freezebench report", *([] if overview is None else overview_parts(overview))]
    for summary in summaries:
        headline, *rest = map(markdown_text, summary.answer_lines)
        parts += [f"## {markdown_text(summary.title)}", f"**{headline}**", *rest, results_table(summary)]
        for headers, cells in (summary.breakdown, summary.memory):
            parts += [markdown_table(headers, cells)] if headers else []
        parts += subset_parts(summary)
        parts.append("\n".join(f"- {markdown_text(line)}" for line in (*summary.lines, *summary.notes)))
        parts += markdown_tracebacks(summary.tracebacks)
    return "\n\n".join(parts) + "\n"


def overview_parts(overview: Overview) -> list[str]:
    """Return the overview of several experiments: the sentence, the rows, the matrix, and the joint Pareto front."""
    rows = overview.rows
    parts = [f"## {overview.title}", f"**{markdown_text(overview.sentence)}**"]
    parts.append(column_table(overview_columns(rows), rows, overview_words(rows)))
    parts += [markdown_text(overview.device_sentence)] if overview.device_sentence else []
    if overview.matrix is not None:
        names = zip(overview.matrix.models, overview.matrix.cells, strict=True)
        cells = [[model, *(term.word for term in terms)] for model, terms in names]
        parts += [f"{overview.matrix_title}:", markdown_table(["model", *overview.matrix.data], cells)]
    if overview.front is not None:
        parts.append(markdown_text(f"Joint Pareto front. {overview.front_title}"))
        best = overview.front.best
        parts.append(
            column_table(front_columns(overview.front.cost_name, overview.front.metric), best, front_words(best))
        )
    return parts


def subset_parts(summary: Summary) -> list[str]:
    """Return the tables of classes, slices and test sets, each under its title."""
    return [
        part
        for table in summary.subsets
        for part in (
            f"### {markdown_text(table.title)}",
            markdown_table(table.headers, table.cells),
            markdown_text(table.caption),
        )
    ]


def results_table(summary: Summary) -> str:
    """Return the result columns as a table whose heading is one line, as GitHub needs it."""
    words = heading_words(summary.rows, summary.results, summary.margin_pp)
    majority = summary.majority_accuracy
    last = {} if majority is None else {"freeze": MAJORITY_CLASS, "accuracy": f"{100 * majority:.1f}"}
    return column_table(result_columns(summary.rows), summary.rows, words, last_row=last)


def column_table(
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    words: Mapping[str, str],
    *,
    last_row: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return rows of any kind as a table.

    Args:
        columns: The columns.
        rows: The rows.
        words: What headings depend on.
        last_row: Cells of a further row by the name of their column; without any there is none.
    """
    shown = [
        column.in_one_unit(rows)
        for column in columns
        if not column.page_only and not (column.hide_empty and column.is_empty(rows))
    ]
    headers = [column.heading.format_map(words) for column in shown]
    cells = [[column.cell(row) for column in shown] for row in rows]
    if last_row:
        cells.append([last_row.get(column.name, "") for column in shown])
    return markdown_table(headers, cells, ["right" if column.term is None else "left" for column in shown])


def markdown_table(
    headers: Sequence[str], cells: Sequence[Sequence[str]], alignment: Sequence[str] | None = None
) -> str:
    """Return a table of texts.

    Args:
        headers: One per column.
        cells: Rows.
        alignment: ``left`` or ``right`` of every column; ``None``: all begin at the left.
    """
    escaped_headers, *escaped_cells = ([markdown_text(cell) for cell in row] for row in (headers, *cells))
    # Numbers are formatted already: tabulate must neither parse them nor align them by their decimal point.
    return tabulate(
        escaped_cells, headers=escaped_headers, tablefmt="github", disable_numparse=True, colalign=alignment
    )
