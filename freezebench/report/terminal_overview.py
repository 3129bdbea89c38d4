"""The overview of several experiments on a terminal of a given width."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezebench.report.overview.columns import overview_columns, overview_words
from freezebench.report.overview.front_columns import front_columns, front_words
from freezebench.report.overview.rows import short_names
from freezebench.report.terminal_table import column_tables, term_tables
from freezebench.report.terminal_text import wrap
from freezebench.verdicts.vocabulary import Term

if TYPE_CHECKING:
    from freezebench.report.overview.overview import Overview
    from freezebench.report.terminal_table import Line, Style

# Names of models and data are the longest names of all tables.
_WIDEST_NAME = 32


def overview_lines(overview: Overview, width: int) -> list[Line]:
    """Return the overview in lines of at most ``width`` columns: the sentence, the rows, the matrix and the front."""
    lines = _text(overview.sentence, width, "strong")
    words = overview_words(overview.rows)
    columns = overview_columns(overview.rows)
    named = replace(columns[0], term=lambda row: Term(word=row.short_label))
    for table in column_tables([named, *columns[1:]], overview.rows, words, width, widest_name=_WIDEST_NAME):
        lines += [(), *table]
    if overview.device_sentence is not None:
        lines += [(), *_text(overview.device_sentence, width)]
    if overview.matrix is not None:
        lines += [(), *_text(f"{overview.matrix_title}:", width)]
        models, data = (list(short_names(names).values()) for names in (overview.matrix.models, overview.matrix.data))
        cells = list(zip(data, zip(*overview.matrix.cells, strict=True), strict=True))
        for table in term_tables(("model", models), cells, width):
            lines += [(), *table]
    if overview.front is not None:
        lines += [(), *_text(f"Joint Pareto front. {overview.front_title}", width)]
        first, *others = front_columns(overview.front.cost_name, overview.front.metric)
        point_named = replace(first, term=lambda point: Term(word=point.row.short_label))
        best = overview.front.best
        for table in column_tables([point_named, *others], best, front_words(best), width, widest_name=_WIDEST_NAME):
            lines += [(), *table]
    return lines


def _text(text: str, width: int, style: Style = "") -> list[Line]:
    return [((line, style),) for line in wrap(text, width)]
