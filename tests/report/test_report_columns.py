"""The table of result columns and its renderings."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from experiments import experiment, results, settings, summary_settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report import columns, markdown, terminal_table
from freezebench.report.column import percent_number, points_text
from freezebench.report.columns import COLUMNS, figure_names, figures, heading_words
from freezebench.report.cost_columns import metric_column
from freezebench.report.metric_text import signed_drop, value_number, value_text
from freezebench.report.page import results_table
from freezebench.report.publish import write_report
from freezebench.report.rows import row
from freezebench.report.summary import summarize
from freezebench.scoring.metrics import METRICS
from freezebench.units import bytes_text
from freezebench.verdicts.judge import ConfigurationResult, judge

OF_STRATEGIES = ["num_added_params", "engine"]
OF_METRIC = ["metric", "metric_unit", "metric_value", "metric_sd"]
OF_RARE_CLASSES = ["macro_f1", "recall_rarest", "recall_second_rarest", "recall_third_rarest"]


def test_a_new_column_is_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A metric of the runs appears in terminal, Markdown, page, CSV and JSON without another change."""
    column = metric_column("peak_rss_bytes", short_heading=("resident", "peak"), text=bytes_text)
    extended = (*COLUMNS, column)
    monkeypatch.setattr(columns, "COLUMNS", extended)
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
    """Files have the fields of a row, after them the columns that are none, and the metric at the end."""
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    first = experiment().rows[0]
    fields = [name for name in first.figures() if not name.startswith("metric")]
    assert list(figures(first)) == figure_names() == [*fields, *OF_RARE_CLASSES, *OF_STRATEGIES, *OF_METRIC]
    assert {column.name for column in COLUMNS} <= set(figure_names())


def test_a_missing_figure_is_a_dash() -> None:
    """With a GPU every column of what there is has a figure; a dash has no figure to sort by."""
    frozen = experiment().rows[1]
    missing = [column.name for column in COLUMNS if column.term is None and column.source(frozen) is None]
    assert missing == ["metric_value", *OF_RARE_CLASSES, "num_added_params"]
    unmeasured = experiment(everything=False).rows[1]
    energy = next(column for column in COLUMNS if column.name == "energy_j")
    assert energy.source(unmeasured) is None
    assert energy.cell(unmeasured) == "–"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (points_text(-0.04), "+0.0"),
        (points_text(-0.1), "-0.1"),
        (percent_number(0)(-0.001), "0"),
        (signed_drop(-0.0004, METRICS["rmse"]), "+0.000"),
        (value_number(-0.0004, METRICS["r2"]), "0.0"),
        (value_text(-0.0004, METRICS["log-loss"]), "0.000"),
    ],
)
def test_a_rounded_zero_has_no_minus(text: str, shown: str) -> None:
    """A drop of -0.04 points is shown as +0.0."""
    assert text == shown


def _shown(*configurations: ConfigurationResult) -> str:
    return markdown.results_table(summarize(configurations, summary_settings()))


def test_f1_has_the_name_of_its_class() -> None:
    """Of two classes it is that of class 1, of more the macro F1; recalls are shown only where a class is rare."""
    baseline = made_up.seeds("none")
    binary = _shown(judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None))
    assert "test F1 of class positive, %" in binary
    assert "macro F1" not in binary
    assert "recall" not in binary
    baseline = made_up.three_classes("none", (0, 1, 2), num_rare=194)
    many = _shown(judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None))
    assert "test macro F1, %" in many
    assert "recall" not in many


def test_recalls_and_macro_f1_stand_where_a_class_is_rare() -> None:
    """The rarest first; without the rare class the macro F1 says what the accuracy hides."""
    arms = {"none": made_up.lopsided("none", 1), "emb": made_up.lopsided("emb", 0)}
    judged = [judge(freeze, runs, arms["none"], margin_pp=5.0, limit_pp=None) for freeze, runs in arms.items()]
    table = _shown(*judged)
    assert "test recall of class positive, %" in table
    assert "test recall of class negative, %" in table
    shown = figures(row(judged[1]))
    assert (shown["recall_rarest"], shown["recall_second_rarest"], shown["recall_third_rarest"]) == (0.0, 1.0, None)
    assert shown["macro_f1"] == pytest.approx(388 / 788)
    baseline = made_up.three_classes("none", (0, 1, 2))
    many = _shown(judge("none", baseline, baseline, margin_pp=2.0, limit_pp=None))
    assert many.count("macro F1") == 1
    assert "test recall of class rare, %" in many


def test_rates_and_engines_are_shown_where_they_differ() -> None:
    """A column of equal cells would say nothing; names are those of configurations where strategies train parts."""
    baseline = made_up.seeds("none")
    own = [
        replace(run, spec=replace(run.spec, protocol=replace(run.spec.protocol, learning_rate=1e-3, engine="trainer")))
        for run in made_up.seeds("bitfit", num_added_params=7)
    ]
    rows = [row(judge(runs[0].spec.freeze, runs, baseline, margin_pp=2.0, limit_pp=None)) for runs in (baseline, own)]
    shown = {column.name for column in COLUMNS if not column.is_empty(rows)}
    assert shown >= {"learning_rate", "engine", "num_added_params"}
    assert [next(column for column in COLUMNS if column.name == "engine").cell(row) for row in rows] == [
        "standard",
        "trainer",
    ]
    same = {column.name for column in COLUMNS if not column.is_empty([rows[0], rows[0]])}
    assert not same & {"learning_rate", "engine", "num_added_params"}
    assert heading_words(rows, [], 2.0)["names"] == "configuration"
    assert heading_words(rows[:1], [], 2.0)["names"] == "frozen"


@pytest.mark.parametrize(("share", "text"), [(0.48, "48.0 %"), (0.0012, "0.1 %"), (0.0003, "0.03 %")])
def test_a_small_share_is_not_rounded_to_nothing(share: float, text: str) -> None:
    """Some strategies train a few hundredths of a per cent."""
    column = next(column for column in COLUMNS if column.name == "trainable_fraction")
    assert column.cell(replace(experiment().rows[1], trainable_fraction=share)) == text
