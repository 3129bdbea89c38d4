"""The plan in the terminal, once the tests are known: their settings, runs, resolution and durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.items import planned_tests
from freezebench.pytest_plugin.options import find_session, store_warning, usage_errors
from freezebench.pytest_plugin.reporting import report_folder
from freezebench.pytest_plugin.terminal import fitted, more_flag, terminal_width
from freezebench.pytest_plugin.tracking import tracker_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from freezebench.config.settings import Settings
    from freezebench.planning.finished import FinishedRuns
    from freezebench.planning.replay import Replay
    from freezebench.planning.session_plan import SessionPlan
    from freezebench.session import FreezeSession

# A session of many experiments shows this many of them in the terminal before it starts.
_MOST_LINES = 4


@installed_modules_first()
def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Return what the selected tests are going to run, and what it can resolve.

    A marker may change every setting, so nothing is said in the header, which pytest prints before it knows the tests.
    """
    session = find_session(config)
    if session is None:
        return []
    # pytest calls this on its way to a usage error, too.
    specs: dict[Settings, list[str]] = {}
    with usage_errors():  # a hook may have added a marker since they were checked
        planned = planned_tests(items)
    for settings, spec in planned:
        specs.setdefault(settings, []).append(spec)
    is_plan = session.options.session_settings.plan
    lines: list[str] = []
    if len(specs) > 1 and not is_plan and config.option.verbose <= 0:
        lines += _overview(specs, more_flag(config.option.verbose))
    else:
        for settings, own in specs.items():
            lines += _settings_plan(session, settings, list(dict.fromkeys(own)))
    with usage_errors():
        lines += _devices(session, specs)
    budget = session.options.session_settings.budget
    if specs and budget is not None:
        lines.append(f"freezebench: budget {budget.text}: no further run starts after that (--freeze-budget)")
    lines += tracker_lines(config)
    lines += [f"freezebench: {note}" for reference in session.references for note in reference.notes]
    warning = store_warning(config)
    if specs and warning is not None:
        lines.append(f"freezebench: {warning}")
    if is_plan and items:  # there are none after an error, which follows
        lines.append("freezebench: --freeze-plan: " + ("nothing runs" if specs else "no freeze test is selected"))
    return fitted(lines)


def _devices(session: FreezeSession, specs: Iterable[Settings]) -> list[str]:
    """Return which devices train at the same time, where there are several or those of a cluster.

    Raises:
        FreezebenchError: If a device does not exist, or its process does not start.
    """
    from freezebench.report.plan import devices_line

    settings = next((settings for settings in specs if settings in session.num_test), None)
    cluster = session.options.session_settings.cluster
    if settings is None or (len(session.executor.slots) == 1 and cluster is None):
        return []
    executor, experiment = session.executor, settings.experiment
    models = {slot: executor.machine(experiment, slot).device_name for slot in executor.slots}
    return [devices_line(models, cluster)]


def _overview(specs: Mapping[Settings, Sequence[str]], more: str) -> list[str]:
    """Return one line per experiment of a session that has several, at most a few."""
    from freezebench.report.plan import experiment_line

    # Tests that differ in their limits alone have the same line.
    lines = list(dict.fromkeys(experiment_line(settings, set(own)) for settings, own in specs.items()))
    num_more = len(lines) - _MOST_LINES
    return lines[:_MOST_LINES] + ([f"freezebench: and {num_more} more ({more} shows all)"] if num_more > 0 else [])


