"""The first section of a page about several experiments: the sentence, the rows, the matrix and the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.overview.columns import overview_columns, overview_words
from freezebench.report.overview.front_columns import front_columns, front_words
from freezebench.report.page.markup import Html, data_table, element, joined
from freezebench.report.page.results_table import column_table, main_and_further
from freezebench.report.page.sections import pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.column import Column
    from freezebench.report.overview.matrix import Matrix
    from freezebench.report.overview.overview import Overview
    from freezebench.report.overview.rows import OverviewRow
    from freezebench.report.picture import Missing, Picture
    from freezebench.verdicts.vocabulary import Term


def overview_section(overview: Overview, drawn: Sequence[Picture | Missing] | None) -> Html:
    """Return several experiments at a glance.

    Args:
        overview: The experiments.
        drawn: The pictures that show all of them; ``None`` where none are drawn.
    """
    rows, words = overview.rows, overview_words(overview.rows)

    def table(columns: Sequence[Column[OverviewRow]], label: str) -> Html:
        return column_table(columns, rows, words, label, name=lambda row: _link(row, row.label))

    heading = element("header", element("h1", f"freezebench report · {overview.title}"))
    answers = element(
        "section",
        element("h2", overview.sentence, class_="headline"),
        main_and_further(overview_columns(rows), rows, table, what="experiment", words=words),
        element("p", overview.device_sentence, class_="more") if overview.device_sentence else None,
        None if overview.matrix is None else _matrix(overview.matrix, overview.matrix_title),
        _front(overview),
        None if drawn is None else pictures(drawn),
        class_="answers overview",
        aria_label="all experiments",
    )
    return joined([heading, answers])


def _link(row: OverviewRow, name: str) -> Html:
    return element("a", name, href=f"#experiment-{row.number}")


def _matrix(matrix: Matrix, title: str) -> Html:
    rows = [[model, *map(_cell, terms)] for model, terms in zip(matrix.models, matrix.cells, strict=True)]
    return joined([element("h3", "Models and data sets"), data_table(title, ["model", *matrix.data], rows)])


def _cell(term: Term) -> Html:
    return element("span", f"{term.sign} {term.word}".lstrip(), class_=term.tone or None)


def _front(overview: Overview) -> Html | None:
    """Return the table of the joint Pareto front; ``None`` without one."""
    if overview.front is None:
        return None
    return joined(
        [
            element("h3", "Joint Pareto front"),
            element("p", overview.front_title, class_="more"),
            column_table(
                front_columns(overview.front.cost_name, overview.front.metric),
                overview.front.best,
                front_words(overview.front.best),
                "the joint Pareto front",
                name=lambda point: _link(point.row, point.row.label),
            ),
        ]
    )
