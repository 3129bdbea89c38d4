"""The report that a session writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezebench.pytest_plugin.reporting import SessionReport
from freezebench.report import files
from freezebench.session import FreezeSession


def test_a_report_that_cannot_be_written_is_shown_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that fills up while runs train costs the file, not the results."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    report = SessionReport(FreezeSession({"report": str(tmp_path)}, {}))
    report.write()
    assert "No space left on device" in str(report.problem)
    monkeypatch.undo()
    report.write()
    assert report.problem is None
    assert [path.name for path in report.written] == ["report.md", "report.csv", "report.json"]
