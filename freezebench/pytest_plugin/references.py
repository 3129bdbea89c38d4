"""The saved runs that a session is compared with: those of ``--benchmark-compare`` and ``--freeze-anchor``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.config.options import BY_NAME
from freezebench.config.session_settings import in_ci
from freezebench.errors import RecordError, SettingsError
from freezebench.pytest_plugin.benchmark import storage_of
from freezebench.pytest_plugin.items import planned_items, settings_of, spec_of
from freezebench.pytest_plugin.reporting import report_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from freezebench.planning.reference_check import PlannedTest
    from freezebench.records.reference_search import RequestedRun
    from freezebench.session import FreezeSession

COMPARE, ANCHOR = "--benchmark-compare", "--freeze-anchor"


def take_references(session: FreezeSession, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Give a session the saved runs that its tests are compared with.

    Args:
        session: The session.
        config: pytest's configuration.
        items: The freeze tests that are selected.

    Raises:
        FreezebenchError: If a saved run cannot be read, a test could not be compared, or a limit not be judged.
    """
    requested, anchor = _requested_run(config), _anchor_run(session, config)
    if requested is None and anchor is None:
        _refuse_inert_flags(config)
    trained = planned_items(items)
    if not trained:
        required = next((request for request in (requested, anchor) if request and request.is_required), None)
        if required is not None:
            raise SettingsError(
                f"{required.option}: nothing could be compared: all freeze tests that are selected are skipped, or "
                "train nothing. Leave the option out, or run some of them."
            )
        return
    requested = requested or _needed_run(trained, has_anchor=anchor is not None)
    if requested is None and anchor is None:
        return
    from freezebench.planning.reference import Reference

    planned = [_planned_test(session, item) for item in trained]
    options = session.options.session_settings
    session.references = tuple(
        Reference(
            request,
            planned,
            is_anchor=request is anchor,
            with_times=session.with_times,
            across=options.compare_across,
            allowed=options.allow_unmatched,
        )
        for request in (requested, anchor)
        if request is not None
    )


def _refuse_inert_flags(config: pytest.Config) -> None:
    """Refuse flags that say how to compare, where nothing is compared; ini keys hold for other sessions as well.

    Raises:
        SettingsError: If one is set.
    """
    for name in ("compare_across", "allow_unmatched"):
        option = BY_NAME[name]
        value = config.getoption(option.ini, None)
        if value is not None:
            raise SettingsError(
                f"{option.flag}={value}: nothing is compared without a saved run. Add {COMPARE} or {ANCHOR}=RUN, or "
                "leave it out."
            )


def _requested_run(config: pytest.Config) -> RequestedRun | None:
    """Return the saved run of ``--benchmark-compare``, the newest one of several; ``None`` if the option is not set.

    Raises:
        RecordError: If it is damaged, foreign, or of an unknown schema, or if there is none although it is named or
            this is continuous integration.
    """
    from freezebench.records.reference_search import find_run

    # Without a value it is True, without the option an empty list.
    value = config.getoption("benchmark_compare", None)
    if value is True:
        return find_run(storage_of(config, COMPARE), None, option=COMPARE, is_required=in_ci())
    if not isinstance(value, str):
        return None
    if not value.strip():
        raise RecordError(
            f"{COMPARE}= names no saved run: its value is empty, as that of a variable that is not set. Give a name; "
            f"{COMPARE} alone takes the newest saved run."
        )
    return find_run(storage_of(config, COMPARE), value, option=COMPARE, is_required=True)


def _anchor_run(session: FreezeSession, config: pytest.Config) -> RequestedRun | None:
    """Return the saved run of ``--freeze-anchor``; ``None`` if the option is not set.

    Raises:
        FreezebenchError: If there is none, it cannot be read, or this session would overwrite it.
    """
    name, folder = session.options.session_settings.anchor, report_folder(session)
    if name is None:
        return None
    from freezebench.records.reference_search import find_anchor

    anchor = Path(os.path.realpath(name))  # no error at a loop of symbolic links
    if folder is not None and folder.resolve() in (anchor, anchor.parent):
        raise SettingsError(
            f"{ANCHOR}={name}: --freeze-report={folder} would overwrite it with this run. Write the report elsewhere."
        )
    has_benchmark = config.pluginmanager.hasplugin("benchmark")
    return find_anchor(storage_of(config, ANCHOR) if has_benchmark else None, name, option=ANCHOR)


def _needed_run(items: Iterable[pytest.Item], *, has_anchor: bool) -> RequestedRun | None:
    """Return a request without a saved run if a limit needs one; ``None`` if none does."""
    from freezebench.records.reference_search import RequestedRun

    for settings in map(settings_of, items):
        if settings.costs.need_reference or (settings.max_regression.numbers and not has_anchor):
            return RequestedRun(option=COMPARE, saved=None)
    return None


def _planned_test(session: FreezeSession, item: pytest.Item) -> PlannedTest:
    """Return what is known of a test before it runs.

    Raises:
        FreezebenchError: If model or data cannot be read, or there is no such device.
    """
    from freezebench.planning.reference_check import PlannedTest
    from freezebench.runs.planned_configuration import planned_configuration

    settings = settings_of(item)
    spec = settings.run_spec(spec_of(item), settings.seed)
    configuration = planned_configuration(
        spec, item.nodeid, session.data_cache, machine=session.machine(settings), metric=settings.metric
    )
    grid = frozenset(map(str, session.options.grid(settings)))
    return PlannedTest(settings=settings, configuration=configuration, grid=grid)
