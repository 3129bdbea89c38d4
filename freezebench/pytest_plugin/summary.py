"""The summary at the end of a session: tables, comparison, store and report."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from freezebench.escaping import terminal_line
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.benchmark import retried_run, unsaved_lines
from freezebench.pytest_plugin.options import find_session
from freezebench.pytest_plugin.reporting import session_overview, session_report, summaries
from freezebench.pytest_plugin.saving import saving_lines
from freezebench.pytest_plugin.session_gate import kept_sentences, warning_lines
from freezebench.pytest_plugin.terminal import Terminal, fitted, terminal_width
from freezebench.pytest_plugin.tracking import failure_lines, log_results

if TYPE_CHECKING:
    from collections.abc import Generator

    from freezebench.pytest_plugin.reporting import SessionReport
    from freezebench.session import FreezeSession


@pytest.hookimpl(tryfirst=True)
@installed_modules_first()
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables and what they mean."""
    _warn(config)
    session = find_session(config)
    if session is not None:
        _show(terminalreporter, config, session)
    if session is not None or kept_sentences(config):
        _report_to_github(terminalreporter, config, session)


def _show(terminalreporter: pytest.TerminalReporter, config: pytest.Config, session: FreezeSession) -> None:
    """Print the tables, the comparison, and what was saved and written."""
    overview = session_overview(session)
    if overview is not None:
        Terminal(config).overview(overview)
    for _, summary in summaries(session):
        Terminal(config).summary(summary)
    comparison = _comparison_lines(session, terminal_width())
    own = [*(f"trained again in a rerun: {retried_run(record)}" for record in session.retried)]
    own += [*session.plan.budget_lines(), *session.store_lines()]
    for line in fitted([*comparison, *(f"freezebench: {line}" for line in own)]):
        terminalreporter.write_line(line)
    for sentence, markup in saving_lines(config):
        for line in fitted([f"freezebench: {sentence}"]):
            terminalreporter.write_line(line, **markup)
    _publish(terminalreporter, config)
    for outcome in log_results(config):
        for line in fitted([f"freezebench: {outcome.sentence}"]):
            terminalreporter.write_line(line, red=outcome.is_failure)


def _report_to_github(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config, session: FreezeSession | None
) -> None:
    """Print annotations and write the step's summary, in GitHub Actions."""
    from freezebench.report import github

    outcomes = ("failed", "error", "skipped", "passed")
    lines = github.report_to_github(
        [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, [])],
        [summary for _, summary in summaries(session)] if session is not None else [],
        _comparison_lines(session, terminal_width()) if session is not None else [],
        complaints=kept_sentences(config),
        overview=session_overview(session) if session is not None else None,
        root=config.rootpath,
        environment=os.environ,
    )
    for line in lines:
        terminalreporter.ensure_newline()
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Repeat answer and warnings at the very end, below the tables of other plugins and pytest's own last line."""
    outcome = yield
    _close(session.config)
    return outcome


@installed_modules_first()
def _close(config: pytest.Config) -> None:
    """Write the last lines of a session."""
    freezes = find_session(config)
    if freezes is not None and not config.pluginmanager.hasplugin("terminalreporter"):
        _write_report(config)  # there is no summary to write it in
        log_results(config)
    shown = [summary for _, summary in summaries(freezes)] if freezes is not None else []
    if freezes is not None and shown:
        from freezebench.report.terminal_summary import closing_lines

        Terminal(config).write(closing_lines(shown, terminal_width(), session_overview(freezes)))
    _warn(config)


def _warn(config: pytest.Config) -> None:
    """Write what would fail the session in CI, and what could not be saved or logged."""
    lines = [*warning_lines(config), *unsaved_lines(config), *failure_lines(config)]
    Terminal(config).write(((line, "bad"),) for line in fitted(lines))


def _comparison_lines(session: FreezeSession, width: int) -> list[str]:
    """Return the comparisons with saved runs, and what was not compared; their tables fit the width."""
    if not session.results():
        return []
    from freezebench.report.comparison import comparison_lines, remedy_lines

    across = session.options.session_settings.compare_across
    lines: list[str] = []
    for reference in session.references:
        comparison = reference.comparison()
        if comparison is not None:
            lines += comparison_lines(comparison, with_parts=False, width=width)
            lines += remedy_lines(comparison, "--freeze-compare-across", across)
    return lines


def _write_report(config: pytest.Config) -> SessionReport:
    """Write the report with its page, and return it."""
    report = session_report(config)
    with contextlib.chdir(config.invocation_params.dir):
        report.publish()
    return report


def _publish(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the page of the report, and print what was written and what could not be."""
    report = _write_report(config)
    # Pictures are many: their folder is enough.
    paths = (path if path.parent == report.folder else path.parent for path in report.written)
    for path in dict.fromkeys(paths):
        terminalreporter.write_line(terminal_line(f"freezebench: wrote {path}"))
    if report.problem:
        for line in fitted([f"freezebench: {report.problem}"]):
            terminalreporter.write_line(line, red=True)
