"""``--freeze-log``: runs and verdicts for experiment trackers, logged after the report is written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from freezebench.escaping import shell_word
from freezebench.pytest_plugin.options import find_session, store_warning
from freezebench.pytest_plugin.reporting import session_report, summaries
from freezebench.pytest_plugin.terminal import Terminal

# The rest is imported where something is logged: most pytest sessions have no freeze tests.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.tracking.base import Tracker
    from freezebench.report.tracking.export import LogOutcome
    from freezebench.session import FreezeSession

_TRACKERS = pytest.StashKey["list[Tracker]"]()
_OUTCOMES = pytest.StashKey["list[LogOutcome]"]()


def prepare_trackers(config: pytest.Config, session: FreezeSession) -> None:
    """Make the trackers of ``--freeze-log``, before a model is loaded.

    Raises:
        FreezebenchError: If a library is missing or not set up.
    """
    names = session.options.session_settings.trackers
    if names:
        from freezebench.report.tracking.registry import make_trackers

        with contextlib.chdir(config.invocation_params.dir):
            config.stash[_TRACKERS] = make_trackers(names, "--freeze-log")


def tracker_lines(config: pytest.Config) -> list[str]:
    """Return where results are going to be logged, for the lines before the tests."""
    return [f"freezebench: logs to {tracker.destination}" for tracker in config.stash.get(_TRACKERS, [])]


def log_results(config: pytest.Config) -> list[LogOutcome]:
    """Log what has a result, and return what became of it; a session logs once."""
    if _OUTCOMES not in config.stash:
        config.stash[_OUTCOMES] = []
        session, trackers = find_session(config), config.stash.get(_TRACKERS, [])
        if session is not None and trackers and session.results():
            with contextlib.chdir(config.invocation_params.dir):
                config.stash[_OUTCOMES] = _log(config, session, trackers)
    return config.stash[_OUTCOMES]


def failure_lines(config: pytest.Config) -> list[str]:
    """Return what could not be logged, for the last lines of the session."""
    outcomes = config.stash.get(_OUTCOMES, [])
    return [f"freezebench: warning: {outcome.sentence}" for outcome in outcomes if outcome.is_failure]


def _log(config: pytest.Config, session: FreezeSession, trackers: Sequence[Tracker]) -> list[LogOutcome]:
    """Log the results to every tracker, and return what became of them."""
    from freezebench.report.experiment import Experiment
    from freezebench.report.publish import saved_files
    from freezebench.report.tracking.export import LogOutcome, log_experiments

    terminal, report = Terminal(config), session_report(config)
    experiments = [Experiment.of(settings, summary) for settings, summary in summaries(session)]
    files = {} if report.folder is None or report.problem else saved_files(report.folder)
    outcomes: list[LogOutcome] = []
    for tracker in trackers:
        again = _again(config, session, tracker)
        if terminal.is_live:  # a server that does not answer is waited for, for minutes
            terminal.progress([f"logging to {tracker.destination} …"], is_transient=True)
        try:
            outcomes += log_experiments(experiments, tracker, again=again, reused=session.reused, files=files)
        except KeyboardInterrupt:
            sentence = f"logging to {tracker.destination} was interrupted. {again}"
            outcomes.append(LogOutcome(sentence=sentence, is_failure=True))
    if terminal.is_live:
        terminal.progress([""], is_transient=True)
    return outcomes


def _again(config: pytest.Config, session: FreezeSession, tracker: Tracker) -> str:
    """Return how to log the same results again."""
    report = session_report(config)
    if report.folder is not None and report.problem is None:
        return f"Run: python -m freezebench log {shell_word(str(report.folder))} --to={tracker.name}"
    is_kept = session.options.session_settings.resume and store_warning(config) is None
    return "Run the same command again" + (": finished runs are reused." if is_kept else ".")
