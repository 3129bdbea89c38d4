"""The report of a session: what ``--freeze-report`` writes after every test and at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezebench.pytest_plugin.options import freeze_session

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.report.summary import Summary
    from freezebench.session import FreezeSession

_REPORT = pytest.StashKey["SessionReport"]()


class SessionReport:
    """Writes the report of a session's results.

    Attributes:
        written: Files that were written, in the order of the last writing.
        problem: Why the last one could not be written; ``None`` if it could.
    """

    def __init__(self, session: FreezeSession) -> None:
        """Take the session, whose results grow with every test."""
        self._session = session
        self.folder = report_folder(session)
        self.written: list[Path] = []
        self.problem: str | None = None

    def write(self) -> None:
        """Write Markdown, CSV and JSON of everything so far, so that a later crash loses no finished test.

        A full disk must not fail a test: the problem is kept for the summary.
        """
        if self.folder is None:
            return
        from freezebench.report.files import write_report

        try:
            self.written = write_report(self.folder, summaries(self._session), self._session.options.session_settings)
            self.problem = None
        except OSError as error:
            self.problem = (
                f"the report could not be written to {self.folder} ({error.strerror or error}); "
                "what is there is older than this summary"
            )

    def publish(self) -> None:
        """Write the page and its pictures, if there is something to show.

        Once, at the end: drawing takes seconds, and until then ``python -m freezebench report`` can make the page.
        """
        if self.folder is None or not self._session.results() or self.problem:
            return
        from freezebench.report.experiment import Experiment
        from freezebench.report.publish import publish

        try:
            experiments = [Experiment.of(settings, summary) for settings, summary in summaries(self._session)]
            self.written = [*self.written, *publish(self.folder, experiments)]
        except Exception as error:  # noqa: BLE001 - hours of training must not end in an error of a drawing
            self.problem = (
                f"the page could not be made ({error!r}); "
                f"python -m freezebench report {self.folder} tries again from report.json"
            )


def session_report(config: pytest.Config) -> SessionReport:
    """Return the report of this pytest run's session, made at the first call."""
    if _REPORT not in config.stash:
        config.stash[_REPORT] = SessionReport(freeze_session(config))
    return config.stash[_REPORT]


def report_folder(session: FreezeSession) -> Path | None:
    """Return the folder of ``--freeze-report``; ``None`` if no report was requested."""
    folder = session.options.session_settings.report
    return None if folder is None else Path(folder)


def summaries(session: FreezeSession) -> list[tuple[Settings, Summary]]:
    """Return the summary of every comparison that has results, with its settings."""
    from freezebench.report.summary import summarize

    return [(settings, summarize(results, settings)) for settings, results in session.results()]
