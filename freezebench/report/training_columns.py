"""The columns on how the configurations were trained: rate, seeds, added parameters and engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from freezebench.report.column import Column
from freezebench.specs.run import Engine
from freezebench.units import NOT_MEASURED
from freezebench.verdicts.vocabulary import Term

if TYPE_CHECKING:
    from freezebench.report.rows import Row

# Rates and engines are shown where they differ between the configurations of a table.
TRAINING_COLUMNS: tuple[Column[Row], ...] = (
    Column(
        name="learning_rate",
        heading="learning rate",
        short_heading=("learning", "rate"),
        source=lambda row: row.learning_rate,
        text="{:g}".format,
        rank=5,
        hide_empty=True,
        hide_equal=True,
    ),
    Column(
        name="num_seeds",
        heading="seeds",
        source=lambda row: row.num_seeds,
        text="{:.0f}".format,
        rank=4,
        page_only=True,
    ),
    Column(
        name="num_added_params",
        heading="added params",
        short_heading=("added", "params"),
        source=lambda row: row.num_added_params,
        text="{:,.0f}".format,
        is_cost=True,
        rank=4,
        hide_empty=True,
    ),
    Column(
        name="engine",
        heading="engine",
        short_heading=("engine",),
        source=lambda row: None if row.engine is None else get_args(Engine).index(row.engine),
        term=lambda row: Term(word=row.engine or NOT_MEASURED),
        is_cost=True,
        hide_empty=True,
        hide_equal=True,
    ),
)
