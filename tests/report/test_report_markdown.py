"""The summary as Markdown."""

from __future__ import annotations

from pathlib import Path

from experiments import judged, small_summary, summary_settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.markdown import results_table
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize


def test_markdown_has_a_header_of_one_line() -> None:
    """GitHub needs it to render the table."""
    lines = results_table(small_summary()).splitlines()
    assert lines[0].startswith("| frozen")
    assert set(lines[1]) <= set("|-: ")
    assert len(lines) == 6
    assert lines[-1].split() == [
        "|",
        "majority",
        "class",
        "|",
        "|",
        "|",
        "|",
        "50.0",
        *["|"] * (lines[0].count("|") - 5),
    ]


def test_the_answer_precedes_the_table(tmp_path: Path) -> None:
    """The headline is bold; the notes follow the other sentences."""
    summary = small_summary()
    write_report(tmp_path, [(summary_settings(max_drop="5"), summary)], SessionSettings())
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    parts = f"**{summary.answer.headline}**", summary.answer.details[0], "| frozen", summary.lines[0], summary.notes[0]
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)


def test_hostile_names_stay_text_in_markdown(tmp_path: Path) -> None:
    """A model name with markup is shown, not rendered."""
    settings = summary_settings(model="<script>alert(1)</script>")
    write_report(tmp_path, [(settings, summarize([judged("none", 0.9)], settings))], SessionSettings())
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
