"""The loop over tests: preflight before it, progress within it, the saving of models after it.

In CI, complaints about a session fail it. Everywhere, a session fails whose requested model was not saved.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from freezebench.config.session_settings import in_ci
from freezebench.escaping import terminal_line
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.items import planned_tests
from freezebench.pytest_plugin.options import find_session, freeze_session, usage_errors
from freezebench.pytest_plugin.reporting import session_report, summaries
from freezebench.pytest_plugin.saving import keep_saver, make_saver
from freezebench.pytest_plugin.session_gate import keep_complaints, session_gate
from freezebench.pytest_plugin.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from freezebench.config.settings import Settings
    from freezebench.executors.base import OnEvent
    from freezebench.pytest_plugin.saving import ModelSaver
    from freezebench.session import FreezeSession
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot


# Outermost, so that what is shown after the tests follows the end of their own line.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Show progress while tests run; afterwards save models, and fail a session without a verdict or its model."""
    config = session.config
    if not _calls_tests(config):
        return (yield)
    fails = in_ci()  # now, since a test may change its environment
    session_gate(config).expect(config, session.items)
    with usage_errors():
        planned = planned_tests(session.items)
    saver = _prepare(config, planned)
    try:
        outcome = yield
    except pytest.exit.Exception as stop:
        # A test that ends the session as a success must not hide what is wrong with it.
        if stop.returncode == pytest.ExitCode.OK and _complain(config, fails=fails) and fails:
            stop.returncode = pytest.ExitCode.TESTS_FAILED
        raise
    _complain(config, fails=fails)
    if saver is not None:
        _save(config, saver)
    return outcome


def _calls_tests(config: pytest.Config) -> bool:
    """Return whether the tests are going to be called: not only listed, planned or set up."""
    session = find_session(config)
    is_plan = session is not None and session.options.session_settings.plan
    return not (is_plan or config.option.collectonly or getattr(config.option, "setuponly", False))


@installed_modules_first()
def _prepare(config: pytest.Config, planned: Sequence[tuple[Settings, str]]) -> ModelSaver | None:
    """Check that the planned tests can run, and show their progress from now on; return what saves their models."""
    if not planned:
        return None
    with usage_errors(), contextlib.chdir(config.invocation_params.dir):
        saver = make_saver(config)
        if saver is not None:
            saver.check(planned)
        session = freeze_session(config)
        session.preflight(planned)
        planned_runs = session.expect(planned)
    if saver is not None:
        keep_saver(config, saver)
    _start_progress(config, planned_runs, {settings.metric for settings, _ in planned})
    return saver


@installed_modules_first()
def _complain(config: pytest.Config, *, fails: bool) -> bool:
    """Keep the complaints about the session for its summary, and let them fail it; return whether there are any."""
    complaints = keep_complaints(config, are_warnings=not fails)
    for complaint in complaints if fails else ():
        _fail(config, complaint.name, complaint.sentence)
    return bool(complaints)


def _fail(config: pytest.Config, name: str, sentence: str) -> None:
    """Report a failed test that is none of the user's, so that the session fails."""
    report = pytest.TestReport(
        nodeid=f"freezebench::{name}",
        location=("freezebench", None, name),
        keywords={},
        outcome="failed",
        longrepr=terminal_line(sentence),
        when="call",
    )
    config.hook.pytest_runtest_logreport(report=report)


@installed_modules_first()
def _save(config: pytest.Config, saver: ModelSaver) -> None:
    """Save the models of recommended configurations; what could not be saved fails the session."""
    session, terminal = freeze_session(config), Terminal(config)
    session_report(config).saved = saver.outcomes
    terminal.end_line()

    def on_start(spec: RunSpec) -> None:
        label = f"saving {spec.freeze}, seed {spec.seed}"
        terminal.progress([f"{label} …"], False)
        session.on_event = _listener(terminal, [spec], label=label)

    with contextlib.chdir(config.invocation_params.dir):
        saver.save(summaries(session), on_start)
    for outcome in saver.outcomes.values():
        if outcome.is_failure:
            _fail(config, "saved", outcome.sentence)


def _not_run_lines(session: FreezeSession) -> list[str]:
    """Return which planned configurations are not run, which only a loaded model tells: no plan could say it."""
    from freezebench.report.verdict_text import not_run_sentences

    tables = [(settings, results) for settings, results in session.plan.not_run() if results]
    sentences = ((settings.model, sentence) for settings, results in tables for sentence in not_run_sentences(results))
    lines = [(model, sentence[0].lower() + sentence[1:].rstrip(".")) for model, sentence in sentences]
    has_several = len({settings.model for settings, _ in tables}) > 1
    # Tables of one model differ in other settings.
    return list(dict.fromkeys(f"{model}: {line}" if has_several else line for model, line in lines))


def _start_progress(config: pytest.Config, planned_runs: Sequence[RunSpec], metrics: set[str | None]) -> None:
    """Show the events of runs in the terminal from now on, their figures by the metric if all tests have one."""
    session, terminal = freeze_session(config), Terminal(config)
    for line in _not_run_lines(session):
        terminal.progress([line], is_transient=False)
    metric = metrics.pop() if len(metrics) == 1 else None
    session.on_event = _listener(terminal, planned_runs, slots=session.executor.slots, metric=metric)


def _listener(
    terminal: Terminal,
    planned: Sequence[RunSpec],
    *,
    label: str | None = None,
    slots: Sequence[Slot] = (),
    metric: str | None = None,
) -> OnEvent:
    """Return what shows the events of runs.

    Args:
        terminal: pytest's terminal; without one, only that a run waits is said, since nothing else would explain it.
        planned: The runs that are needed at least.
        label: What lines begin with; ``None``: the number and the name of each run.
        slots: The slots that train at the same time.
        metric: Name of the metric that lines show; ``None``: the usual one of a run's task.
    """
    from freezebench.records.events import RunWaiting
    from freezebench.report.progress import Progress

    if terminal.is_shown:
        has_several = len(slots) > 1
        progress = Progress(
            terminal.progress,
            live=terminal.moves_cursor and not terminal.is_quiet if has_several else terminal.is_live,
            planned=planned,
            label=label,
            quiet=terminal.is_quiet,
            slots=slots,
            show=terminal.show,
            metric=metric,
        )
        return progress.on_event
    return lambda event: terminal.notice(f"waiting: {event.reason}") if isinstance(event, RunWaiting) else None
