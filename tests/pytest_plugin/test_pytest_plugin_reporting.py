"""The report that a session writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import results, settings
from freezebench.pytest_plugin import reporting
from freezebench.pytest_plugin.reporting import SessionReport
from freezebench.report import publish
from freezebench.report.summary import summarize
from freezebench.session import FreezeSession


def test_a_report_that_cannot_be_written_is_shown_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that fills up while runs train costs the file, not the results."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish, "replace_files", full)
    report = SessionReport(FreezeSession({"report": str(tmp_path)}, {}))
    report.write()
    assert "No space left on device" in str(report.problem)
    monkeypatch.undo()
    report.write()
    assert report.problem is None
    assert [path.name for path in report.written] == ["report.md", "report.csv", "report.json"]


def test_a_page_that_cannot_be_made_costs_no_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The figures are written without it, and an earlier page is not left beside them."""

    def harm(*_: object) -> str:
        raise ZeroDivisionError("a fault of the page")

    (tmp_path / "index.html").write_text("an earlier page", encoding="utf-8")
    requested = settings()
    shown = [(requested, summarize(results(), requested))]
    monkeypatch.setattr(reporting, "summaries", lambda _: shown)
    monkeypatch.setattr(publish, "page", harm)
    report = SessionReport(FreezeSession({"report": str(tmp_path)}, {}))
    report.write()
    assert "the page could not be made (ZeroDivisionError('a fault of the page'))" in str(report.problem)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.json", "report.md"]
