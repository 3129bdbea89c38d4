"""The result columns: one table that terminal, Markdown, CSV, JSON and page render.

A new column for a recorded metric is one entry of ``COST_COLUMNS``: ``metric_column(name, ...)``. The renderings are
``terminal_table``, ``markdown``, ``files`` and ``page.results_table``; none of them names a column.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING

from freezebench.meters.metrics import COST_METRICS
from freezebench.report.class_columns import CLASS_COLUMNS, RECALLS, class_words, is_classification, same_as_metric
from freezebench.report.column import Column, percent_number, points_text
from freezebench.report.cost_columns import COST_COLUMNS
from freezebench.report.metric_text import level_percent, metric_words, signed_drop, value_number
from freezebench.report.rows import Row, table_metric
from freezebench.report.strategy_text import names_heading
from freezebench.report.training_columns import TRAINING_COLUMNS
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.units import NOT_MEASURED
from freezebench.verdicts.vocabulary import STANDINGS, VERDICTS, Term, standing_term, verdict_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Figure
    from freezebench.verdicts.judge import ConfigurationResult


_RANK_OF_RECALLS = 5  # beside another metric than accuracy
# What the figures of a row have about the metric that it was judged by.
_OF_METRIC = ("metric", "metric_unit", "metric_value", "metric_sd")


def heading_words(rows: Sequence[Row], results: Sequence[ConfigurationResult], margin_pp: float) -> dict[str, str]:
    """Return what headings depend on: strategies, device, decision margin, level of the intervals, number of seeds."""
    alpha = next((result.verdict.alpha for result in results if result.verdict), ALPHA_ONE_LOOK)
    is_gpu = rows[0].memory_metric == "peak_allocated_bytes"
    return {
        "names": names_heading(row.freeze for row in rows),
        "memory": COST_METRICS[rows[0].memory_metric].label,
        "energy": COST_METRICS[rows[0].energy_metric].label,
        "device": "GPU" if is_gpu else "process",
        "meter": "GPU" if is_gpu else "CPU",
        "level": level_percent(alpha),
        "margin": f"{margin_pp:g}",
        "sd": " ± SD" if any(row.num_seeds > 1 for row in rows) else "",
        **metric_words(table_metric(rows)),
        **class_words(rows),
    }


def result_columns(rows: Sequence[Row]) -> tuple[Column[Row], ...]:
    """Return the columns to show, those of drops and values in the unit of the rows' metric."""
    same = same_as_metric(rows)
    metric = table_metric(rows)
    drop, value = partial(signed_drop, metric=metric), partial(value_number, metric=metric)
    in_unit = {
        "drop_pp": lambda column: replace(column, text=drop, bound_text=drop),
        "metric_value": lambda column: replace(column, text=value, spread_text=value),
    }
    if metric is not ACCURACY:
        # The metric itself weighs the classes, and every one of them has a line of its own among the tables of classes.
        in_unit |= dict.fromkeys(RECALLS, lambda column: replace(column, rank=_RANK_OF_RECALLS))
    return tuple(
        in_unit[column.name](column) if column.name in in_unit else column
        for column in COLUMNS
        if column.name not in same
    )


def figures(row: Row) -> dict[str, Figure]:
    """Return every figure of a configuration as CSV and JSON name them.

    They are the fields of a row, then further columns, then the metric: people read these files by position, too, so
    that what is new is added at the end.
    """
    further = {column.name: column.source(row) if column.term is None else column.cell(row) for column in COLUMNS}
    found = further | row.figures()
    return {name: found[name] for name in figure_names()}


def figure_names() -> list[str]:
    """Return the names of ``figures``, in their order."""
    first = [item.name for item in fields(Row) if item.repr and item.name not in _OF_METRIC]
    further = [column.name for column in COLUMNS if column.name not in (*first, *_OF_METRIC)]
    return [*first, *further, *_OF_METRIC]


def _metric_value(row: Row) -> float | None:
    """Return the value of the metric where the columns of accuracy and F1 do not have it."""
    return None if row.metric == ACCURACY.name and is_classification(row) else row.metric_value


def _standing(row: Row) -> Term:
    """Return the standing of the test; one that is invalid or was not run, and a baseline without limits, have none."""
    has_none = row.broken or (row.verdict in ("baseline", "not_run") and row.standing == "no_limit")
    return Term(word=NOT_MEASURED) if has_none else standing_term(row.standing, is_cost=row.exceeds_costs_alone)


# In the order of every rendering: what was frozen, the verdicts, how good the result is, then what training takes.
COLUMNS: tuple[Column[Row], ...] = (
    Column(
        name="freeze",
        heading="{names}",
        short_heading=("{names}",),
        source=lambda _: None,
        term=lambda row: Term(word=row.freeze),
    ),
    Column(
        name="verdict",
        heading="verdict at margin",
        short_heading=("verdict at", "{margin} {points}"),
        source=lambda row: list(VERDICTS).index(row.verdict),
        term=lambda row: verdict_term(row.verdict, row.not_run_words),
    ),
    Column(
        name="standing",
        heading="test at limit",
        short_heading=("test at", "limit"),
        source=lambda row: list(STANDINGS).index(row.standing),
        term=_standing,
        empty_words=(NOT_MEASURED, STANDINGS["no_limit"].word),
        hide_empty=True,
    ),
    Column(
        name="drop_pp",
        heading="drop{of_metric}, {points} [{level} % interval]",
        short_heading=("drop, {points}", "[{level} % interval]"),
        unit="percentage points",
        source=lambda row: row.drop_pp,
        aggregation="mean",
        better="lower",
        text=points_text,
        bounds=(lambda row: row.lower_pp, lambda row: row.upper_pp),
        bound_text=points_text,
    ),
    Column(
        name="metric_value",
        heading="test {metric}, {value_unit}{sd}",
        short_heading=("test", "{metric}", "{value_unit}{sd}"),
        source=_metric_value,
        aggregation="mean",
        spread=lambda row: row.metric_sd,
        hide_empty=True,
    ),
    Column(
        name="accuracy",
        heading="test accuracy, %{sd}",
        short_heading=("test acc.", "%{sd}"),
        source=lambda row: row.accuracy if is_classification(row) else None,
        hide_empty=True,
        aggregation="mean",
        better="higher",
        text=percent_number(1),
        spread=lambda row: row.accuracy_sd,
        spread_text=percent_number(1),
    ),
    Column(
        name="limit_pp",
        heading="limit, {points}",
        short_heading=("limit", "{points}"),
        unit="percentage points",
        source=lambda row: row.limit_pp,
        text="{:g}".format,
        rank=7,
    ),
    *CLASS_COLUMNS,
    *COST_COLUMNS,
    *TRAINING_COLUMNS,
)
