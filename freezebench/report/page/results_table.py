"""Columns as tables that can be sorted by any of them: the main figures, and further ones on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.columns import heading_words, result_columns
from freezebench.report.page.markup import Html, definitions, element, joined, scroller
from freezebench.report.strategy_text import configuration_text, strategy_sentences
from freezebench.report.summary import MAJORITY_CLASS
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from freezebench.report.column import Column, RowT
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row

# Columns up to this rank fit side by side on a screen of 1280 pixels.
_LAST_MAIN_RANK = 3
# What a phone shows without scrolling: how good each configuration is, and how much faster it trains.
_FIRST = ("freeze", "verdict", "drop_pp", "speedup")


def results_table(experiment: Experiment) -> Html:
    """Return the tables of one experiment; a column that no configuration fills is left out."""
    specs = [FreezeSpec.parse(row.freeze) for row in experiment.rows]
    columns = result_columns(experiment.rows)
    tables = main_and_further(
        sorted(columns, key=lambda column: _FIRST.index(column.name) if column.name in _FIRST else len(_FIRST)),
        experiment.rows,
        lambda columns, label: _table(experiment, columns, label),
        what="configuration",
        words=_words(experiment),
        names=[(element("code", str(spec)), configuration_text(spec)) for spec in specs],
    )
    return joined([tables, *(element("p", sentence, class_="more") for sentence in strategy_sentences(specs))])


def main_and_further(
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    table: Callable[[Sequence[Column[RowT]], str], Html],
    *,
    what: str,
    words: Mapping[str, str],
    names: Sequence[tuple[Html, str]] = (),
) -> Html:
    """Return the table of the main columns, how to read it, and that of the other columns, which opens on request.

    Args:
        columns: The first one names the rows and is in both tables. Others are left out if no row fills them.
        rows: The rows.
        table: Returns the table of some columns under a label.
        what: What a row is, in a word.
        words: What headings depend on.
        names: The names of the rows with their meanings, where names need one.
    """
    first, *others = columns
    filled = [column for column in others if not column.is_empty(rows)]
    main = [first, *(column for column in filled if column.rank <= _LAST_MAIN_RANK)]
    further = [column for column in filled if column.rank > _LAST_MAIN_RANK]
    described = [(column.heading.format_map(words), column.description) for column in filled if column.description]
    has_dash = any(column.cell(row) == NOT_MEASURED for column in filled for row in rows)
    dash = f" A dash means that a figure was not measured, or is not defined for this {what}." if has_dash else ""
    details = element(
        "details",
        element("summary", "Further figures"),
        table([first, *further], f"further figures of every {what}"),
    )
    return joined(
        [
            table(main, f"figures of every {what}"),
            element("p", f"Press a heading to sort.{dash}", class_="more script"),
            details if further else None,
            # The same is in tooltips, which neither fingers nor keys reach.
            element("details", element("summary", "What rows and columns mean"), definitions([*names, *described])),
        ]
    )


def column_table(
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    words: Mapping[str, str],
    label: str,
    *,
    name: Callable[[RowT], Html],
    foot: Html | None = None,
) -> Html:
    """Return rows of any kind as a table that can be sorted.

    Args:
        columns: The first one names the rows.
        rows: The rows.
        words: What headings depend on.
        label: What the table is, for people who cannot see it.
        name: Returns the content of a row's first cell.
        foot: The element under the rows.
    """
    columns = [column.in_one_unit(rows) for column in columns]
    head = [
        element(
            "th",
            element("button", column.heading.format_map(words), type="button", title=column.description or None),
            scope="col",
            aria_sort="none",
            class_=_alignment(column),
        )
        for column in columns
    ]
    body = [
        element(
            "tr",
            element("th", name(row), scope="row", data_value=repr(float(position))),
            *(_cell(column, row) for column in columns[1:]),
        )
        for position, row in enumerate(rows)
    ]
    content = element("table", element("thead", element("tr", *head)), element("tbody", *body), foot, class_="sortable")
    return scroller(content, label)


def _table(experiment: Experiment, columns: Sequence[Column[Row]], label: str) -> Html:
    """Return a table of some columns, which begins with the names of the configurations."""
    return column_table(
        columns,
        experiment.rows,
        _words(experiment),
        label,
        name=lambda row: element("code", row.freeze, title=configuration_text(FreezeSpec.parse(row.freeze))),
        foot=_majority_line(experiment, columns),
    )


def _words(experiment: Experiment) -> dict[str, str]:
    """Return what the headings of an experiment depend on."""
    return heading_words(experiment.rows, experiment.results, experiment.margin_pp)


def _cell(column: Column[RowT], row: RowT) -> Html:
    # The page's script sorts by the figure, not by the text, so units and signs do not matter.
    value = column.source(row)
    term = None if column.term is None else column.term(row)
    classes = [_alignment(column), term.tone if term is not None else None]
    figure, bracket, bounds = column.cell(row).partition(" [")
    return element(
        "td",
        f"{'' if term is None else term.sign} {figure}".lstrip(),
        # A narrow screen shows the interval under the figure.
        joined([" ", element("span", f"[{bounds}", class_="bounds")])
        if bracket and column.bounds
        else bracket + bounds,
        data_value=None if value is None else repr(float(value)),
        class_=" ".join(filter(None, classes)) or None,
    )


def _alignment(column: Column[RowT]) -> str | None:
    """Return the class of columns of words, which begin at the left; figures end at the right."""
    return "word" if column.term is not None and not column.aggregation else None


def _majority_line(experiment: Experiment, columns: Sequence[Column[Row]]) -> Html | None:
    """Return the line with the accuracy of always predicting the most frequent class, where it is known."""
    share = experiment.summary.majority_accuracy
    names = [column.name for column in columns[1:]]
    if share is None or "accuracy" not in names:
        return None
    cells = [element("td", f"{100 * share:.1f}" if name == "accuracy" else None) for name in names]
    return element("tfoot", element("tr", element("th", MAJORITY_CLASS, scope="row"), *cells))
