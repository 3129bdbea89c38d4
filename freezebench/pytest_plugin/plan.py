"""The plan in the terminal: settings in the header; runs, resolution and durations after collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.pytest_plugin.items import planned_tests
from freezebench.pytest_plugin.options import find_session, usage_errors
from freezebench.pytest_plugin.reporting import report_folder
from freezebench.pytest_plugin.terminal import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from freezebench.config.settings import Settings
    from freezebench.session import FreezeSession


def pytest_report_header(config: pytest.Config) -> list[str] | None:
    """Return the settings in words, if an option was given."""
    session = find_session(config)
    if session is None:
        return None
    with usage_errors():
        from freezebench.report.plan import settings_lines

        return fitted(settings_lines(session.options.settings()))


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Return what is going to run and what it can resolve."""
    session = find_session(config)
    if session is None:
        return []
    # pytest calls this on its way to a usage error, too.
    planned = planned_tests(config, items)
    lines: list[str] = []
    for settings in dict.fromkeys(settings for settings, _ in planned):
        specs = list(dict.fromkeys(spec for other, spec in planned if other == settings))
        lines += _settings_plan(session, settings, specs)
    lines += [f"freezebench: {note}" for note in (session.reference.notes if session.reference else ())]
    if session.options.session_settings.plan:
        lines.append("freezebench: --freeze-plan: " + ("nothing runs" if planned else "no freeze test is selected"))
    return fitted(lines)


def _settings_plan(session: FreezeSession, settings: Settings, specs: Sequence[str]) -> list[str]:
    """Return the plan of the tests that share settings."""
    from freezebench.report.plan import resolution_line, settings_lines, size_line

    # The header showed the settings of command line and ini file; a marker may have changed them.
    is_shown = session.options.is_anything and settings == session.options.settings()
    lines = [] if is_shown else settings_lines(settings)
    lines.append(size_line(settings, specs))
    if settings not in session.num_test:  # not checked, as with --collect-only
        return lines
    lines.append(resolution_line(settings, session.num_test[settings]))
    with usage_errors():
        return lines + _durations(session, settings, specs)


def _durations(session: FreezeSession, settings: Settings, specs: Sequence[str]) -> list[str]:
    """Return how long the runs will take; with ``--freeze-plan`` also what they are.

    Raises:
        FreezebenchError: If there is no such device.
    """
    from freezebench.planning.design import first_runs
    from freezebench.report.durations import expected_durations, saved_durations
    from freezebench.report.plan import data_line, duration_line, run_table

    facts = session.data(settings).facts
    runs = first_runs({settings: specs}, with_times=session.with_times)
    # Times that are compared are always measured anew.
    is_timed = session.with_times and any(
        settings.costs.needs_paired_runs(freeze) for freeze in specs if freeze != "none"
    )
    finished = {} if is_timed else session.finished_earlier(runs)
    left = [run for run in runs if run.run_id not in finished]
    saved = saved_durations(session.reference.saved if session.reference else None, report_folder(session), finished)
    device_name = session.machine(settings).device_name
    expected = expected_durations(left, saved, device_name) if left else None
    lines = [duration_line(len(runs), len(left), expected)]
    if not session.options.session_settings.plan:
        return lines
    sizes = facts.num_train, facts.num_validation, facts.num_test
    table = run_table(settings, runs, finished, expected, num_train=facts.num_train)
    return [data_line(*sizes, num_labels=len(facts.label_names)), *table, *lines]
