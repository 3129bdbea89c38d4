"""The loop over tests: preflight before it, progress within it, the saving of models after it.

In CI, complaints about a session fail it. Everywhere, a session fails whose requested model was not saved.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from freezebench.config.session_settings import in_ci
from freezebench.pytest_plugin.items import planned_tests
from freezebench.pytest_plugin.options import freeze_session, usage_errors
from freezebench.pytest_plugin.reporting import session_report, summaries
from freezebench.pytest_plugin.saving import make_saver
from freezebench.pytest_plugin.session_gate import complaints
from freezebench.pytest_plugin.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from freezebench.config.settings import Settings
    from freezebench.pytest_plugin.saving import ModelSaver
    from freezebench.specs.run import RunSpec


# Outermost, so that what is shown after the tests follows the end of their own line.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Show progress while tests run; afterwards save models, and fail a session without a verdict or its model."""
    config = session.config
    planned = planned_tests(config, session.items)
    saver = None
    if planned and not config.option.collectonly and not freeze_session(config).options.session_settings.plan:
        with usage_errors(), contextlib.chdir(config.invocation_params.dir):
            saver = make_saver(config)
            if saver is not None:
                saver.check(planned)
            freeze_session(config).preflight(planned)
        _start_progress(config, planned)
    outcome = yield
    if planned and in_ci():
        for complaint in complaints(config):
            _fail(config, complaint.name, complaint.sentence)
    if saver is not None:
        _save(config, saver)
    return outcome


def _fail(config: pytest.Config, name: str, sentence: str) -> None:
    """Report a failed test that is none of the user's, so that the session fails."""
    report = pytest.TestReport(
        nodeid=f"freezebench::{name}",
        location=("freezebench", None, name),
        keywords={},
        outcome="failed",
        longrepr=sentence,
        when="call",
    )
    config.hook.pytest_runtest_logreport(report=report)


def _save(config: pytest.Config, saver: ModelSaver) -> None:
    """Save the models of recommended configurations; what could not be saved fails the session."""
    from freezebench.report.progress import Progress

    session, terminal = freeze_session(config), Terminal(config)
    session_report(config).saved = saver.outcomes
    terminal.end_line()

    def on_start(spec: RunSpec) -> None:
        label = f"saving {spec.freeze}, seed {spec.seed}"
        terminal.progress([f"{label} …"], False)
        progress = Progress(
            terminal.progress, live=terminal.is_live, planned=[spec], label=label, quiet=terminal.is_quiet
        )
        session.on_event = progress.on_event

    with contextlib.chdir(config.invocation_params.dir):
        saver.save(summaries(session), on_start)
    for outcome in saver.outcomes.values():
        if outcome.is_failure:
            _fail(config, "saved", outcome.sentence)


def _start_progress(config: pytest.Config, planned: Sequence[tuple[Settings, str]]) -> None:
    """Show the events of runs in the terminal from now on."""
    from freezebench.report.progress import Progress

    session, terminal = freeze_session(config), Terminal(config)
    planned_runs = session.expect(planned)
    progress = Progress(terminal.progress, live=terminal.is_live, planned=planned_runs, quiet=terminal.is_quiet)
    session.on_event = progress.on_event
