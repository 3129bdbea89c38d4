"""The result columns as a table that can be sorted by any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.columns import COLUMNS, heading_words
from freezebench.report.page.markup import Html, element, joined, scroller

if TYPE_CHECKING:
    from freezebench.report.column import Column
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row


def results_table(experiment: Experiment) -> Html:
    """Return the table of one experiment."""
    words = heading_words(experiment.rows, experiment.results, experiment.margin_pp)
    head = [
        element(
            "th",
            element("button", column.heading.format_map(words), type="button", title=column.description or None),
            scope="col",
            aria_sort="none",
        )
        for column in COLUMNS
    ]
    body = [element("tr", *_cells(row, position), class_=row.verdict) for position, row in enumerate(experiment.rows)]
    content = element("table", element("thead", element("tr", *head)), element("tbody", *body), class_="sortable")
    remark = "Press a heading to sort. A dash was not measured; the reasons are in the footnotes."
    return joined([scroller(content, "figures of every configuration"), element("p", remark, class_="more")])


def _cells(row: Row, position: int) -> list[Html]:
    """Return the cells of a row, each with the figure by which the page sorts; the first one names the row."""
    first, *columns = COLUMNS
    name = element("th", element("code", first.cell(row)), scope="row", data_value=repr(float(position)))
    return [name, *(_cell(column, row) for column in columns)]


def _cell(column: Column, row: Row) -> Html:
    # The page's script sorts by the figure, not by the text, so units and signs do not matter.
    value = column.source(row)
    sign = "" if column.term is None else column.term(row).sign
    return element(
        "td", f"{sign} {column.cell(row)}".lstrip(), data_value=None if value is None else repr(float(value))
    )
