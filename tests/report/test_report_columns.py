"""The table of result columns and its renderings."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from experiments import experiment, results, settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report import columns, markdown, terminal_table
from freezebench.report.column import without_negative_zero
from freezebench.report.columns import COLUMNS, figure_names, figures, metric_column
from freezebench.report.page import results_table
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from freezebench.units import bytes_text


def test_a_new_column_is_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A metric of the runs appears in terminal, Markdown, page, CSV and JSON without another change."""
    column = metric_column("peak_rss_bytes", short_heading=("resident", "peak"), text=bytes_text)
    extended = (*COLUMNS, column)
    for module in (columns, markdown, terminal_table, results_table):
        monkeypatch.setattr(module, "COLUMNS", extended)
    shown = experiment()
    terminal = "\n".join(map(terminal_table.plain_text, terminal_table.figure_tables(shown.summary, 200)))
    assert "resident" in terminal
    assert "1.50 GiB" in terminal
    assert " 1.50 GiB |" in markdown.results_table(shown.summary)
    page = results_table.results_table(shown)
    assert 'title="largest over the seeds, lower is better">process memory peak</button>' in page
    assert f'<td data-value="{1.5 * 2.0**30}">1.50 GiB</td>' in page
    requested = settings()
    write_report(tmp_path, [(requested, summarize(results(), requested))], SessionSettings())
    lines = list(csv.DictReader((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert float(lines[1]["peak_rss_bytes"]) == 1.5 * 2.0**30
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["experiments"][0]["configurations"][1]["peak_rss_bytes"] == 1.5 * 2.0**30


def test_names_are_unique_and_figures_are_those_of_a_row() -> None:
    """Today every column is a field of a row, so files have exactly its fields."""
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    first = experiment().rows[0]
    assert list(figures(first)) == figure_names() == list(first.figures())
    assert {column.name for column in COLUMNS} <= set(figure_names())


def test_a_missing_figure_is_a_dash() -> None:
    """With a GPU every column has a figure; without energy the cell is a dash and has no figure to sort by."""
    frozen = experiment().rows[1]
    assert not [column.name for column in COLUMNS if column.term is None and column.source(frozen) is None]
    unmeasured = experiment(everything=False).rows[1]
    energy = next(column for column in COLUMNS if column.name == "energy_j")
    assert energy.source(unmeasured) is None
    assert energy.cell(unmeasured) == "–"


@pytest.mark.parametrize(("text", "shown"), [("-0.0", "+0.0"), ("-0 %", "0 %"), ("-0.1", "-0.1"), ("12.0", "12.0")])
def test_a_rounded_zero_has_no_minus(text: str, shown: str) -> None:
    """A drop of -0.04 points is shown as +0.0."""
    assert without_negative_zero(text) == shown
