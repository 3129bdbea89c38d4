"""The report of a session: what ``--freeze-report`` writes after every test and at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezebench.escaping import shell_word
from freezebench.pytest_plugin.items import NUM_TESTS, case_of, function_id, id_alone
from freezebench.pytest_plugin.options import freeze_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.config.settings import Settings
    from freezebench.report.overview.overview import Overview
    from freezebench.report.saved_model import SavingOutcome
    from freezebench.report.summary import Summary
    from freezebench.session import FreezeSession

_REPORT = pytest.StashKey["SessionReport"]()


class SessionReport:
    """Writes the report of a session's results.

    Attributes:
        written: Files that were written, in the order of the last writing.
        problem: Why the last one could not be written; ``None`` if it could.
        saved: What became of the models of ``--freeze-save``, by the settings of each experiment.
    """

    def __init__(self, session: FreezeSession, num_tests: Mapping[tuple[str, str], int] | None = None) -> None:
        """Take the session, whose results grow with every test, and the numbers that ``NUM_TESTS`` keeps."""
        self._session, self._num_tests = session, num_tests or {}
        self.folder = report_folder(session)
        self.written: list[Path] = []
        self.problem: str | None = None
        self.saved: Mapping[Settings, SavingOutcome] = {}
        # Node ids of tests by settings, and by function and experiment.
        self._node_ids: dict[Settings, dict[tuple[str, str], dict[str, None]]] = {}

    def note_test(self, settings: Settings, item: pytest.Item) -> None:
        """Keep a test that has a result."""
        case = case_of(item)
        functions = self._node_ids.setdefault(settings, {})
        functions.setdefault((function_id(item), case.experiment if case else ""), {})[id_alone(item)] = None

    def write(self) -> None:
        """Write everything so far, so that a later crash loses no finished test; the page has no pictures yet."""
        self._write(with_pictures=False)

    def publish(self) -> None:
        """Write the report with its pictures, once, at the end: drawing takes seconds."""
        if self._session.results():
            self._write(with_pictures=True)

    def _write(self, *, with_pictures: bool) -> None:
        """Write the report, and keep what went wrong for the summary: hours of training must not end in an error."""
        if self.folder is None:
            return
        from freezebench.report.publish import write_report

        experiments, settings = self._summaries(), self._session.options.session_settings
        try:
            self._keep(
                write_report(self.folder, experiments, settings, tests=self._tests(), with_pictures=with_pictures)
            )
        except OSError as error:
            self._keep_problem(error)
        except Exception as error:  # noqa: BLE001 - a fault of the page or of a drawing must not cost the figures
            try:
                written = write_report(self.folder, experiments, settings, tests=self._tests(), with_page=False)
            except OSError as second_error:
                self._keep_problem(second_error)
                return
            self._keep(
                written,
                f"the page could not be made ({error!r}); "
                f"python -m freezebench report {shell_word(str(self.folder))} tries again from report.json",
            )

    def _tests(self) -> dict[Settings, list[str]]:
        """Return the tests behind each experiment: functions, or cases of those that did not run completely in it.

        They are named as in a session of this experiment alone.
        """
        shown = {settings.of_table: settings for settings, _ in self._session.results()}
        tests: dict[Settings, list[str]] = {settings: [] for settings in shown.values()}
        for settings, functions in self._node_ids.items():
            names = tests[shown[settings.of_table]]
            for (function, experiment), node_ids in functions.items():
                # Some of a function's tests may belong to another experiment.
                is_complete = len(node_ids) == self._num_tests.get((function, experiment))
                names += [function] if is_complete else node_ids
        return tests

    def _keep(self, written: list[Path], problem: str | None = None) -> None:
        self.written, self.problem = written, problem

    def _keep_problem(self, error: OSError) -> None:
        """Keep why nothing could be written."""
        self.problem = (
            f"the report could not be written to {self.folder} ({error.strerror or error}); what is there is older "
            "than this summary. Free space, or name another folder with --freeze-report"
        )

    def _summaries(self) -> list[tuple[Settings, Summary]]:
        """Return the summary of every comparison; its last sentence is on the saved model, where models are saved."""
        return [
            (
                settings,
                replace(summary, lines=(*summary.lines, self.saved[settings].sentence), saved=self.saved[settings]),
            )
            if settings in self.saved
            else (settings, summary)
            for settings, summary in summaries(self._session)
        ]


def session_report(config: pytest.Config) -> SessionReport:
    """Return the report of this pytest run's session, made at the first call."""
    if _REPORT not in config.stash:
        config.stash[_REPORT] = SessionReport(freeze_session(config), config.stash.get(NUM_TESTS, {}))
    return config.stash[_REPORT]


def report_folder(session: FreezeSession) -> Path | None:
    """Return the folder of ``--freeze-report``; ``None`` if no report was requested."""
    folder = session.options.session_settings.report
    return None if folder is None else Path(folder)


def session_overview(session: FreezeSession) -> Overview | None:
    """Return the experiments of a session at a glance; ``None`` if there are no several."""
    from freezebench.report.experiment import Experiment
    from freezebench.report.overview.overview import overview

    return overview([Experiment.of(settings, summary) for settings, summary in summaries(session)])


def summaries(session: FreezeSession) -> list[tuple[Settings, Summary]]:
    """Return the summary of every comparison that has results, with its settings."""
    from freezebench.report.summary import summarize

    is_saving = session.options.session_settings.save is not None
    return [
        (settings, replace(summarize(results, settings), is_saving=is_saving))
        for settings, results in session.results()
    ]