def _settings_plan(session: FreezeSession, settings: Settings, specs: Sequence[str]) -> list[str]:
    """Return the plan of the tests that share settings."""
    from freezebench.report.data_text import data_warnings
    from freezebench.report.head_text import head_line, order_line
    from freezebench.report.judging_plan import judging_lines, limit_lines
    from freezebench.report.plan import resolution_line, settings_lines, size_line

    left_out = session.options.left_out(settings)
    lines = [*settings_lines(settings, specs), size_line(settings, [spec for spec in specs if spec not in left_out])]
    if settings not in session.num_test:  # not checked, as with --collect-only
        return lines
    facts = session.data(settings).facts
    lines += [f"freezebench: {note}" for note in data_warnings(facts)]
    source = session.data_cache.model_source(settings.model)
    stored = source.num_head_classes
    if stored is not None:
        lines.append(head_line(settings.model, stored, len(facts.label_names), facts.task, source.task))
        lines += filter(None, [order_line(settings.model, stored, facts)])
    is_plan = session.options.session_settings.plan
    lines += judging_lines(settings, facts, with_usual=is_plan)
    with usage_errors():
        plan, replayed = _replayed(session, settings, specs)
        lines += filter(None, [resolution_line(settings, facts, is_finished=not replayed.left)])
        lines += limit_lines(settings, facts, specs, with_usual=is_plan)
        return lines + _durations(session, settings, specs, plan, replayed)


def _replayed(session: FreezeSession, settings: Settings, specs: Sequence[str]) -> tuple[SessionPlan, Replay]:
    """Return the plan of the tests that share settings, and what earlier sessions finished of it."""
    from freezebench.planning.replay import replay
    from freezebench.planning.session_plan import SessionPlan

    planned = [(settings, freeze) for freeze in specs]
    plan = SessionPlan(planned, with_times=session.with_times, left_out=session.options.left_out)
    return plan, replay(plan, session.finished_earlier)


def _durations(
    session: FreezeSession, settings: Settings, specs: Sequence[str], plan: SessionPlan, replayed: Replay
) -> list[str]:
    """Return how long the runs will take; with ``--freeze-plan`` also what they are.

    Raises:
        FreezebenchError: If there is no such device.
    """
    from freezebench.planning.blocks import blocks_of, trains_arms_together
    from freezebench.report.durations import expected_durations, saved_durations
    from freezebench.report.plan import data_lines, duration_line, run_table
    from freezebench.report.verdict_text import not_run_sentences

    facts = session.data(settings).facts
    runs, left = ([needed.spec for needed in part] for part in (replayed.needed, replayed.left))
    reference_run = next((reference.saved for reference in session.references), None)
    saved = saved_durations(reference_run, report_folder(session), replayed.finished.records)
    device_name = session.machine(settings).device_name
    expected = expected_durations(left, saved, device_name) if left else None
    slots = session.executor.slots
    if expected is not None and len(slots) > 1:
        blocks = blocks_of(replayed.left, arms_together=trains_arms_together(slots))
        expected = expected.shared_out(blocks, slots)
    lines = [
        duration_line(len(runs), len(left), expected, is_least=settings.searches and bool(left)),
        *_stored_faults(plan, settings, specs, replayed.finished),
    ]
    if not session.options.session_settings.plan:
        return lines
    table = run_table(settings, runs, left, expected, num_train=facts.num_train, width=terminal_width())
    results = [result for _, of_table in plan.not_run() for result in of_table]
    left_out = [f"freezebench: {sentence[0].lower()}{sentence[1:]}" for sentence in not_run_sentences(results)]
    return [
        *data_lines(facts, settings.data.group_column),
        *table,
        *left_out,
        *lines,
        *_undecided(plan, settings, specs, replayed.finished),
    ]


def _stored_faults(plan: SessionPlan, settings: Settings, specs: Sequence[str], finished: FinishedRuns) -> list[str]:
    """Return which configurations the runs of earlier sessions make invalid."""
    from freezebench.report.judging_plan import stored_fault_lines

    if not finished.records:
        return []
    baseline, *results = (
        None if isinstance(step, list) else step
        for step in (plan.next_step(settings, freeze, finished) for freeze in ("none", *specs))
    )
    return stored_fault_lines(baseline, [result for result in results if result is not None])


def _undecided(plan: SessionPlan, settings: Settings, specs: Sequence[str], finished: FinishedRuns) -> list[str]:
    """Return what would decide the verdicts that the runs of earlier sessions leave undecided."""
    from freezebench.report.more_evidence import undecided_sentences

    steps = (plan.next_step(settings, freeze, finished) for freeze in specs)
    results = [step for step in steps if not isinstance(step, list)]
    return [f"freezebench: {sentence}" for sentence in undecided_sentences(results)]
