"""The columns of the overview."""

from __future__ import annotations

from dataclasses import replace

from freezebench.report.overview.columns import COLUMNS, overview_columns, overview_words
from freezebench.report.overview.front_columns import front_columns
from freezebench.report.overview.rows import overview_rows
from freezebench.units import NOT_MEASURED
from studies import Study, mixed_answers, two_by_two, uneven

OF_METRIC = {"metric", "baseline_metric"}


def test_columns_that_only_tell_experiments_apart_are_left_out_where_all_are_equal() -> None:
    """Family and margin are the same in most sessions, and often the device."""
    same = {column.name for column in overview_columns(overview_rows(two_by_two()))}
    assert {column.name for column in COLUMNS} - same == {"family", "margin_pp", "device", *OF_METRIC}
    different = {column.name for column in overview_columns(overview_rows(uneven()))}
    assert {column.name for column in COLUMNS} - different == {"family", "margin_pp", *OF_METRIC}
    rows = overview_rows([Study(flags={"margin": margin}).experiment() for margin in ("1", "2")])
    assert "margin_pp" in {column.name for column in overview_columns(rows)}
    assert overview_words(rows)["margin"] == "its margin"
    other = overview_rows(two_by_two())
    other[0] = replace(other[0], family="adapters")
    assert "family" in {column.name for column in overview_columns(other)}


def test_without_a_safe_prefix_its_figures_are_dashes() -> None:
    """The baseline's are there where it is valid."""
    rows = overview_rows(mixed_answers())
    cells = {column.name: [column.cell(row) for row in rows] for column in COLUMNS}
    for name in ("drop_pp", "speedup", "memory_saving", "trainable_fraction", "num_frozen_layers"):
        assert [cell == NOT_MEASURED for cell in cells[name]] == [False, True, True, True, True, False, True]
    assert cells["baseline_accuracy"][1] == NOT_MEASURED
    assert cells["baseline_accuracy"][3] != NOT_MEASURED


def test_names_are_unique() -> None:
    """Sorting and files use them."""
    for columns in (COLUMNS, front_columns("time"), front_columns("parameters")):
        assert len({column.name for column in columns}) == len(columns)
