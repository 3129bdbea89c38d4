"""Collected tests: checked before a model is loaded, the baseline first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.errors import FreezebenchError
from freezebench.import_path import installed_modules_first
from freezebench.pytest_plugin.benchmark import add_clock
from freezebench.pytest_plugin.case_checks import problems
from freezebench.pytest_plugin.items import (
    PROBLEMS,
    case_name,
    case_of,
    fixture_names,
    freeze_items,
    settings_of,
    spec_of,
    take_added_grid,
    values_of,
)
from freezebench.pytest_plugin.options import freeze_session, refuse_combinations, usage_errors
from freezebench.pytest_plugin.references import take_references
from freezebench.pytest_plugin.replaced_fixtures import replaced_fixtures
from freezebench.pytest_plugin.reporting import report_folder
from freezebench.pytest_plugin.tracking import prepare_trackers
from freezebench.specs.node_ids import function_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from freezebench.config.settings import Settings
    from freezebench.session import FreezeSession

# Options with which pytest collects tests to list something, and runs none.
_LISTINGS = ("collectonly", "showfixtures", "show_fixtures_per_test")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Say why pytest does not find a node id with a configuration: the test has none if its settings are wrong."""
    try:
        return (yield)
    except pytest.UsageError as error:
        functions = [function_of(argument) for argument in session.config.args if argument.endswith("]")]
        found = [
            problem
            for function, sentences in session.config.stash.get(PROBLEMS, {}).items()
            for problem in sentences
            if any(name.endswith(function) or function.endswith(name) for name in functions)
        ]
        if not found or str(error).startswith(found[0]):
            raise
        raise pytest.UsageError(*found, *error.args) from error


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every freeze test, so that ``-m "not freeze"`` deselects all of them."""
    is_freeze_test = case_of(item) is not None or "freeze_run" in fixture_names(item)
    if is_freeze_test and item.get_closest_marker("freeze") is None:
        item.add_marker(pytest.mark.freeze)


@pytest.hookimpl(trylast=True)
@installed_modules_first()
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check everything that can be checked before a model is loaded, and put baselines first."""
    _deselect_left_out(config, items)
    found, selected = [*replaced_fixtures(config, items), *problems(items)], freeze_items(items)
    if not (found or selected):
        return
    session = freeze_session(config)
    try:
        refuse_combinations(config)
        _refuse(found)
        if not any(getattr(config.option, name, False) for name in _LISTINGS):
            with usage_errors():
                _check(session, config, selected)
    except pytest.UsageError:
        items.clear()  # pytest-xdist would wait for what it has collected
        raise
    positions = [position for position, item in enumerate(items) if item in selected]
    for position, item in zip(positions, sorted(selected, key=lambda item: spec_of(item) != "none"), strict=True):
        items[position] = item
    for item in selected:
        add_clock(item)


def _deselect_left_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose configurations are not in the grid of a marker that a hook has added to them."""
    left_out = [item for item in items if not take_added_grid(item)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _refuse(found: Sequence[str]) -> None:
    """End the session if something is wrong with the settings of its tests.

    Raises:
        pytest.UsageError: If so.
    """
    if found:
        raise pytest.UsageError("\n".join(found))


def _check(session: FreezeSession, config: pytest.Config, selected: Sequence[pytest.Item]) -> None:
    """Check the report folder, the trackers, the settings of all tests, and the limits that a saved run is needed for.

    Raises:
        FreezebenchError: If some test could not run, or not be judged.
    """
    from freezebench.records.files import prepare_folder

    folder = report_folder(session)
    if folder is not None:
        prepare_folder(folder, "--freeze-report")
    prepare_trackers(config, session)
    first_items: dict[Settings, pytest.Item] = {}
    for item in selected:
        first_items.setdefault(settings_of(item), item)
    _fetch(config, [settings.data.source for settings in first_items])
    for settings, item in first_items.items():
        try:
            session.check(settings)
        except FreezebenchError as error:
            raise type(error)(session.options.sentence(error, values_of(item), case_name(item))) from error
    take_references(session, config, selected)


def _fetch(config: pytest.Config, sources: Sequence[str]) -> None:
    """Download the data set ``reviews`` if a test needs it and the cache folder does not hold it.

    Raises:
        DataError: If it cannot be downloaded.
    """
    from freezebench.data import reviews
    from freezebench.pytest_plugin.terminal import Terminal

    if any(source in reviews.DOMAINS for source in sources):
        terminal = Terminal(config)
        reviews.fetch(lambda progress: terminal.progress([progress], is_transient=False))
