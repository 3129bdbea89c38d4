"""The summary as Markdown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import hostile
from experiments import judged, small_summary, summary_settings
from freezebench.config.session_settings import SessionSettings
from freezebench.report.markdown import markdown_report, overview_parts, results_table
from freezebench.report.overview.overview import overview
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from studies import two_by_two


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


def test_several_experiments_begin_with_their_overview() -> None:
    """Sentence, rows, matrix and front; a single experiment has none."""
    experiments = two_by_two()
    shown = overview(experiments)
    assert shown is not None
    text = markdown_report([experiment.summary for experiment in experiments], shown)
    parts = (
        "## 4 experiments",
        f"**{shown.sentence}**",
        "| 1: large on reviews | emb+L0-2",
        "Costs are those of one device model: a CPU of two cores.",
        "| large   | emb+L0-2, 50 % | emb+L0-1, 33 %  |",
        "Joint Pareto front. ",
        "| 4: small on tweets  | emb+L0-2 | non-inferior",
        "## large on reviews; ",
    )
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)
    single = markdown_report([experiments[0].summary], overview(experiments[:1]))
    assert single == markdown_report([experiments[0].summary])
    assert "experiments" not in single


def test_names_in_the_overview_stay_text() -> None:
    """Nothing in a name is markup, and no name ends a cell."""
    first, *others = two_by_two()
    texts = []
    for name in ("harmless", "a|b *c* <img> [l](http://x)\n# d"):
        shown = overview([replace(first, settings={"model": name, "data": {"source": name}}), *others])
        assert shown is not None
        texts.append("\n\n".join(overview_parts(shown)))
    hostile.check_markdown(texts[1], texts[0])
