"""The loop over tests: preflight before it, progress within it, and in CI a failure if nothing was decided."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from freezebench.config.session_settings import in_ci
from freezebench.pytest_plugin.items import planned_tests
from freezebench.pytest_plugin.options import freeze_session, usage_errors
from freezebench.pytest_plugin.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from freezebench.config.settings import Settings
    from freezebench.session import FreezeSession


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Show progress while tests run; afterwards, in CI, fail a session in which nothing was decided."""
    config = session.config
    planned = planned_tests(config, session.items)
    if planned and not config.option.collectonly and not freeze_session(config).options.session_settings.plan:
        with usage_errors(), contextlib.chdir(config.invocation_params.dir):
            freeze_session(config).preflight(planned)
        _start_progress(config, planned)
    outcome = yield
    complaint = _undecided_complaint(freeze_session(config)) if planned else None
    if complaint and in_ci():
        report = pytest.TestReport(
            nodeid="freezebench::decided",
            location=("freezebench", None, "decided"),
            keywords={},
            outcome="failed",
            longrepr=complaint,
            when="call",
        )
        config.hook.pytest_runtest_logreport(report=report)
    return outcome


def _start_progress(config: pytest.Config, planned: Sequence[tuple[Settings, str]]) -> None:
    """Show the events of runs in the terminal from now on."""
    from freezebench.report.progress import Progress

    session, terminal = freeze_session(config), Terminal(config)
    session.on_event = Progress(terminal.progress, live=terminal.is_live, planned=session.expect(planned)).on_event


def _undecided_complaint(session: FreezeSession) -> str | None:
    """Return a complaint if candidates were trained and none of them is decided."""
    from freezebench.report.verdict_text import is_decided

    candidates = [result for _, group in session.results() for result in group if not result.is_baseline]
    if not candidates or any(map(is_decided, candidates)):
        return None
    return f"UNDECIDED: no candidate was decided (0 of {len(candidates)}). Use more seeds or more test sentences."
