"""The files of a report that programs read: Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from freezebench.escaping import csv_cell, json_text
from freezebench.records.files import plain
from freezebench.records.saved_files import REPORT_FILE, REPORT_SCHEMA
from freezebench.report.columns import figure_names, figures
from freezebench.report.experiment import Experiment
from freezebench.report.markdown import markdown_report
from freezebench.report.overview.overview import overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from freezebench.config.session_settings import SessionSettings
    from freezebench.config.settings import Settings
    from freezebench.report.rows import Figure
    from freezebench.report.summary import Summary
    from freezebench.specs.json_types import Json

OVERVIEW_FILE = "overview.csv"


def report_files(
    experiments: Sequence[tuple[Settings, Summary]],
    session_settings: SessionSettings,
    tests: Mapping[Settings, Sequence[str]],
) -> dict[str, bytes]:
    """Return the content of ``report.md``, ``report.csv``, ``report.json``, and of several ``overview.csv``, by name.

    Args:
        experiments: Settings and summary of each experiment.
        session_settings: The options that all experiments share; ``report.json`` repeats them in each.
        tests: Node ids of the tests behind each experiment.
    """
    shown = overview([Experiment.of(settings, summary) for settings, summary in experiments])
    content = _json(experiments, session_settings, tests)
    if shown is not None:
        content["overview"] = shown.to_json()
    texts = {
        "report.md": markdown_report((summary for _, summary in experiments), shown),
        "report.csv": _csv(_cells(experiments), ["model", "data", *figure_names()]),
        REPORT_FILE: json_text(content, indent=1) + "\n",
    }
    if shown is not None:
        rows = [row.figures() for row in shown.rows]
        texts[OVERVIEW_FILE] = _csv(rows, rows[0])
    return {name: text.encode() for name, text in texts.items()}


def _cells(experiments: Sequence[tuple[Settings, Summary]]) -> Iterator[dict[str, Figure]]:
    """Yield the figures of every configuration."""
    for settings, summary in experiments:
        for row in summary.rows:
            yield {"model": settings.model, "data": settings.data.source, **figures(row)}


def _csv(lines: Iterable[Mapping[str, Figure]], names: Iterable[str]) -> str:
    """Return a table, full precision, units in the names; empty where nothing was measured."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names))
    writer.writeheader()
    for cells in lines:
        writer.writerow({name: csv_cell(value) for name, value in cells.items()})
    return buffer.getvalue()


def _json(
    experiments: Sequence[tuple[Settings, Summary]],
    session_settings: SessionSettings,
    tests: Mapping[Settings, Sequence[str]],
) -> dict[str, Json]:
    """Return the content of ``report.json``: settings, figures, verdicts, and the record of every run."""
    return {
        "schema": REPORT_SCHEMA,
        "experiments": [
            {
                "settings": plain(settings) | plain(session_settings),
                "title": summary.title,
                "lines": list(summary.lines),
                "saved_model": plain(summary.saved),
                "configurations": [
                    {
                        **plain(figures(row)),
                        "verdict_at_margin": plain(result.verdict),
                        "verdict_at_limit": plain(result.gate),
                        "warnings": list(result.warnings),
                        "parts": plain(result.parts),
                        "classes": plain(result.classes),
                        "slices": plain(result.slices),
                        "test_sets": plain(result.test_sets),
                        "tuned_rate": plain(result.tuned_rate),
                        "runs": [record.to_json() for record in result.records],
                    }
                    for row, result in zip(summary.rows, summary.results, strict=True)
                ],
                # Keys that version 0.1 did not have follow those that it had.
                "answer": plain(summary.answer),
                "notes": list(summary.notes),
                "majority_accuracy": summary.majority_accuracy,
                "tests": list(tests.get(settings, ())),
            }
            for settings, summary in experiments
        ],
    }
